"""What the process that submits jobs found, for the jobs to compare with.

A job on a cluster reads the Snakefile again, perhaps hours later, so what it reads is no witness of
what was submitted. The submitting process writes settings, code, environment and source files'
digests to one file, named by its contents, and passes its name. A job takes the settings from
there, and its runner stops where code, environment or a source file differ.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mimic.files import (
    canonical_json,
    make_shared_folder,
    read_json,
    sha256_file,
    write_json,
)
from mimic.provenance import fingerprint
from mimic.provenance.environment import GROUPS, group_digest, group_versions

VARIABLE = "MIMIC_SUBMISSION"
FOLDER = ".submissions"


def submitted() -> dict[str, Any] | None:
    """What was submitted, in a job's process; None in the submitting process itself.

    Raises
    ------
    ValueError
        If its file is gone.
    """
    name = os.environ.get(VARIABLE)
    return read_submission(Path(name)) if name else None


@functools.cache
def read_submission(path: Path) -> dict[str, Any]:
    """Read a submission's file. Raises ValueError if it is gone or was edited."""
    try:
        values = dict(read_json(path))
    except FileNotFoundError:
        raise ValueError(
            f"{path}: the file of this submission ({VARIABLE}) is gone; start snakemake again"
        ) from None
    if _digest(values) != path.stem:
        raise ValueError(f"{path}: the file of this submission was edited; start snakemake again")
    return values


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
    for step in fingerprint.all_steps():
        code[step] = fingerprint.step_code(step)
        files |= fingerprint.step_files(step)
    return {
        "settings": settings,
        "code": code,
        "files": files,
        "environment": {
            group: {"digest": group_digest(group), "versions": group_versions(group)}
            for group in GROUPS
        },
        "sources": {str(path): _sha256(path) for path in sources},
        "git": git_state(),
    }


def place_of(values: Mapping[str, Any], root: Path) -> Path:
    """The file of a submission of a study with its results in `root`; it may not exist yet."""
    return root / FOLDER / f"{_digest(values)}.json"


def write(path: Path, values: Mapping[str, Any]) -> None:
    """Write a submission's file, unless an equal one is there."""
    if path.exists():
        return
    make_shared_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write_json(temporary, values)
    temporary.rename(path)


def check_drift(
    values: Mapping[str, Any], *, spec: Mapping[str, Any], sources: Mapping[str, str]
) -> None:
    """Check that a job is what was submitted, and its code what it was then.

    Parameters
    ----------
    values
        The submission.
    spec
        Of the job.
    sources
        sha256 of each source file of the job now, by path.

    Raises
    ------
    ValueError
        Naming the modules, group or files that differ.
    """
    code = values["code"].get(spec["step"], {})
    changed = _differing(code, spec["code"])
    # Bytes first: walking the syntax trees takes ten times as long.
    touched = any(
        fingerprint.module_bytes(name) != values["files"][name]["sha256"] for name in code
    )
    if touched:
        fingerprint.forget()
        changed |= _differing(code, fingerprint.step_code(spec["step"]))
    changed |= {
        f"environment {group}"
        for group, digest in spec["environment"].items()
        if values["environment"][group]["digest"] != digest
    }
    changed |= {path for path, digest in sources.items() if values["sources"].get(path) != digest}
    if changed:
        raise ValueError(
            f"{', '.join(sorted(changed))} changed since the work was submitted; "
            "start snakemake again"
        )


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


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}


def _sha256(path: str | Path) -> str:
    try:
        return sha256_file(Path(path))
    except OSError as error:
        raise ValueError(
            f"{path}: can't be read ({error.strerror}). Mend the path in the settings or put the "
            "file there"
        ) from None


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(values).encode()).hexdigest()[:20]
