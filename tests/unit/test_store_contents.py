"""`mimic store`: what takes room, who uses it, and what is removed."""

import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from made_up_study import FILES, METRICS, ROOT, call_of, calls, run

from mimic import cli
from mimic.files import read_json, write_json
from mimic.provenance import contents as contents_module
from mimic.provenance.contents import Content, contents, needed_by, remove, unneeded
from mimic.provenance.notes import FOLDER, identities, note_file
from mimic.provenance.store import Store
from mimic.provenance.uses import DESCRIPTION, forget_use, read_uses
from mimic.respondents.store import AnswerStore

DAY = 86_400.0


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIMIC_STORE", str(tmp_path / "store"))
    return Store(tmp_path / "store")


def studies(store: Store) -> Path:
    return store.root / "studies"


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


def test_a_study_that_one_may_not_look_at_needs_all_that_it_used(
    store: Store, made: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, calls(rate=0.2)["finetune"], FILES["finetune"])
    (use,) = read_uses(store.root / "studies")
    assert made["finetune"] not in needed_by(use)
    stat, listdir, private = os.stat, os.listdir, str(ROOT.resolve())

    def refuse(path: Any, *arguments: Any, **options: Any) -> Any:
        if str(path).startswith(private):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *arguments, **options)

    monkeypatch.setattr(contents_module.os, "stat", refuse)
    assert needed_by(use) == set(use.entries) == {*made.values(), *needed_by(use)}
    assert cli.main(["store"]) == 0
    assert cli.main(["store", "--remove-unused", "0", "--yes"]) == 0
    monkeypatch.setattr(contents_module.os, "stat", stat)
    # It may be entered, but its notes may not be listed.
    monkeypatch.setattr(
        contents_module.os,
        "listdir",
        lambda path: refuse(path) if Path(path).name == FOLDER else listdir(path),
    )
    assert needed_by(use) == set(use.entries)
    monkeypatch.setattr(contents_module.os, "listdir", listdir)
    note_file(ROOT, Path(METRICS)).write_text("half")
    assert needed_by(use) == set(use.entries)


def test_what_a_moved_study_is_linked_to_stays(
    store: Store, made: dict[str, str], tmp_path: Path
) -> None:
    later = time.time() + 31 * DAY
    ROOT.rename(tmp_path / "moved")
    # Nobody has registered the new place; the links tell.
    assert not any(content.users for content in contents(store))
    assert unneeded(contents(store), days=30, now=later) == []
    # Copied to another file system there are no links: the next invocation registers it.
    shutil.copytree(tmp_path / "moved", tmp_path / "copied")
    shutil.rmtree(tmp_path / "moved")
    assert len(unneeded(contents(store), days=30, now=later)) == len(made)
    store.register_study(tmp_path / "copied", lambda: identities(tmp_path / "copied"))
    assert unneeded(contents(store), days=30, now=later) == []
    assert (tmp_path / "copied").resolve() in {use.root for use in read_uses(studies(store))}


def test_what_was_linked_since_it_was_listed_stays(store: Store, made: dict[str, str]) -> None:
    run(store, calls(rate=0.2)["finetune"], FILES["finetune"])
    later = time.time() + 31 * DAY
    (going,) = unneeded(contents(store), days=30, now=later)
    # A job found it as a hit, linked it and went on.
    run(store, calls()["finetune"], FILES["finetune"])
    assert remove(store, going) is False
    # The same where the files were copied, not linked.
    os.unlink("results/finetune/sft/manifest.json")
    for name in FILES["finetune"]:
        os.unlink(f"results/finetune/sft/{name}")
    assert remove(store, going) is False
    assert store.has(made["finetune"])


def test_what_was_worked_on_since_it_was_listed_stays(store: Store) -> None:
    folder = store.work("f" * 40)
    (folder / "unfinished").mkdir(parents=True)
    os.utime(folder, (1, 1))
    (going,) = unneeded(contents(store), days=30)
    # An attempt that went on from there was killed, as at the end of its walltime.
    with store.lock(folder.name), store.fresh_out(folder.name):
        pass
    assert remove(store, going) is False
    assert (folder / "unfinished").is_dir()
    os.utime(folder, (1, 1))
    assert remove(store, going)
    assert not folder.exists()


def test_the_last_use_is_that_of_whichever_study_used_it_last(
    store: Store, made: dict[str, str]
) -> None:
    identity, now = made["metrics"], time.time()
    for name in ("a", "b", "c"):
        store.register(Path(name), identity)
    uses = sorted(studies(store).glob(f"*/{identity}"))
    assert len(uses) == 4
    for number, place in enumerate(uses):
        os.utime(place, (now - number * DAY,) * 2 if number != 1 else (now + DAY,) * 2)
    assert by_name(store)[identity].last_used == pytest.approx(now + DAY)


def add_answers(store: Store, name: str, *, age_s: float) -> Path:
    folder = store.answers / name
    folder.mkdir(parents=True)
    (folder / "x").write_text("12345")
    os.utime(folder, (time.time() - age_s, time.time() - age_s))
    return folder


def test_answers_that_results_rest_on_stay(
    store: Store, made: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_answers(store, "a" * 64, age_s=90 * DAY)
    add_answers(store, "b" * 64, age_s=90 * DAY)
    measured = {"answers": ["a" * 64]}
    call = call_of("questionnaire", ["results/questionnaire/manifest.json"], inputs={})
    run(store, call, {"answers.parquet": "1"}, measured=measured)
    assert by_name(store)["a" * 64].users == (ROOT.resolve(),)
    (going,) = unneeded(contents(store), days=0)
    assert going.path.name == "b" * 64
    assert remove(store, going)
    assert [path.name for path in store.answers.iterdir()] == ["a" * 64]
    # Moved, it needs them still; then it is gone, and so is what needed them.
    ROOT.rename("moved")
    assert "a" * 64 not in {c.path.name for c in unneeded(contents(store), days=0)}
    shutil.rmtree("moved")
    assert "a" * 64 in {c.path.name for c in unneeded(contents(store), days=30)}


def test_answers_that_a_job_asks_for_stay(store: Store, made: dict[str, str]) -> None:
    folder = add_answers(store, "a" * 64, age_s=DAY)
    (going,) = unneeded(contents(store), days=0)
    with AnswerStore(folder, ["a", "b"], every_s=0.05):
        os.utime(folder, (1, 1))
        end = time.monotonic() + 20
        while folder.stat().st_mtime == 1 and time.monotonic() < end:
            time.sleep(0.05)
        assert by_name(store)["a" * 64].held
        assert unneeded(contents(store), days=0) == []
        assert remove(store, going) is False
    assert folder.is_dir()


def test_a_study_is_forgotten_by_name(
    store: Store, made: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["store", "--forget", "/nowhere"]) == 2
    assert f"those that have: {ROOT.resolve()}" in capsys.readouterr().err
    assert cli.main(["store", "--forget", str(ROOT.resolve())]) == 2
    assert "its results are there; remove them first" in capsys.readouterr().err
    shutil.rmtree(ROOT)
    (place,) = studies(store).glob(f"*/{DESCRIPTION}")
    write_json(place, read_json(place) | {"host": "elsewhere"})
    assert unneeded(contents(store), days=0) == []
    assert cli.main(["store", "--forget", str(ROOT.resolve())]) == 0
    assert read_uses(studies(store)) == []
    assert len(unneeded(contents(store), days=0)) == len(made)


def test_an_unreadable_record_is_listed(store: Store, made: dict[str, str]) -> None:
    (store.entry(made["essays"]) / "record.json").unlink()
    assert "its record can't be read" in by_name(store)[made["essays"]].what


def test_an_entry_that_lost_its_manifest_is_listed_and_may_go(
    store: Store, made: dict[str, str]
) -> None:
    (store.entry(made["metrics"]) / "manifest.json").unlink()
    listed = by_name(store)[made["metrics"]]
    assert listed.what == "not whole, it has no manifest.json: metrics"
    assert listed.users == (ROOT.resolve(),)
    shutil.rmtree(ROOT)
    assert listed.path in {content.path for content in unneeded(contents(store), days=0)}
    assert remove(store, listed)
    assert not listed.path.exists()


def test_what_is_refused_ages_from_then_on(store: Store, made: dict[str, str]) -> None:
    entry = store.entry(made["metrics"])
    os.utime(entry, (1, 1))
    place = store.set_aside(made["metrics"])
    assert by_name(store)[place.name].days_unused(time.time()) < 0.01
