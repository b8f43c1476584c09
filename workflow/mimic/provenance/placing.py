"""Files that appear whole: each gets its name by one rename."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mimic.files import write_json

# Why a file can't have a further link there.
_NO_LINKS = (
    *(errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK),
    *(errno.EOPNOTSUPP, errno.ENOSYS),
)


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


def place(source: Path, target: Path) -> None:
    """Hard-link a file into place, or copy it where that can't be.

    Other people's files, and what lies on another file system, are copied. Whoever reads sees the
    former file or this one.

    Raises
    ------
    OSError
        If it can't be copied, as on a full disk; the former file stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _then_renamed(target) as temporary:
        try:
            if source.stat().st_uid != os.getuid():
                raise PermissionError(errno.EPERM, "not one's own")
            os.link(source, temporary)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            shutil.copyfile(source, temporary)


@contextmanager
def _then_renamed(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes `path` at the end; by an error nothing is left of it."""
    # Not by the number of the process: another host that shares the folder may have the same.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        # Also where both are links to one file, of which a rename leaves both.
        temporary.unlink(missing_ok=True)
