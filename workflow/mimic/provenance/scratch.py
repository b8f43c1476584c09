"""A folder of a job's own on its node's disk, for temporary files, where the site's file names one.

A file that is read and written often is better there than on a file system that nodes share.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What the site's file calls `scratch`; variables in it are those of the job's own environment.
VARIABLE = "MIMIC_SCRATCH"


@contextmanager
def scratch_folder() -> Iterator[dict[str, str]]:
    """Make the folder and remove it in the end; gives what a process has to know of it.

    Nothing where the site names none, or where that isn't on this machine or isn't for us.
    """
    named = os.path.expandvars(os.environ.get(VARIABLE, ""))
    place = Path(named)
    if not named or not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        yield {}
        return
    # What a step that was killed left may resist; the node's own clearing finds it.
    with tempfile.TemporaryDirectory(
        prefix="mimic-", dir=place, ignore_cleanup_errors=True
    ) as folder:
        yield {"TMPDIR": folder}
