"""The answer store: what a respondent has answered, kept from job to job.

A folder for each respondent, by its identity, holds segments (`mimic.respondents.segments`). A
question is found by the digest of its prompt and its options. Answers are on the disk at most
`EVERY_S` seconds after they were given, so a killed job asks again only the last of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self

import numpy as np

from mimic.files import canonical_json
from mimic.progress import say
from mimic.respondents.segments import (
    KEY_BYTES,
    Answers,
    Numbers,
    Texts,
    ValueT,
    names_of,
    open_folder,
    read_segment,
    write_segment,
)
from mimic.respondents.tree import Question

EVERY_S = 30.0
# More segments than this are merged into one when a store is opened or closed.
MOST_SEGMENTS = 200
# The folders that this process has opened, by their names: the job's record says whose answers its
# outputs rest on, so that they stay as long as the outputs are needed.
OPENED: set[str] = set()


def respondent_identity(
    *,
    model: str,
    adapter: str | None,
    engine: Mapping[str, Any],
    compute: Mapping[str, Any],
) -> str:
    """The digest of all that a respondent's answers depend on, but the prompt.

    Parameters
    ----------
    model, adapter
        sha256 of the manifest of the model's folder and of the adapter's.
    engine
        Name of the engine, and the digest of its code and of the libraries that it computes with.
    compute
        Precision, attention, device, threads.

    Returns
    -------
    str
        64 hexadecimal digits: the name of the respondent's folder.
    """
    described = {
        "model": model,
        "adapter": adapter,
        "engine": dict(engine),
        "compute": dict(compute),
    }
    return hashlib.sha256(canonical_json(described).encode()).hexdigest()


def question_key(question: Question) -> bytes:
    """The key of a question that is answered by likelihood.

    It covers the token ids of the prompt, where the prompt is cut into segments (the cuts decide
    what is computed together), and the options with their variants, in order.
    """
    numbers: list[int] = []
    for tokens in (question.form, question.about, question.ending):
        numbers += (len(tokens), *tokens)
    numbers.append(len(question.options))
    for variants in question.options:
        numbers.append(len(variants))
        for tokens in variants:
            numbers += (len(tokens), *tokens)
    return _key(np.array(numbers, dtype="<i4").tobytes())


def text_key(prompt: str, options: Mapping[str, Any]) -> bytes:
    """The key of a prompt that is answered in words.

    Parameters
    ----------
    prompt
        As the respondent gets it.
    options
        The settings of generation: longest answer, size of the batch, number of the sample, and
        where answers are sampled temperature, top-p and seed.
    """
    return _key(canonical_json([prompt, dict(options)]).encode())


def _key(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:KEY_BYTES]


class BaseStore(Generic[ValueT]):
    """Answers of any kind of one respondent; a context manager, which closes it.

    Several processes may have the same folder open. Each knows what was there when it opened the
    folder and what it added itself.

    Parameters
    ----------
    folder
        The respondent's folder; it is made if it isn't there.
    answers
        Where answers of its kind are held in memory; empty.
    every_s
        Seconds within which an added answer is written.

    Raises
    ------
    ValueError
        If the folder can't be written, or holds answers of another kind.
    """

    def __init__(self, folder: Path, answers: Answers[ValueT], *, every_s: float = EVERY_S) -> None:
        self.folder = folder
        self._answers = answers
        self._every_s = every_s
        # Row of each key, in the order of the rows; the first `_written` of them are on the disk.
        self._rows: dict[bytes, int] = {}
        self._written = 0
        # Segments on the disk, and the number of rows of each.
        self._segments: dict[str, int] = {}
        self._lock = threading.Lock()
        self._failed = False
        self._closing = threading.Event()
        try:
            open_folder(folder)
            self._load()
            OPENED.add(folder.name)
        except OSError as error:
            raise ValueError(
                f"{folder}: the answer store can't be used ({error.strerror}: {error.filename}); "
                "make it readable and writable, or let MIMIC_STORE name another store"
            ) from None
        self._merge()
        self._writer = threading.Thread(target=self._write_now_and_then, daemon=True)
        self._writer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # After an error as well, and after Ctrl-C: what was answered is answered.
        self.close()

    def get(self, key: bytes) -> ValueT:
        """The answer to a question. Raises KeyError if there is none."""
        return self._answers.get(self._rows[key])

    def missing(self, keys: Iterable[bytes]) -> list[bytes]:
        """The keys without an answer, each once, in order."""
        return [key for key in dict.fromkeys(keys) if key not in self._rows]

    def add(self, key: bytes, value: ValueT) -> None:
        """Add an answer.

        A question that has an answer keeps it; if the two differ, that is said.

        Raises
        ------
        ValueError
            If the value is of another kind than the store's, or answers can't be written (a full
            disk): those that were written before stay.
        """
        if self._failed:
            self.flush()
        with self._lock:
            differs = self._put(key, value)
        if differs:
            self._say_differing(1)

    def flush(self) -> None:
        """Write all answers that aren't written yet, as one segment.

        Raises
        ------
        ValueError
            If they can't be written.
        """
        with self._lock:
            rows = range(self._written, len(self._rows))
            if rows:
                keys = list(islice(self._rows, rows.start, None))
                self._segments[self._write(keys, rows)] = len(rows)
                self._written = rows.stop
            self._failed = False

    def close(self) -> None:
        """Write what isn't written. Raises ValueError if that can't be done."""
        self._closing.set()
        self._writer.join()
        self.flush()
        self._merge()

    def _put(self, key: bytes, value: ValueT) -> bool:
        """Add an answer in memory; whether the question has another one."""
        known = self._rows.get(key)
        if known is not None:
            return not self._answers.same(known, value)
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key of {len(key)} bytes; they have {KEY_BYTES}")
        row = len(self._rows)
        self._answers.put(row, value)
        # Last: with its key a row counts.
        self._rows[key] = row
        return False

    def _load(self) -> None:
        """Read the segments, those of names that sort first before others."""
        seen: set[str] = set()
        differing = 0
        # Until nothing is new: what vanishes under our eyes was merged into another segment.
        while new := sorted(names_of(self.folder) - seen):
            seen.update(new)
            for name in new:
                count = 0
                for key, value in read_segment(self.folder / name, self._answers):
                    differing += self._put(key, value)
                    count += 1
                if count:
                    self._segments[name] = count
        self._written = len(self._rows)
        if differing:
            self._say_differing(differing)

    def _merge(self) -> None:
        """Replace many segments by one.

        A segment is removed only when one of more rows, its own among them, is on the disk. So
        processes that merge side by side can't remove the last copy of an answer.
        """
        if len(self._segments) <= MOST_SEGMENTS:
            return
        keys = sorted(self._rows)
        merged = self._write(keys, [self._rows[key] for key in keys])
        self._segments[merged] = len(keys)
        for name in [name for name, count in self._segments.items() if count < len(keys)]:
            # Another process removed it, or it is another person's and may not be.
            with contextlib.suppress(OSError):
                os.unlink(self.folder / name)
            del self._segments[name]

    def _write(self, keys: list[bytes], rows: range | list[int]) -> str:
        try:
            return write_segment(self.folder, keys=keys, answers=self._answers, rows=rows)
        except OSError as error:
            raise ValueError(
                f"{self.folder}: {len(keys)} answers can't be written ({error.strerror}); make "
                "room and start again, what was written before is kept"
            ) from error

    def _write_now_and_then(self) -> None:
        while not self._closing.wait(self._every_s):
            try:
                self.flush()
            except Exception:
                # The next answer is not taken before this one's error was raised or is mended.
                self._failed = True
            # That somebody has the folder open, for those who would remove what nobody uses.
            with contextlib.suppress(OSError):
                os.utime(self.folder)

    def _say_differing(self, count: int) -> None:
        say(
            f"{self.folder}: questions answered twice, and differently: {count}; the first answer "
            "is kept. Something that answers depend on is missing in the respondent's identity"
        )


class AnswerStore(BaseStore[Sequence[float]]):
    """Answers by likelihood: several numbers for each question (float64).

    Parameters
    ----------
    folder, every_s
        See `BaseStore`.
    columns
        Names of the numbers, such as one for each option.
    """

    def __init__(self, folder: Path, columns: Sequence[str], *, every_s: float = EVERY_S) -> None:
        super().__init__(folder, Numbers(columns), every_s=every_s)


class TextStore(BaseStore[str]):
    """Answers in words: one text for each prompt.

    Parameters
    ----------
    folder, every_s
        See `BaseStore`.
    """

    def __init__(self, folder: Path, *, every_s: float = EVERY_S) -> None:
        super().__init__(folder, Texts(), every_s=every_s)
