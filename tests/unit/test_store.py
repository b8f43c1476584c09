"""The result store: entries, links, locks."""

import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mimic.files import read_json, sha256_file
from mimic.provenance import store as store_module
from mimic.provenance.store import Store, identity_of

SPEC = {"step": "forms.build", "settings": {"seed": 1}}
NAME = "0" * 40


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def seal(store: Store, files: dict[str, str], identity: str = NAME) -> Path:
    for name, text in files.items():
        path = store.work(identity) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    store.seal(identity, record={"identity": {"spec": SPEC, "inputs": {}}, "circumstances": {}})
    return store.entry(identity)


def test_an_identity_is_contents_not_paths() -> None:
    first = identity_of(spec=SPEC, inputs={"a": ["x", "y"], "b": ["z"]})
    assert first == identity_of(
        spec={"settings": {"seed": 1}, "step": "forms.build"}, inputs={"b": ["z"], "a": ["x", "y"]}
    )
    others = [
        identity_of(spec=SPEC, inputs={"a": ["y", "x"], "b": ["z"]}),
        identity_of(spec=SPEC, inputs={"a": ["x"], "b": ["y", "z"]}),
        identity_of(spec=SPEC, inputs={"a": ["x", "y"], "c": ["z"]}),
        identity_of(spec={**SPEC, "settings": {"seed": 2}}, inputs={"a": ["x", "y"], "b": ["z"]}),
    ]
    assert len({first, *others}) == 5
    assert first.isalnum()
    assert len(first) == 40


def test_a_sealed_entry(store: Store) -> None:
    entry = seal(store, {"a.csv": "1\n", "figures/b.svg": "<svg/>"})
    assert store.has(NAME)
    assert not store.work(NAME).exists()
    assert read_json(entry / "manifest.json") == {
        "a.csv": {"bytes": 2, "sha256": sha256_file(entry / "a.csv")},
        "figures/b.svg": {"bytes": 6, "sha256": sha256_file(entry / "figures/b.svg")},
    }
    record = read_json(entry / "record.json")
    assert record["identity"]["outputs"]["a.csv"] == sha256_file(entry / "a.csv")
    assert record["identity"]["spec"] == SPEC
    modes = {path.name: path.stat().st_mode & 0o777 for path in entry.rglob("*") if path.is_file()}
    assert modes == dict.fromkeys(("a.csv", "b.svg", "manifest.json", "record.json"), 0o444)


def test_the_answers_are_no_entry(store: Store, tmp_path: Path) -> None:
    kept = store.answers / ("f" * 64) / "kept.parquet"
    kept.parent.mkdir(parents=True)
    kept.write_text("answers")
    seal(store, {"a.csv": "1\n"})
    store.link(NAME, [tmp_path / "results" / "manifest.json"])
    assert not store.has("answers")
    assert kept.read_text() == "answers"
    assert kept.stat().st_mode & 0o200


def test_half_written_work_is_no_entry(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.work(NAME).mkdir(parents=True)
    (store.work(NAME) / "manifest.json").write_text("{}")
    assert not store.has(NAME)

    def full(_path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module, "_sync", full)
    with pytest.raises(OSError, match="No space left"):
        seal(store, {"a.csv": "1\n"})
    assert not store.has(NAME)
    assert not store.entry(NAME).exists()


def test_the_faster_of_two_equal_jobs_wins(store: Store) -> None:
    entry = seal(store, {"a.csv": "1\n"})
    before = (entry / "a.csv").stat().st_ino
    seal(store, {"a.csv": "1\n"})
    assert (entry / "a.csv").stat().st_ino == before
    assert not store.work(NAME).exists()


def test_links_are_hard(store: Store, tmp_path: Path) -> None:
    entry = seal(store, {"a.csv": "1\n"})
    target = tmp_path / "results" / "essays" / "a.csv"
    store.link(NAME, [target])
    store.link(NAME, [target])
    assert target.samefile(entry / "a.csv")
    assert [path.name for path in target.parent.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK])
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


def test_a_second_job_waits(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    order: list[str] = []

    def second() -> None:
        with store.lock(NAME):
            order.append("second")

    with store.lock(NAME):
        other = threading.Thread(target=second)
        other.start()
        time.sleep(0.8)
        order.append("first")
    other.join(timeout=5)
    assert order == ["first", "second"]
    assert "waiting: another job" in capsys.readouterr().out


def test_other_identities_do_not_wait(store: Store) -> None:
    with store.lock("1" * 40), store.lock("2" * 40):
        assert len(list((store.root / "work").glob("*.lock"))) == 2
    assert not list((store.root / "work").glob("*.lock"))


def lock_of(store: Store, owner: Any) -> Path:
    path = store.root / "work" / f"{NAME}.lock"
    path.parent.mkdir(parents=True)
    path.write_text(owner if isinstance(owner, str) else json.dumps(owner))
    return path


def test_the_lock_of_a_dead_process_is_taken_over(store: Store) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path = lock_of(store, {"host": socket.gethostname(), "pid": dead.pid})
    with store.lock(NAME):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert not path.exists()


def test_two_waiting_jobs_do_not_both_take_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    lock_of(store, {"host": socket.gethostname(), "pid": dead.pid})
    known = store_module._abandoned

    def slowly(path: Path) -> bool:
        found = known(path)
        time.sleep(0.2)
        return found

    monkeypatch.setattr(store_module, "_abandoned", slowly)
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        with store.lock(NAME):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.6)
            inside.pop()

    jobs = [threading.Thread(target=work) for _ in range(2)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(timeout=10)
    assert most == [1, 1]


@pytest.mark.parametrize(
    ("owner", "age_s", "abandoned"),
    [
        ({"host": socket.gethostname(), "pid": os.getpid()}, 9999, False),
        ({"host": "elsewhere", "pid": 1}, 9999, False),
        ("", 0, False),
        ("", 9999, True),
    ],
)
def test_which_locks_are_abandoned(store: Store, owner: Any, age_s: float, abandoned: bool) -> None:
    path = lock_of(store, owner)
    os.utime(path, (time.time() - age_s,) * 2)
    assert store_module._abandoned(path) is abandoned


def test_a_lock_is_released_by_an_error(store: Store) -> None:
    with pytest.raises(RuntimeError, match="within"), store.lock(NAME):
        raise RuntimeError("within")
    with store.lock(NAME):
        pass
