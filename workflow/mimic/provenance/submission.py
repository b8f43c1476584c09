"""What the process that submits jobs found, and the jobs' comparison with it.

A job on a cluster reads the Snakefile again, perhaps hours later, so what it reads is no witness of
what was submitted. The submitting process writes settings, code, environment and the digests of
rules and source files to one file, named by its contents, and passes its name. A job takes the
settings from there. It stops where the rules that compute its params differ, and its runner where
code, environment or a source file do.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mimic.files import canonical_json, read_json, sha256_file
from mimic.provenance import fingerprint

VARIABLE = "MIMIC_SUBMISSION"
FOLDER = ".submissions"
# What the Snakefile and the rules compute a job's params by, besides the step's own code.
PARAMS_CODE = ("study", "provenance.specs")


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
    if digest_of(values) != path.stem:
        raise ValueError(f"{path}: the file of this submission was edited; start snakemake again")
    return values


def check_rules(values: Mapping[str, Any]) -> None:
    """Check that a process that reads the Snakefile again reads what was submitted.

    Its params are computed by what it reads, and Snakemake files results under the submitter's.
    This is no part of a runner's checks: the params of a job that the submitting process starts
    itself were computed when that began, whatever the rules say by now.

    Parameters
    ----------
    values
        The submission.

    Raises
    ------
    ValueError
        Naming the files of rules, each byte of which counts, and the modules that differ, and
        source files that are gone.
    """
    changed = _differing(values.get("rules", {}), rule_files())
    # Rules that take all files of a folder would take fewer, and the runner knows these alone.
    changed |= {path for path in values["sources"] if not Path(path).is_file()}
    _stop_if(changed.union(*(_edited(values, module) for module in PARAMS_CODE)))


def rule_files() -> dict[str, str]:
    """The sha256 of the Snakefile and of each file of rules, by path in the project's folder."""
    project = fingerprint.PACKAGE_ROOT.parent
    paths = [project / "Snakefile", *project.glob("workflow/rules/*.smk")]
    return {p.relative_to(project).as_posix(): sha256_file(p) for p in paths if p.is_file()}


def check_spec(
    values: Mapping[str, Any], *, spec: Mapping[str, Any], sources: Mapping[str, str]
) -> None:
    """Check that a job is what was submitted, whatever lies in the project's folder by now.

    Parameters
    ----------
    values
        The submission.
    spec
        Of the job.
    sources
        sha256 of each source file of the job, by path.

    Raises
    ------
    ValueError
        Naming the modules, group or files that differ.
    """
    _stop_if(_unlike(values, spec=spec, sources=sources))


def check_drift(
    values: Mapping[str, Any], *, spec: Mapping[str, Any], sources: Mapping[str, str]
) -> None:
    """Check that a job is what was submitted, and code and environment what they were then.

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
    changed = _unlike(values, spec=spec, sources=sources) | _edited(values, spec["step"])
    # Names first here, too: the versions of a group take a hundred times as long.
    if installed() != values.get("installed"):
        from mimic.provenance import environment

        environment.forget()
        changed |= {
            f"environment {group}"
            for group in spec["environment"]
            if values["environment"][group]["digest"] != environment.group_digest(group)
        }
    _stop_if(changed)


def installed() -> str:
    """A digest of the names of all installed distributions, which hold their versions."""
    names: set[str] = set()
    # Which folder a module was started from is no matter of what is installed.
    for folder in set(sys.path) - {"", os.getcwd()}:
        try:
            found = os.listdir(folder)
        except OSError:
            # There is no such folder, or it is an archive.
            continue
        names.update(name for name in found if name.endswith((".dist-info", ".egg-info")))
    return hashlib.sha256(canonical_json(sorted(names)).encode()).hexdigest()[:16]


def _unlike(
    values: Mapping[str, Any], *, spec: Mapping[str, Any], sources: Mapping[str, str]
) -> set[str]:
    """What of a job differs from what was submitted."""
    changed = _differing(values["code"].get(spec["step"], {}), spec["code"])
    changed |= {
        f"environment {group}"
        for group, digest in spec["environment"].items()
        if values["environment"][group]["digest"] != digest
    }
    return changed | {
        path for path, digest in sources.items() if values["sources"].get(path) != digest
    }


def _edited(values: Mapping[str, Any], step: str) -> set[str]:
    """The modules of a step whose code is by now another than what was submitted."""
    code = values["code"].get(step, {})
    # Bytes first: walking the syntax trees takes ten times as long.
    if all(fingerprint.module_bytes(name) == values["files"][name]["sha256"] for name in code):
        return set()
    fingerprint.forget()
    return _differing(code, fingerprint.step_code(step))


def _stop_if(changed: set[str]) -> None:
    if changed:
        raise ValueError(
            f"{', '.join(sorted(changed))} changed since the work was submitted; "
            "start snakemake again"
        )


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}


def digest_of(values: Mapping[str, Any]) -> str:
    """What a submission's file is named by."""
    return hashlib.sha256(canonical_json(values).encode()).hexdigest()[:20]
