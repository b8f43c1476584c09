"""What Slurm's commands say, as values."""

from __future__ import annotations

import getpass
import math
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

TIMEOUT_S = 60


@dataclass(frozen=True, kw_only=True)
class QueuedJob:
    """A job that Slurm hasn't ended yet; `folder` is where it works."""

    job: str
    name: str
    state: str
    folder: str


@dataclass(frozen=True, kw_only=True)
class Association:
    """An account that the user may charge, with the QOS that go with it."""

    account: str
    qos: tuple[str, ...]


def own_jobs() -> list[QueuedJob]:
    """The user's jobs that pend or run."""
    lines = _lines("squeue", "--me", "--noheader", "--format=%i|%T|%j|%Z")
    found = (line.split("|", 3) for line in lines)
    return [QueuedJob(job=j, name=name, state=s, folder=f) for j, s, name, f in found]


def associations() -> list[Association]:
    """The accounts that the user may charge."""
    user = getpass.getuser()
    lines = _lines("sacctmgr", "-nP", "show", "assoc", f"user={user}", "format=account,qos")
    found = (line.split("|", 1) for line in lines)
    return [Association(account=a, qos=tuple(filter(None, q.split(",")))) for a, q in found]


def longest_minutes() -> dict[str, int | None]:
    """The longest walltime of each QOS; None for one without a limit."""
    lines = _lines("sacctmgr", "-nP", "show", "qos", "format=name,maxwall")
    found = (line.split("|", 1) for line in lines)
    return {name: minutes_of(wall) if wall else None for name, wall in found}


def partitions() -> set[str]:
    """The cluster's partitions."""
    return set(_lines("sinfo", "--noheader", "--format=%R"))


def remembered_s() -> float:
    """For how many seconds squeue tells of an ended job (MinJobAge); infinite if it always does.

    Raises
    ------
    ValueError
        If Slurm's configuration doesn't say.
    """
    for line in _lines("scontrol", "show", "config"):
        if found := re.fullmatch(r"MinJobAge\s*=\s*(\d+)\s*sec", line):
            # 0 means that jobs are never forgotten.
            return int(found.group(1)) or math.inf
    raise ValueError("`scontrol show config` names no MinJobAge")


def cancel(jobs: Sequence[str]) -> None:
    """Cancel jobs; what has ended meanwhile is no error."""
    _lines("scancel", "--quiet", *jobs)


def minutes_of(walltime: str) -> int:
    """Whole minutes of a walltime as Slurm prints it: ``[days-]hours:minutes:seconds``.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", walltime)
    if found is None:
        raise ValueError(f"{walltime!r} is no walltime of Slurm")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return (days * 24 + hours) * 60 + minutes + (seconds > 0)


def _lines(*command: str) -> list[str]:
    """What a command prints, without empty lines.

    Raises
    ------
    ValueError
        If it isn't there, doesn't answer or fails, with what it said.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        )
    except FileNotFoundError:
        raise ValueError(
            f"there is no {command[0]} here; start snakemake with this profile where Slurm's "
            "commands are, on a login node"
        ) from None
    except subprocess.TimeoutExpired:
        raise ValueError(
            f"`{' '.join(command)}` didn't answer within {TIMEOUT_S} s; is the cluster up "
            "(`sinfo`)?"
        ) from None
    except subprocess.CalledProcessError as error:
        raise ValueError(f"`{' '.join(command)}` failed: {error.stderr.strip()}") from None
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
