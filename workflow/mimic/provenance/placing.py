"""Files that appear whole: each gets its name by one rename."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mimic.files import write_json


def write_json_whole(path: Path, value: Any) -> None:
    """Write JSON as `mimic.files.write_json` does; whoever reads sees the former file or this one.

    Raises
    ------
    OSError
        If it can't be written, as on a full disk; the former file stays.
    ValueError
        If a number is not finite.
    """
    with _then_renamed(path) as temporary:
        write_json(temporary, value)


@contextmanager
def _then_renamed(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes `path` at the end; by an error nothing is left of it."""
    # Not by the number of the process: another host that shares the folder may have the same.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
