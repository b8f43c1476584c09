"""What Slurm's commands say, as values."""

from __future__ import annotations

import getpass
import re
import signal
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


def nodes_of(job: str) -> list[str]:
    """The nodes of a job that runs, in Slurm's order: its batch script runs on the first."""
    (nodes,) = _lines("squeue", "--noheader", f"--jobs={job}", "--format=%N") or [""]
    return _lines("scontrol", "show", "hostnames", nodes) if nodes else []


def address_of(node: str) -> str:
    """Where a node can be reached, by name or number.

    Raises
    ------
    ValueError
        If Slurm doesn't say.
    """
    said = " ".join(_lines("scontrol", "show", "node", node))
    found = re.search(r"\bNodeAddr=(\S+)", said)
    if found is None:
        raise ValueError(f"`scontrol show node {node}` names no NodeAddr: {said}")
    return found.group(1)


def steps_of(job: str) -> dict[str, str]:
    """The steps of a job that run, by their names, as Slurm numbers them."""
    lines = _lines("squeue", "--noheader", "--steps", f"--jobs={job}", "--format=%i|%j")
    return {name: step for step, name in (line.split("|", 1) for line in lines)}


def send(number: int, step: str) -> None:
    """Send a step's processes a signal; what has ended meanwhile is no error."""
    _lines(
        "scancel", "--quiet", f"--signal={signal.Signals(number).name.removeprefix('SIG')}", step
    )


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
