"""The result store: entries, and what becomes of them."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from made_up_entry import NAME, SPEC, seal

from mimic.files import read_json, sha256_file
from mimic.provenance import store as store_module
from mimic.provenance.lock import Lock, LostLock
from mimic.provenance.records import part_digest
from mimic.provenance.refusal import misfits
from mimic.provenance.store import Store, identity_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


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
    assert not list(store.work(NAME).glob("out-*"))


def test_what_is_unfinished_stays_until_the_work_is_done(store: Store) -> None:
    with store.fresh_out(NAME) as out:
        store.unfinished(NAME).mkdir()
        (store.unfinished(NAME) / "step-10").write_text("half")
        (out / "a.csv").write_text("1")
    assert not out.exists()
    assert (store.unfinished(NAME) / "step-10").read_text() == "half"
    # An attempt that was killed leaves its folder; the next one clears it away.
    (store.work(NAME) / "out-killed").mkdir()
    seal(store, {"a.csv": "1\n"})
    assert not store.work(NAME).exists()


def test_the_faster_of_two_equal_jobs_wins(store: Store) -> None:
    entry = seal(store, {"a.csv": "1\n"})
    before = (entry / "a.csv").stat().st_ino
    seal(store, {"a.csv": "1\n"})
    assert (entry / "a.csv").stat().st_ino == before
    assert not store.work(NAME).exists()


def test_an_entry_that_this_host_remembers_to_be_missing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not store.has_folder(NAME)
    entry = seal(store, {"a.csv": "1\n"})
    known = Path.stat

    def remembered(path: Path, **options: Any) -> os.stat_result:
        if path == entry:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return known(path, **options)

    monkeypatch.setattr(Path, "stat", remembered)
    assert store.has_folder(NAME)


def take_over(store: Store) -> None:
    """Write the lock of another process in place of one's own."""
    store.lock_file(NAME).write_text(json.dumps({"host": "elsewhere", "token": "another"}))


def test_a_lock_that_is_lost_while_it_is_sealed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_sync", lambda _path: take_over(store))
    with pytest.raises(LostLock, match="nothing of it is kept"):
        seal(store, {"a.csv": "1\n"})
    assert not store.has_folder(NAME)
    assert store.work(NAME).exists()


def test_a_lock_that_is_lost_when_the_entry_is_there_leaves_the_other_ones_work(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Lock.check

    def check(lock: Lock) -> None:
        known(lock)
        take_over(store)

    monkeypatch.setattr(Lock, "check", check)
    seal(store, {"a.csv": "1\n"})
    assert store.has(NAME)
    assert store.work(NAME).exists()


def edit(path: Path, text: str) -> None:
    path.chmod(0o644)
    path.write_text(text)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.csv", "a.csv has other bytes than its manifest says"),
        ("figures/b.svg", "figures/b.svg has other bytes"),
        ("more.csv", "more.csv is none of its files"),
        ("manifest.json", "has other bytes than its manifest says"),
        ("record.json", "not valid JSON"),
        ("manifest.json, removed", "manifest.json is missing"),
    ],
)
def test_an_entry_that_was_changed_misfits(store: Store, name: str, words: str) -> None:
    entry = seal(store, {"a.csv": "1\n", "figures/b.svg": "<svg/>"})
    assert misfits(store, NAME) == []
    if name == "manifest.json":
        changed = read_json(entry / name)
        changed["a.csv"]["sha256"] = "0" * 64
        edit(entry / name, json.dumps(changed))
    elif name == "manifest.json, removed":
        (entry / "manifest.json").unlink()
    elif name == "more.csv":
        (entry / name).write_text("x")
    else:
        edit(entry / name, "2\n}")
    assert words in "; ".join(misfits(store, NAME))


def test_a_file_and_its_manifest_changed_together_do_not_fit_the_record(store: Store) -> None:
    entry = seal(store, {"a.csv": "1\n"})
    edit(entry / "a.csv", "2\n")
    changed = {"a.csv": {"sha256": sha256_file(entry / "a.csv"), "bytes": 2}}
    edit(entry / "manifest.json", json.dumps(changed))
    assert misfits(store, NAME) == ["manifest.json and record.json don't fit each other"]


@pytest.mark.parametrize("what", ["manifest", "record"])
def test_a_manifest_and_a_record_that_do_not_fit_each_other(store: Store, what: str) -> None:
    entry = seal(store, {"a.csv": "1\n"})
    if what == "manifest":
        # The same contents in other bytes.
        edit(entry / "manifest.json", json.dumps(read_json(entry / "manifest.json")))
    else:
        changed = read_json(entry / "record.json")
        changed["identity"]["outputs"]["b.csv"] = "0" * 64
        changed["sha256"]["identity"] = part_digest(changed["identity"])
        edit(entry / "record.json", json.dumps(changed))
    assert misfits(store, NAME) == ["manifest.json and record.json don't fit each other"]


def test_an_edited_record_misfits(store: Store) -> None:
    entry = seal(store, {"a.csv": "1\n"})
    changed = read_json(entry / "record.json")
    changed["circumstances"]["host"] = "elsewhere"
    edit(entry / "record.json", json.dumps(changed))
    assert misfits(store, NAME) == ["the circumstances part of record.json was edited"]


def test_a_missing_file_misfits_and_what_misfits_is_set_aside(store: Store) -> None:
    entry = seal(store, {"a.csv": "1\n", "b.csv": "2\n"})
    (entry / "a.csv").unlink()
    assert misfits(store, NAME) == ["a.csv is missing"]
    place = store.set_aside(NAME)
    assert not store.has(NAME)
    assert place.parent == store.root / "refused"
    assert (place / "b.csv").read_text() == "2\n"
    assert list(store.entries()) == []
    seal(store, {"a.csv": "1\n", "b.csv": "2\n"})
    assert list(store.entries()) == [NAME]


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.EACCES, errno.EMFILE])
@pytest.mark.parametrize("fails", ["digest", "list"])
def test_what_cannot_be_read_now_is_no_misfit(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int, fails: str
) -> None:
    seal(store, {"a.csv": "1\n"})

    def fail(*_: Any) -> Any:
        raise OSError(number, os.strerror(number))

    if fails == "list":
        monkeypatch.setattr(os, "scandir", fail)
    with pytest.raises(OSError, match=os.strerror(number)):
        misfits(store, NAME, digest=fail if fails == "digest" else sha256_file)


def test_what_several_people_share_is_writable_for_the_group(store: Store) -> None:
    store.root.mkdir()
    store.root.chmod(0o2775)
    former = os.umask(0o022)
    try:
        entry = seal(store, {"figures/b.svg": "<svg/>"})
        with store.lock(NAME):
            pass
    finally:
        os.umask(former)
    for folder in (entry, entry / "figures", store.root / "work"):
        assert folder.stat().st_mode & 0o2770 == 0o2770, folder
