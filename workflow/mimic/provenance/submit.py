"""What a process submits, for its jobs to compare with.

Apart from `mimic.provenance.submission`, so that the runner, which every job starts, loads little.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mimic.files import make_shared_folder, sha256_file, write_json
from mimic.provenance import fingerprint
from mimic.provenance.environment import GROUPS, group_digest, group_versions
from mimic.provenance.submission import (
    FOLDER,
    PARAMS_CODE,
    digest_of,
    installed,
    rule_files,
)


def describe(*, settings: Mapping[str, Any], sources: Iterable[str | Path]) -> dict[str, Any]:
    """What jobs are to compare with.

    Parameters
    ----------
    settings
        All settings of the study, as plain values.
    sources
        All source files that steps read.

    Raises
    ------
    ValueError
        If a source file can't be read.
    """
    files: dict[str, dict[str, str]] = {}
    code = {}
    for step in (*fingerprint.all_steps(), *PARAMS_CODE):
        code[step] = fingerprint.step_code(step)
        files |= fingerprint.step_files(step)
    return {
        "settings": settings,
        "code": code,
        "files": files,
        "rules": rule_files(),
        "environment": {
            group: {"digest": group_digest(group), "versions": group_versions(group)}
            for group in GROUPS
        },
        "installed": installed(),
        "sources": {str(path): _sha256(path) for path in sources},
        "git": git_state(),
    }


def place_of(values: Mapping[str, Any], root: Path) -> Path:
    """The file of a submission of a study with its results in `root`; it may not exist yet."""
    return root / FOLDER / f"{digest_of(values)}.json"


def write(path: Path, values: Mapping[str, Any]) -> None:
    """Write a submission's file; one that is there gets the time of the last submission."""
    if path.exists():
        # It may be another user's.
        with suppress(OSError):
            os.utime(path)
        return
    make_shared_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write_json(temporary, values)
    temporary.rename(path)


def git_state() -> dict[str, Any]:
    """Commit of the project, and whether its files differ from it; empty outside of git."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=fingerprint.PACKAGE_ROOT.parent,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout

    try:
        commit = git("rev-parse", "HEAD").strip()
        return {"commit": commit, "dirty": bool(git("status", "--porcelain").strip())}
    except (OSError, subprocess.SubprocessError):
        return {}


def _sha256(path: str | Path) -> str:
    try:
        return sha256_file(Path(path))
    except OSError as error:
        raise ValueError(
            f"{path}: can't be read ({error.strerror}). Mend the path in the settings or put the "
            "file there"
        ) from None
