"""`mimic store`: what takes room, who uses it, and what is removed."""

import json
import shutil
import socket
import time
from pathlib import Path

import pytest
from made_up_study import FILES, ROOT, build, calls, run

from mimic import cli
from mimic.files import read_json, write_json
from mimic.provenance import contents as contents_module
from mimic.provenance.contents import Content, contents, needed_by, remove, unneeded
from mimic.provenance.store import Store
from mimic.provenance.uses import DESCRIPTION, forget_use, read_uses

DAY = 86_400.0


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIMIC_STORE", str(tmp_path / "store"))
    return Store(tmp_path / "store")


@pytest.fixture
def made(store: Store) -> dict[str, str]:
    return build(store)


def by_name(store: Store) -> dict[str, Content]:
    return {content.path.name: content for content in contents(store)}


def test_what_it_holds_and_who_uses_it(store: Store, made: dict[str, str]) -> None:
    found = by_name(store)
    assert set(found) == set(made.values())
    for rule, identity in made.items():
        content = found[identity]
        assert content.kind == "entry"
        assert content.what == rule
        assert content.users == (ROOT.resolve(),)
        assert content.size == sum(p.stat().st_size for p in content.path.rglob("*") if p.is_file())
        assert content.days_unused(time.time()) < 0.01
    sizes = [content.size for content in contents(store)]
    assert sizes == sorted(sizes, reverse=True)
    (use,) = read_uses(store.root / "studies")
    assert use.root == ROOT.resolve()
    assert use.host == socket.gethostname()
    assert set(use.entries) == set(made.values())


def test_answers_unfinished_work_and_refused_entries_are_listed(
    store: Store, made: dict[str, str]
) -> None:
    for name in ("answers/aa", "work/bb/unfinished", "refused/cc"):
        (store.root / name).mkdir(parents=True)
        (store.root / name / "x").write_text("12345")
    found = by_name(store)
    assert {(found[n].kind, found[n].size) for n in ("aa", "bb", "cc")} == {
        ("answers", 5),
        ("unfinished", 5),
        ("refused", 5),
    }


def test_only_what_nobody_needs_and_used_for_long_goes(store: Store, made: dict[str, str]) -> None:
    run(store, calls(rate=0.2)["finetune"], FILES["finetune"])
    later = time.time() + 31 * DAY
    (going,) = unneeded(contents(store), days=30, now=later)
    # The study's adapter is now the one of the other rate.
    assert going.path.name == made["finetune"]
    assert unneeded(contents(store), days=30) == []
    assert remove(store, going)
    assert not store.has(made["finetune"])
    assert len(list(store.entries())) == 4
    assert not list((store.root / "refused").iterdir())


def test_what_a_running_job_holds_stays(store: Store, made: dict[str, str]) -> None:
    shutil.rmtree(ROOT)
    (store.work("f" * 40) / "unfinished").mkdir(parents=True)
    later = time.time() + 31 * DAY
    with store.lock(made["metrics"]), store.lock("f" * 40):
        going = unneeded(contents(store), days=30, now=later)
        assert {c.path.name for c in going} == set(made.values()) - {made["metrics"]}
        # It came to be held after it was listed.
        listed = by_name(store)[made["metrics"]]
        assert remove(store, listed) is False
    assert store.has(made["metrics"])
    assert remove(store, listed)
    assert not store.has(made["metrics"])


def test_which_studies_count(store: Store, made: dict[str, str]) -> None:
    (use,) = read_uses(store.root / "studies")
    assert needed_by(use) == set(made.values())
    # Its results are gone.
    shutil.rmtree(ROOT)
    assert needed_by(use) == set()
    # On another machine nobody can look.
    (place,) = (store.root / "studies").glob(f"*/{DESCRIPTION}")
    write_json(place, read_json(place) | {"host": "elsewhere"})
    (use,) = read_uses(store.root / "studies")
    assert needed_by(use) == set(made.values())
    forget_use(store.root / "studies", use.root)
    assert read_uses(store.root / "studies") == []


def test_an_unreadable_record_is_listed(store: Store, made: dict[str, str]) -> None:
    (store.entry(made["essays"]) / "record.json").unlink()
    assert "its record can't be read" in by_name(store)[made["essays"]].what


def test_the_command(
    store: Store,
    made: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert cli.main(["store"]) == 0
    said = capsys.readouterr().out
    assert f"{made['finetune'][:12]}" in said
    assert str(ROOT.resolve()) in said
    assert cli.main(["store", "--remove-unused", "0", "--yes"]) == 0
    assert "nothing in" in capsys.readouterr().out
    run(store, calls(rate=0.2)["finetune"], FILES["finetune"])
    assert cli.main(["store", "--remove-unused", "30", "--yes"]) == 0
    assert store.has(made["finetune"])
    monkeypatch.setattr(contents_module.time, "time", lambda: 4e9)
    assert cli.main(["store", "--remove-unused", "30"]) == 0
    assert "nothing was removed; --yes removes" in capsys.readouterr().out
    assert store.has(made["finetune"])
    assert cli.main(["store", "--remove-unused", "30", "--yes"]) == 0
    assert not store.has(made["finetune"])
    assert "removed" in capsys.readouterr().out
    # A study whose results are gone is forgotten with what it alone had used.
    shutil.rmtree(ROOT)
    assert cli.main(["store", "--remove-unused", "30", "--yes"]) == 0
    assert list(store.entries()) == []
    assert read_uses(store.root / "studies") == []


def test_no_store_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIMIC_STORE", "none")
    Path("Snakefile").touch()
    assert cli.main(["store"]) == 2
    assert "none: no store yet" in capsys.readouterr().err
    assert json.dumps(sorted(p.name for p in tmp_path.iterdir())) == '["Snakefile"]'
