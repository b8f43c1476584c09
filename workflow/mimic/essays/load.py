"""Readers of the two layouts in which the Essays corpus travels."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from mimic.traits import TRAITS, Profile

CSV_ID, CSV_TEXT = "#AUTHID", "TEXT"
CSV_LABELS = dict(zip(TRAITS, ("cOPN", "cCON", "cEXT", "cAGR", "cNEU"), strict=True))
HUB_TEXT = "text"
HUB_LABELS = dict(zip(TRAITS, "OCEAN", strict=True))
LEVELS = {"y": True, "n": False, "1": True, "0": False, "high": True, "low": False}
ENCODINGS = ("utf-8", "windows-1252", "iso-8859-1")

# What ISO-8859-1 has as invisible control characters is meant as windows-1252's quotation marks
# and dashes wherever it occurs in practice; browsers read it the same way.
_C1 = {
    byte: bytes([byte]).decode("windows-1252", errors="ignore") or " " for byte in range(0x80, 0xA0)
}
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


class RawEssay(NamedTuple):
    """An essay as its source has it.

    Attributes
    ----------
    row
        In a CSV file the row as a spreadsheet counts it (the header is row 1); in a data set of
        the hub the row over all splits, from 1.
    author
        The author's id, or None where the layout has none.
    """

    row: int
    author: str | None
    text: str
    profile: Profile


class Corpus(NamedTuple):
    """All essays of a source, and the encoding of a file."""

    essays: list[RawEssay]
    encoding: str | None


def read_csv(path: Path, *, encoding: str = "auto") -> Corpus:
    """Read a CSV file in the layout of the Essays corpus.

    Parameters
    ----------
    path
        A file with the columns #AUTHID, TEXT, cEXT, cNEU, cAGR, cCON and cOPN, labels y/n, 1/0 or
        high/low in any case. Further columns are ignored.
    encoding
        ``auto`` takes the first of utf-8 (with or without a byte order mark), windows-1252 and
        iso-8859-1 that can decode the file.

    Raises
    ------
    ValueError
        If the file is missing or no text in such an encoding, a column is missing, a row has
        another number of fields than the header, or a label is none of the allowed values.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file; give the corpus's CSV file as essays.source.path")
    data = path.read_bytes()
    text, used = _decode(data, source=str(path), encoding=encoding)
    # An essay may be longer than the 131,072 characters that the csv module allows.
    csv.field_size_limit(max(len(text), csv.field_size_limit()))
    rows = list(csv.reader(io.StringIO(text, newline="")))
    header = [name.strip() for name in rows[0]] if rows else []
    _require_columns(header, [CSV_ID, CSV_TEXT, *CSV_LABELS.values()], source=str(path))
    essays = []
    for number, fields in enumerate(rows[1:], start=2):
        if not fields:
            continue
        if len(fields) != len(header):
            raise ValueError(
                f"{path}: row {number} has {len(fields)} fields, the header {len(header)}; put "
                "texts into quotation marks and double each quotation mark inside of them"
            )
        values = dict(zip(header, fields, strict=True))
        profile = _profile(values, CSV_LABELS, where=f"{path}: row {number}")
        author = values[CSV_ID].strip() or None
        essays.append(RawEssay(number, author, values[CSV_TEXT], profile))
    return Corpus(essays, used)


def read_hub(name: str, *, revision: str) -> Corpus:
    """Read a data set of the Hugging Face hub with the columns O, C, E, A, N and text.

    Its own splits are concatenated: roles are assigned anew. Code of the data set is never run.

    Parameters
    ----------
    name
        The data set, or a folder with a copy of its files.
    revision
        The commit of the data set; without effect for a folder.

    Raises
    ------
    ValueError
        If it can't be loaded, a column is missing, or a label is none of the allowed values.
    """
    import datasets  # it takes seconds, and other sources don't need it

    from mimic.essays.hub import data_set_folder

    where = f"data set {name} at revision {revision}"
    try:
        # From a folder: of a name the library takes the latest that it has, without network.
        folder = name if Path(name).is_dir() else data_set_folder(name, revision=revision)
        splits = datasets.load_dataset(str(folder))
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"{where}: could not be loaded ({error}); check essays.source.name and "
            "essays.source.revision, or name a folder below the project's with a copy"
        ) from error
    rows: list[dict[str, Any]] = []
    for split in splits.values():
        _require_columns(split.column_names, [HUB_TEXT, *HUB_LABELS.values()], source=where)
        rows.extend(split.select_columns([HUB_TEXT, *HUB_LABELS.values()]))
    essays = [
        RawEssay(
            number,
            None,
            values[HUB_TEXT] or "",
            _profile(values, HUB_LABELS, where=f"{where}: row {number}"),
        )
        for number, values in enumerate(rows, start=1)
    ]
    return Corpus(essays, None)


def _decode(data: bytes, *, source: str, encoding: str) -> tuple[str, str]:
    # windows-1252 and ISO-8859-1 decode nearly anything, so other contents are found first.
    if data.startswith(_WIDE) or b"\0" in data:
        raise ValueError(
            f"{source}: unknown encoding: UTF-16, UTF-32 or no text at all (it has a wide byte "
            f"order mark or NUL bytes); allowed are {', '.join(ENCODINGS)}; save it as UTF-8"
        )
    for name in ENCODINGS if encoding == "auto" else (encoding,):
        try:
            text = data.decode("utf-8-sig" if name == "utf-8" else name)
        except UnicodeDecodeError as error:
            problem = error
            continue
        return text.translate(_C1) if name == "iso-8859-1" else text, name
    raise ValueError(
        f"{source}: not encoded as {encoding}: byte {problem.object[problem.start]:#04x} at "
        f"offset {problem.start}; set essays.source.encoding to auto, {', '.join(ENCODINGS)}"
    )


def _require_columns(found: Iterable[str], needed: Iterable[str], *, source: str) -> None:
    found = list(found)
    missing = [name for name in needed if name not in found]
    if missing:
        raise ValueError(
            f"{source}: no column {', '.join(missing)} in the header; needed are "
            f"{', '.join(needed)}; found are {', '.join(found)[:200] or 'none'}"
        )


def _profile(values: dict[str, Any], columns: dict[str, str], *, where: str) -> Profile:
    levels = []
    for trait, column in columns.items():
        value = str(values[column]).strip()
        if value.lower() not in LEVELS:
            raise ValueError(
                f"{where}, column {column} ({trait}): {value!r} is no label; "
                f"allowed are y or n, 1 or 0, high or low"
            )
        levels.append(LEVELS[value.lower()])
    return Profile(tuple(levels))  # type: ignore[arg-type]
