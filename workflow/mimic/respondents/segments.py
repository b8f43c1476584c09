"""The files of an answer store: each is written once, named by its contents, and never changed.

A segment holds rows of a key and its answer, as parquet. It appears under its name by one rename
when its bytes are on the disk, so that any number of processes may write beside each other, also
over NFS, without a lock.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import socket
import stat
import time
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mimic.files import make_shared_folder
from mimic.progress import say

KEY_BYTES = 16
# Rows that are turned into Python objects at once.
BATCH_ROWS = 4096
ABANDONED_S = 86_400.0
_NAME = re.compile(r"([0-9a-f]{32})\.parquet")

ValueT = TypeVar("ValueT")


class Answers(Protocol[ValueT]):
    """Answers of one kind in memory, by row."""

    names: tuple[str, ...]

    def get(self, row: int) -> ValueT:
        """The answer in `row`."""
        ...

    def same(self, row: int, value: ValueT) -> bool:
        """Whether the answer in `row` is `value`."""
        ...

    def put(self, row: int, value: ValueT) -> None:
        """Put an answer into `row`, which becomes the last one.

        Raises
        ------
        ValueError
            If the value is none of this kind.
        """
        ...

    def columns(self, rows: Sequence[int]) -> list[pa.Array]:
        """The columns of a file with `rows`."""
        ...

    def values(self, batch: pa.RecordBatch) -> Sequence[ValueT]:
        """The answers in a part of a file."""
        ...


class Numbers:
    """Answers of several numbers, such as the probability of each option (float64).

    Parameters
    ----------
    names
        Names of the numbers: the columns of the files.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._flat = array("d")

    def get(self, row: int) -> tuple[float, ...]:
        """See `Answers.get`."""
        width = len(self.names)
        return tuple(self._flat[row * width : (row + 1) * width])

    def same(self, row: int, value: Sequence[float]) -> bool:
        """See `Answers.same`."""
        return self.get(row) == tuple(value)

    def put(self, row: int, value: Sequence[float]) -> None:
        """See `Answers.put`."""
        if len(value) != len(self.names):
            raise ValueError(f"{len(value)} numbers for the columns {', '.join(self.names)}")
        self._flat[row * len(self.names) :] = array("d", value)

    def columns(self, rows: Sequence[int]) -> list[pa.Array]:
        """See `Answers.columns`."""
        # A copy: the array can't grow while anything looks into it.
        table = np.array(self._flat).reshape(-1, len(self.names))[np.asarray(rows)]
        return [pa.array(column) for column in table.T]

    def values(self, batch: pa.RecordBatch) -> list[tuple[float, ...]]:
        """See `Answers.values`."""
        columns = [batch.column(name).to_pylist() for name in self.names]
        return list(zip(*columns, strict=True))


class Texts:
    """Answers in words."""

    names: tuple[str, ...] = ("text",)

    def __init__(self) -> None:
        self._encoded: list[bytes] = []

    def get(self, row: int) -> str:
        """See `Answers.get`."""
        return self._encoded[row].decode()

    def same(self, row: int, value: str) -> bool:
        """See `Answers.same`."""
        return self.get(row) == value

    def put(self, row: int, value: str) -> None:
        """See `Answers.put`."""
        # Encoded here, so that what no file can hold is refused where it comes from.
        self._encoded[row:] = [value.encode()]

    def columns(self, rows: Sequence[int]) -> list[pa.Array]:
        """See `Answers.columns`."""
        return [pa.array([self._encoded[row] for row in rows], type=pa.string())]

    def values(self, batch: pa.RecordBatch) -> list[str]:
        """See `Answers.values`."""
        (name,) = self.names
        return batch.column(name).to_pylist()


def open_folder(folder: Path) -> None:
    """Make the folder if need be, clear it of what dead writers left, and try to write into it.

    Raises
    ------
    OSError
        If it can't be written: better now than after the first answers.
    """
    make_shared_folder(folder)
    for path in folder.glob(".*.tmp"):
        # Another process does the same, or it is another person's.
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED_S:
                path.unlink()
    probe = folder / f".{socket.gethostname()}.{os.getpid()}.tmp"
    probe.touch()
    probe.unlink(missing_ok=True)


def names_of(folder: Path) -> set[str]:
    """The names of the segments in a folder."""
    return {name for name in os.listdir(folder) if _NAME.fullmatch(name)}


def write_segment(
    folder: Path, *, keys: Sequence[bytes], answers: Answers[ValueT], rows: Sequence[int]
) -> str:
    """Write a segment of `rows` of `answers` and return its name.

    Raises
    ------
    OSError
        If the disk is full or the folder can't be written; there is then no segment.
    """
    key = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(KEY_BYTES), len(keys), [None, pa.py_buffer(b"".join(keys))]
    )
    table = pa.table([key, *answers.columns(rows)], names=["key", *answers.names])
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
    )
    content = memoryview(sink.getvalue())
    name = f"{_digest(content)}.parquet"
    temporary = folder / f".{name}.{socket.gethostname()}.{os.getpid()}.tmp"
    try:
        with temporary.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        temporary.rename(folder / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(folder)
    return name


def read_segment(path: Path, answers: Answers[ValueT]) -> Iterator[tuple[bytes, ValueT]]:
    """Keys and answers of a segment, in its order.

    A file whose bytes don't fit its name is set aside as ``*.damaged``, which is said; it has no
    answers. Neither has one that another process has merged or set aside meanwhile.

    Raises
    ------
    ValueError
        If it holds answers of another kind.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        # ESTALE: over NFS, removed by another host.
        if error.errno in (errno.ENOENT, errno.ESTALE):
            return
        raise
    if f"{_digest(content)}.parquet" != path.name:
        aside = path.with_name(f"{path.name}.damaged")
        with contextlib.suppress(FileNotFoundError):
            path.rename(aside)
        say(
            f"{path}: cut short or damaged, its {len(content)} bytes don't fit its name; it is set "
            f"aside as {aside.name} and its answers are asked again"
        )
        return
    file = pq.ParquetFile(pa.BufferReader(content))
    names = tuple(file.schema_arrow.names)
    if names != ("key", *answers.names):
        raise ValueError(
            f"{path}: has the columns {', '.join(names)}, not key, {', '.join(answers.names)}; "
            "a respondent's answers must be of one kind"
        )
    for batch in file.iter_batches(batch_size=BATCH_ROWS):
        yield from zip(batch.column("key").to_pylist(), answers.values(batch), strict=True)


def _digest(content: bytes | memoryview) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _sync_folder(folder: Path) -> None:
    """Let a rename outlive a power cut, where the file system can."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
