"""The table that a pack ends with: what became of each of its trainings.

The job of each run reads its row, and takes over the log that it names. Tables and logs lie in a
folder that is removed at the end of each invocation of snakemake, and not earlier, since Snakemake
looks for the input of a job again when it starts it. What a pack has to do, the store alone says.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Literal

# Below the folder of the stage.
FOLDER = ".packs"

State = Literal["stored", "hit", "failed"]


@dataclass(frozen=True)
class Row:
    """What became of one training.

    Attributes
    ----------
    run, identity
        Of the training.
    state
        ``stored`` if the pack has made it, ``hit`` if the store had it before, or ``failed``.
    seconds
        How long it took.
    log
        Where its output lies.
    said
        The last that its runner told.
    """

    run: str
    identity: str
    state: State
    seconds: int
    log: str
    said: str = ""


COLUMNS = [field.name for field in fields(Row)]


def write_table(path: Path, rows: Iterable[Row]) -> None:
    """Write a table, by one rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(astuple(row) for row in rows)
    temporary.rename(path)


def read_row(path: Path, run: str | None) -> Row | None:
    """The row of a run; None if the table has none or is gone."""
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            found = [row for row in csv.DictReader(handle, delimiter="\t") if row["run"] == run]
    except FileNotFoundError:
        return None
    if not found:
        return None
    values: dict[str, Any] = {**found[0], "seconds": int(found[0]["seconds"])}
    return Row(**values)


def read_log(path: Path, run: str | None) -> str:
    """The log of a run's training in the pack with this table; empty if there was none."""
    row = read_row(path, run)
    if row is None or not Path(row.log).is_file():
        return ""
    return Path(row.log).read_text(encoding="utf-8", errors="replace")
