"""`mimic store`: what it says, what it removes, and what it can't look at."""

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from made_up_study import FILES, ROOT, calls, run

from mimic import cli
from mimic.provenance import contents as contents_module
from mimic.provenance.contents import contents, needed_by, unneeded
from mimic.provenance.store import Store
from mimic.provenance.uses import DESCRIPTION, read_uses


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIMIC_STORE", str(tmp_path / "store"))
    return Store(tmp_path / "store")


def test_a_study_whose_description_is_broken_keeps_what_it_used(
    store: Store, made: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(ROOT)
    (place,) = (store.root / "studies").glob(f"*/{DESCRIPTION}")
    for broken in ("", "[]", '{"root": "/here"}'):
        place.write_text(broken)
        (use,) = read_uses(store.root / "studies")
        assert needed_by(use) == set(made.values())
        assert unneeded(contents(store), days=0) == []
        assert cli.main(["store"]) == 0
        said = capsys.readouterr().out
        assert "used by a study that nobody knows the place of" in said
        assert f"if it is gone, remove {place.parent}" in said
    # The study's next job writes it anew.
    store.register(ROOT, made["essays"])
    (use,) = read_uses(store.root / "studies")
    assert (use.root, use.wrong) == (ROOT.resolve(), "")


def refuse(*_: Any, **__: Any) -> Any:
    raise PermissionError(errno.EACCES, "Permission denied", "there")


def test_what_cannot_be_removed_or_looked_at_is_told_in_words(
    store: Store,
    made: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("refused/cc", "refused/dd"):
        (store.root / name).mkdir(parents=True)
    known = shutil.rmtree
    monkeypatch.setattr(
        shutil, "rmtree", lambda path: refuse() if path.name == "cc" else known(path)
    )
    assert cli.main(["store", "--remove-unused", "0", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "can't be removed ([Errno 13] Permission denied: 'there'): refused cc" in said
    assert said.endswith("removed\n")
    assert [path.name for path in (store.root / "refused").iterdir()] == ["cc"]
    assert cli.main(["store", "--remove-unused", "0", "--yes"]) == 0
    assert capsys.readouterr().out.endswith("nothing was removed\n")
    monkeypatch.setattr(contents_module, "bytes_below", refuse)
    assert cli.main(["store"]) == 2
    assert "there: can't be looked at (Permission denied)" in capsys.readouterr().err


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
