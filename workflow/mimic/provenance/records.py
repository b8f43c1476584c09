"""Records: what made a result, and under which circumstances.

The identity part names all that the result follows from: rule, settings, code, environment, and
inputs and outputs by sha256 alone. It stays true when an equal result comes from elsewhere. The
circumstances part says when, where and how it was made.
"""

from __future__ import annotations

import hashlib
import os
import platform
import resource
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from mimic.files import canonical_json, read_json
from mimic.provenance.store import identity_of

# Steps that bring something in from outside: what it is, and where their settings name it.
ORIGINS = {
    "models.fetch": ("models", ("model", "source")),
    "essays.prepare": ("corpora", ("essays", "source")),
}
# The input with the files of what comes from outside; what else these steps read is the project's.
ORIGINAL = "corpus"


def part_digest(part: Mapping[str, Any]) -> str:
    """The sha256 of a part of a record."""
    return hashlib.sha256(canonical_json(part).encode()).hexdigest()


def utc(moment: datetime) -> str:
    """A moment as text, to the microsecond; texts sort as moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def lasting_digest(identity: Mapping[str, Any]) -> str:
    """The sha256 of what of an identity part stays when the same identity is made again.

    Comments in the code's files may be others then, and the run another one that needs the same.
    """
    code = {name: module["digest"] for name, module in identity["code"].items()}
    kept = {name: value for name, value in identity.items() if name != "run"}
    return part_digest({**kept, "code": code})


def make_record(
    *, identity: Mapping[str, Any], circumstances: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """A record: its two parts and the digest of each."""
    return {
        "identity": dict(identity),
        "circumstances": dict(circumstances),
        "sha256": {
            "identity": part_digest(identity),
            "circumstances": part_digest(circumstances),
        },
    }


def identity_part(
    *,
    rule: str,
    run: str | None,
    spec: Mapping[str, Any],
    files: Mapping[str, Mapping[str, str]],
    versions: Mapping[str, str],
    inputs: Mapping[str, Sequence[str]],
    outputs: Mapping[str, str],
    origins: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, Any]:
    """The identity part of a record.

    Parameters
    ----------
    rule, run
        Of the job; None if it belongs to no single run.
    spec
        What ``mimic.provenance.specs.spec`` describes.
    files
        File and sha256 of each module of the step's code.
    versions
        Version of each distribution of the step's group of the environment.
    inputs, outputs
        sha256 of the input files by input name, of the outputs by file name.
    origins
        Models and corpora that the inputs go back to.
    """
    (group, environment) = next(iter(spec["environment"].items()))
    own = dict(origins)
    if spec["step"] in ORIGINS:
        kind, keys = ORIGINS[spec["step"]]
        source = spec["settings"]
        for key in keys:
            source = source.get(key, {})
        entry = {"source": source, "sha256": outputs["manifest.json"]}
        if ORIGINAL in spec["sources"]:
            entry["files"] = {ORIGINAL: spec["sources"][ORIGINAL]}
        own[kind] = [*own.get(kind, ()), entry]
    return {
        "rule": rule,
        "run": run,
        "step": spec["step"],
        "settings": spec["settings"],
        "seeds": seeds_in(spec["settings"]),
        "code": {name: {"digest": digest, **files[name]} for name, digest in spec["code"].items()},
        "environment": {"group": group, "digest": environment, "versions": dict(versions)},
        "sources": spec["sources"],
        "origins": own,
        "inputs": {name: list(digests) for name, digests in inputs.items()},
        "outputs": dict(outputs),
    }


def spec_of(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The spec that an identity part was made from."""
    environment = identity["environment"]
    return {
        "step": identity["step"],
        "code": {name: module["digest"] for name, module in identity["code"].items()},
        "environment": {environment["group"]: environment["digest"]},
        "settings": identity["settings"],
        "sources": identity["sources"],
    }


def recomputed_identity(identity: Mapping[str, Any]) -> str:
    """The identity that follows from an identity part."""
    return identity_of(spec=spec_of(identity), inputs=dict(identity["inputs"]))


def read_record(path: Path) -> dict[str, Any]:
    """Read a record.

    Raises
    ------
    ValueError
        If it is missing, unreadable or not whole, or was edited.
    """
    try:
        record = read_json(path)
        parts = {name: record[name] for name in ("identity", "circumstances")}
        digests = dict(record["sha256"])
    except FileNotFoundError:
        raise ValueError(f"{path}: the record is missing") from None
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a record ({error!r})") from None
    for name, part in parts.items():
        if part_digest(part) != digests.get(name):
            raise ValueError(f"{path}: its {name} part was edited")
        if wrong := _wrong_keys(part, _KEYS[name]):
            raise ValueError(f"{path}: not a record ({name}: {wrong} is missing or no such value)")
    code, environment = record["identity"]["code"], record["identity"]["environment"]
    wrong = _wrong_keys(environment, _ENVIRONMENT_KEYS)
    wrong = wrong or next((m for m, of in code.items() if _wrong_keys(of, _MODULE_KEYS)), None)
    if wrong:
        raise ValueError(f"{path}: not a record (identity: {wrong} is missing or no such value)")
    return dict(record)


# What those who read a record rely on.
_KEYS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "identity": {
        **dict.fromkeys(("rule", "step"), str),
        **dict.fromkeys(("settings", "seeds", "code", "environment", "sources"), dict),
        **dict.fromkeys(("origins", "inputs", "outputs"), dict),
        "run": (str, type(None)),
    },
    "circumstances": {
        **dict.fromkeys(("started", "ended", "host", "python"), str),
        "git": dict,
    },
}
_ENVIRONMENT_KEYS: dict[str, type | tuple[type, ...]] = {
    "group": str,
    "digest": str,
    "versions": dict,
}
_MODULE_KEYS: dict[str, type | tuple[type, ...]] = dict.fromkeys(("digest", "file", "sha256"), str)


def _wrong_keys(values: Any, keys: Mapping[str, type | tuple[type, ...]]) -> str | None:
    """The first key that is missing or has a value of another type; None if all is well."""
    if not isinstance(values, dict):
        return "its dictionary"
    return next((k for k, kind in keys.items() if not isinstance(values.get(k, ...), kind)), None)


def joined_origins(records: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What the makers of a job's inputs go back to, each origin once."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for record in records:
        for kind, entries in record["identity"]["origins"].items():
            for entry in entries:
                found.setdefault(kind, {})[canonical_json(entry)] = entry
    return {kind: [some[key] for key in sorted(some)] for kind, some in sorted(found.items())}


def circumstances_part(
    *,
    started: str,
    ended: str,
    attempts: int,
    git: Mapping[str, Any],
    measured: Mapping[str, Any],
) -> dict[str, Any]:
    """The circumstances part of a record, of a job whose step has just ended.

    Parameters
    ----------
    started, ended
        Times in UTC.
    attempts
        How often the work was begun, this time included.
    git
        Commit, and whether the tree differed from it.
    measured
        What the step measured of itself, such as the peak of GPU memory.
    """
    return {
        "started": started,
        "ended": ended,
        "attempts": attempts,
        "git": dict(git),
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "device": {"cpu": _cpu(), "gpus": gpus()},
        "slurm": _slurm(),
        # Of the largest process; in MB of 1024² bytes.
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        **measured,
    }


def seeds_in(settings: Mapping[str, Any]) -> dict[str, int]:
    """The seeds in settings, by their keys."""
    return dict(_seeds(settings))


def _seeds(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int]]:
    for key, value in sorted(settings.items()):
        if isinstance(value, Mapping):
            yield from _seeds(value, f"{prefix}{key}.")
        elif key == "seed" and isinstance(value, int):
            yield f"{prefix}{key}", value


def _slurm() -> dict[str, str] | None:
    names = {"job": "SLURM_JOB_ID", "partition": "SLURM_JOB_PARTITION", "nodes": "SLURM_NODELIST"}
    found = {key: os.environ[name] for key, name in names.items() if name in os.environ}
    return found or None


@cache
def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@cache
def gpus() -> list[dict[str, str]]:
    """Name, memory and driver of the GPUs that a job may use."""
    if shutil.which("nvidia-smi") is None or os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return []
    fields = ("name", "memory.total", "driver_version")
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    if visible := os.environ.get("CUDA_VISIBLE_DEVICES"):
        command.append(f"--id={visible}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    keys = ("name", "memory", "driver")
    return [
        dict(zip(keys, (value.strip() for value in line.split(",")), strict=True))
        for line in done.stdout.splitlines()
    ]
