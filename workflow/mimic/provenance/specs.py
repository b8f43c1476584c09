"""What a job depends on besides the contents of its inputs, as one string for ``params: spec``."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mimic.files import canonical_json, sha256_file
from mimic.provenance.environment import group_digest
from mimic.provenance.fingerprint import step_code


@functools.cache
def source_digest(path: str, size: int, mtime_ns: int) -> str:
    """The sha256 of a source file; size and time only serve to memoise it."""
    return sha256_file(Path(path))


def spec(
    step: str,
    *,
    group: str,
    settings: Mapping[str, Any],
    sources: Mapping[str, str | Path | Sequence[str | Path]] | None = None,
) -> str:
    """The spec of a job, as canonical JSON.

    Parameters
    ----------
    step
        The step's module below the package, such as ``finetune.sft``.
    group
        The group of the environment that the step needs: data, train, measure or report.
    settings
        The slice of the settings that the step reads.
    sources
        Source files that the step reads (corpus, instruments, forms, templates), by input name;
        one, or several in order.

    Raises
    ------
    ValueError
        If a source file is missing.
    """
    digests = {}
    for name, paths in sorted((sources or {}).items()):
        listed = [paths] if isinstance(paths, str | Path) else paths
        digests[name] = [_source(path, name=name, step=step) for path in listed]
    return canonical_json(
        {
            "step": step,
            "code": step_code(step),
            "environment": {group: group_digest(group)},
            "settings": settings,
            "sources": digests,
        }
    )


def _source(path: str | Path, *, name: str, step: str) -> str:
    try:
        return digest_now(path)
    except OSError as error:
        raise ValueError(
            f"{path}: can't be read ({error.strerror}); it is the {name} of {step}. "
            "Mend the path in the settings or put the file there"
        ) from None


def digest_now(path: str | Path) -> str:
    """The sha256 of a file, read again where its size or time is another than before."""
    status = Path(path).stat()
    return source_digest(str(path), status.st_size, status.st_mtime_ns)


def code_digest(module: str, *, group: str) -> str:
    """Digest of a module's code with all that it imports, and of its group of the environment.

    For what outlives a job: answers are kept as long as what gave them is the same.
    """
    made_of = {"code": step_code(module), "environment": group_digest(group)}
    return hashlib.sha256(canonical_json(made_of).encode()).hexdigest()


def job_files(
    wildcards: Any, input: Any, output: Any, *, root: str, rule: str, devices: int = 1
) -> str:
    """The files of a job for the runner, as canonical JSON; a second param beside ``spec``.

    Snakemake leaves a param that is computed from input or output out of its staleness check, so
    moving the project folder makes nothing stale. The input ``pack`` is the table of a pack: what a
    training is made from is the same in a pack and alone. The input ``digests`` is for Snakemake,
    which goes by the times of large files: the job reads the files themselves. `devices` are those
    that share the job's work, where their number changes nothing that it makes.
    """
    files: dict[str, Any]
    inputs = {
        name: [paths] if isinstance(paths, str) else list(paths) for name, paths in input.items()
    }
    packs = inputs.pop("pack", [])
    inputs.pop("digests", None)
    files = {"inputs": inputs, "outputs": list(output), "root": root, "rule": rule}
    files["run"] = wildcards.get("run")
    shared = {"devices": devices} if devices > 1 else {}
    return canonical_json(files | shared | ({"pack": packs[0]} if packs else {}))


def use_this_python() -> None:
    """Let jobs use the Python that runs Snakemake, also where no environment is activated."""
    folder = str(Path(sys.executable).parent)
    if os.environ["PATH"].split(os.pathsep)[0] != folder:
        os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
