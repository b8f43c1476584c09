"""The answer store through kills, errors, full disks, and with several processes at once."""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from kept_answers import OPTIONS, answer, files, fill, key, known, process_of, wait_for

from mimic.respondents import segments, store
from mimic.respondents.store import AnswerStore


def answering(folder: Path, given: Connection) -> None:
    """Gives 1000 answers, tells of each, and then works on the next without end."""
    with AnswerStore(folder, OPTIONS, every_s=0.3) as kept:
        for number in range(1000):
            kept.add(key(number), answer(number))
            given.send(number)
            time.sleep(0.002)
        time.sleep(600)


def until(is_so: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait until something is so; whether it came to be."""
    end = time.monotonic() + seconds
    while not is_so() and time.monotonic() < end:
        time.sleep(0.02)
    return is_so()


def test_a_killed_process_loses_only_the_last_answers(tmp_path: Path) -> None:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = process_of(answering, tmp_path, sender)
    given = [receiver.recv() for _ in range(600)]

    def written() -> int:
        return sum(pq.read_metadata(path).num_rows for path in files(tmp_path))

    # None is lost that was there for longer than a few intervals, and the pauses of a busy machine.
    on_the_disk = until(lambda: written() >= len(given), 20)
    process.kill()
    process.join()
    assert on_the_disk
    found = known(tmp_path)
    assert found == list(range(len(found)))
    assert len(found) >= len(given)
    # What the killed one was writing is no answer and in nobody's way.
    fill(tmp_path, range(1000))
    assert known(tmp_path) == list(range(1000))


def test_answers_are_written_while_the_next_one_takes_long(tmp_path: Path) -> None:
    with AnswerStore(tmp_path, OPTIONS, every_s=0.05) as kept:
        kept.add(key(1), answer(1))
        assert until(lambda: bool(files(tmp_path)))
        assert known(tmp_path) == [1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_error_in_between_loses_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def answer_and_fail() -> None:
        with AnswerStore(tmp_path, OPTIONS) as kept:
            kept.add(key(1), answer(1))
            raise error

    with pytest.raises(error):
        answer_and_fail()
    assert known(tmp_path) == [1]


def test_what_a_dead_writer_left_goes_after_a_day(tmp_path: Path) -> None:
    name = f".{'0' * 32}.parquet.host.123.tmp"
    for folder, age_s in (("old", 90_000), ("new", 60)):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / name
        path.write_bytes(b"PAR1")
        os.utime(path, (time.time() - age_s,) * 2)
        assert known(tmp_path / folder) == []
    assert not (tmp_path / "old" / name).exists()
    assert (tmp_path / "new" / name).exists()


def many_files(folder: Path, first: int, count: int) -> None:
    """Adds answers one by one, each written by itself."""
    with AnswerStore(folder, OPTIONS, every_s=60) as kept:
        for number in range(first, first + count):
            kept.add(key(number), answer(number))
            kept.flush()


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    # The ranges overlap: two may answer the same question.
    wait_for(*[process_of(many_files, tmp_path, first, 40) for first in (0, 30, 60, 90)])
    assert known(tmp_path) == list(range(130))
    assert not files(tmp_path, ".tmp")


def test_many_files_become_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(store, "MOST_SEGMENTS", 20)
    many_files(tmp_path, 0, 20)
    assert len(files(tmp_path)) == 20
    # When it is closed, and below when it is opened.
    many_files(tmp_path, 20, 1)
    assert len(files(tmp_path)) == 1
    assert known(tmp_path) == list(range(21))
    monkeypatch.setattr(store, "MOST_SEGMENTS", 1000)
    many_files(tmp_path, 21, 30)
    monkeypatch.setattr(store, "MOST_SEGMENTS", 20)
    assert known(tmp_path) == list(range(51))
    (merged,) = files(tmp_path)
    assert pq.read_table(merged, columns=["key"]).num_rows == 51
    # Killed when the merged file was written: the next one writes the same, and doesn't remove it.
    monkeypatch.setattr(store, "MOST_SEGMENTS", 1000)
    many_files(tmp_path / "small", 0, 51)
    for path in files(tmp_path / "small"):
        path.rename(tmp_path / path.name)
    assert len(files(tmp_path)) == 52
    monkeypatch.setattr(store, "MOST_SEGMENTS", 20)
    assert known(tmp_path) == list(range(51))
    assert files(tmp_path) == [merged]
    assert capsys.readouterr().out == ""


def test_a_file_with_all_rows_is_never_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The same rows in another order, as another version of the library might write them: two
    # processes that merge, each into the other's form, must not remove both.
    fill(tmp_path, range(5))
    fill(tmp_path / "other", reversed(range(5)))
    (other,) = files(tmp_path / "other")
    other.rename(tmp_path / other.name)
    fill(tmp_path / "small", range(2))
    (small,) = files(tmp_path / "small")
    small.rename(tmp_path / small.name)
    both = set(files(tmp_path)) - {tmp_path / small.name}
    monkeypatch.setattr(store, "MOST_SEGMENTS", 2)
    assert known(tmp_path) == list(range(5))
    assert set(files(tmp_path)) == both


def merging(folder: Path, first: int) -> None:
    store.MOST_SEGMENTS = 5
    for number in range(first, first + 30):
        many_files(folder, number, 1)


def reading(folder: Path) -> None:
    for _ in range(40):
        assert set(range(200)) <= set(known(folder))


def test_who_reads_while_others_merge_misses_nothing(tmp_path: Path) -> None:
    many_files(tmp_path, 0, 190)
    fill(tmp_path, range(200))
    wait_for(
        process_of(merging, tmp_path, 200),
        process_of(merging, tmp_path, 230),
        process_of(reading, tmp_path),
    )
    assert known(tmp_path) == list(range(260))


def test_a_file_that_vanishes_was_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many_files(tmp_path, 0, 10)
    read = segments.read_segment
    merged: list[str] = []

    def meanwhile(path: Path, answers: Any) -> Any:
        if not merged:
            merged.append(path.name)
            with monkeypatch.context() as patch:
                patch.setattr(store, "MOST_SEGMENTS", 5)
                fill(tmp_path, range(11))
        yield from read(path, answers)

    monkeypatch.setattr(store, "read_segment", meanwhile)
    assert known(tmp_path) == list(range(11))
    assert merged


def without_large_files(folder: Path, said: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        fill(folder, range(5000))
    except ValueError as error:
        said.send(str(error))


def test_a_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    fill(tmp_path, range(100))
    before = files(tmp_path)
    receiver, sender = multiprocessing.Pipe(duplex=False)
    wait_for(process_of(without_large_files, tmp_path, sender))
    assert receiver.poll()
    words = f"{tmp_path}: 4900 answers can't be written (File too large); make room and start again"
    assert receiver.recv().startswith(words)
    assert list(tmp_path.iterdir()) == before
    assert known(tmp_path) == list(range(100))


def test_a_disk_that_is_full_in_between_stops_the_next_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, tried = store.write_segment, []

    def full(*_arguments: object, **_options: object) -> str:
        tried.append(1)
        raise OSError(28, "No space left on device")

    kept = AnswerStore(tmp_path, OPTIONS, every_s=0.02)
    monkeypatch.setattr(store, "write_segment", full)
    kept.add(key(1), answer(1))
    assert until(lambda: len(tried) >= 2)
    with pytest.raises(ValueError, match=r"1 answers can't be written \(No space left on device\)"):
        kept.add(key(2), answer(2))
    # Somebody made room.
    monkeypatch.setattr(store, "write_segment", write)
    kept.add(key(2), answer(2))
    kept.close()
    assert known(tmp_path) == [1, 2]
