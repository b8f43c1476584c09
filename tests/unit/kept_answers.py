"""Answers by number in an answer store, for its tests; processes that work beside each other."""

import multiprocessing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mimic.respondents.store import AnswerStore

OPTIONS = ("p1", "p2", "p3", "p4", "p5")


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def answer(number: int) -> list[float]:
    return [number + option / 7 for option in range(5)]


def files(folder: Path, suffix: str = ".parquet") -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix == suffix)


def fill(folder: Path, numbers: Iterable[int]) -> None:
    with AnswerStore(folder, OPTIONS) as kept:
        for number in numbers:
            kept.add(key(number), answer(number))


def known(folder: Path, most: int = 10_000) -> list[int]:
    """The numbers of the answers in a folder, each found to be as it was given."""
    with AnswerStore(folder, OPTIONS) as kept:
        missing = set(kept.missing(key(number) for number in range(most)))
        found = [number for number in range(most) if key(number) not in missing]
        assert len(found) == len(kept._rows)
        assert all(list(kept.get(key(number))) == answer(number) for number in found)
    return found


def process_of(target: Callable[..., None], *arguments: Any) -> Any:
    process = multiprocessing.get_context("fork").Process(target=target, args=arguments)
    process.start()
    return process


def wait_for(*processes: Any) -> None:
    for process in processes:
        process.join(timeout=600)
    assert [process.exitcode for process in processes] == [0] * len(processes)
