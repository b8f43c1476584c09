"""Links from the store into a study."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from made_up_entry import NAME, seal

from mimic.provenance import placing
from mimic.provenance.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_links_are_hard(store: Store, tmp_path: Path) -> None:
    entry = seal(store, {"a.csv": "1\n"})
    target = tmp_path / "results" / "essays" / "a.csv"
    store.link(NAME, [target])
    store.link(NAME, [target])
    assert target.samefile(entry / "a.csv")
    assert [path.name for path in target.parent.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    "number", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS]
)
def test_what_cannot_be_linked_is_copied(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    entry = seal(store, {"a.csv": "1\n"})

    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "results" / "a.csv"
    store.link(NAME, [target])
    assert target.read_text() == "1\n"
    assert not target.samefile(entry / "a.csv")
    assert [path.name for path in target.parent.iterdir()] == ["a.csv"]


def test_other_people_s_files_are_copied(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = seal(store, {"a.csv": "1\n"})
    monkeypatch.setattr(placing.os, "getuid", lambda: entry.stat().st_uid + 1)
    target = tmp_path / "results" / "a.csv"
    store.link(NAME, [target])
    assert target.read_text() == "1\n"
    assert not target.samefile(entry / "a.csv")


def former_target(store: Store, tmp_path: Path) -> Path:
    """A file of a former result, in the place of the entry's file ``a.csv``."""
    seal(store, {"a.csv": "1\n"})
    target = tmp_path / "results" / "a.csv"
    target.parent.mkdir()
    target.write_text("former")
    return target


def test_a_copy_that_fails_leaves_the_former_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = former_target(store, tmp_path)

    def no_links(*_: Any) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    def full(_source: Path, copy: Path) -> None:
        copy.write_text("hal")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        store.link(NAME, [target])
    assert target.read_text() == "former"
    assert list(target.parent.iterdir()) == [target]


def test_a_file_is_there_at_every_moment(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = former_target(store, tmp_path)
    known = Path.unlink

    def unlink(path: Path, **options: Any) -> None:
        assert path != target
        known(path, **options)

    monkeypatch.setattr(Path, "unlink", unlink)
    store.link(NAME, [target])
    store.link(NAME, [target])
    assert target.read_text() == "1\n"


def test_another_error_of_a_link_is_raised(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal(store, {"a.csv": "1\n"})

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="No space left"):
        store.link(NAME, [tmp_path / "results" / "a.csv"])
    assert not (tmp_path / "results" / "a.csv").exists()


def test_a_former_file_is_replaced_not_written_into(store: Store, tmp_path: Path) -> None:
    first = seal(store, {"a.csv": "1\n"}, identity="1" * 40)
    seal(store, {"a.csv": "2\n"}, identity="2" * 40)
    target = tmp_path / "results" / "a.csv"
    store.link("1" * 40, [target])
    store.link("2" * 40, [target])
    assert target.read_text() == "2\n"
    assert (first / "a.csv").read_text() == "1\n"


def test_a_manifest_owns_its_folder(store: Store, tmp_path: Path) -> None:
    entry = seal(store, {"a.csv": "1\n", "figures/b.svg": "<svg/>"})
    folder = tmp_path / "results" / "report"
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "former.svg").write_text("x")
    (folder / "former.csv").write_text("x")
    (folder.parent / "neighbour.csv").write_text("x")
    store.link(NAME, [folder / "manifest.json"])
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {"a.csv", "figures/b.svg", "manifest.json"}
    assert (folder / "figures/b.svg").samefile(entry / "figures/b.svg")
    assert (folder.parent / "neighbour.csv").exists()


def test_without_a_manifest_only_named_files_are_linked(store: Store, tmp_path: Path) -> None:
    seal(store, {"a.csv": "1\n", "b.csv": "2\n"})
    folder = tmp_path / "results" / "metrics"
    folder.mkdir(parents=True)
    (folder / "other.json").write_text("{}")
    store.link(NAME, [folder / "a.csv"])
    assert {path.name for path in folder.iterdir()} == {"a.csv", "other.json"}


def test_a_declared_file_that_was_not_written(store: Store, tmp_path: Path) -> None:
    seal(store, {"a.csv": "1\n"})
    folder = tmp_path / "results"
    with pytest.raises(ValueError, match=r"wrote no b\.csv"):
        store.link(NAME, [folder / "a.csv", folder / "b.csv"])
    assert not folder.exists()
