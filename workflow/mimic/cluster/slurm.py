"""What Slurm's commands say, as values."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

TIMEOUT_S = 60
# Whoever looks again and again waits no longer for an answer.
LOOK_TIMEOUT_S = 15
# What the two commands that are asked again and again are asked for; what may hold any character
# comes last.
QUEUE_COLUMNS = ("%i", "%T", "%j", "%r", "%S", "%M", "%l", "%N", "%k", "%Z")
ACCOUNT_COLUMNS = (
    *("JobIDRaw", "JobName", "State", "ElapsedRaw", "NNodes", "ExitCode"),
    *("TimelimitRaw", "ReqMem", "Comment", "WorkDir"),
)


@dataclass(frozen=True, kw_only=True)
class QueuedJob:
    """A job that Slurm hasn't ended yet; `folder` is where it works."""

    job: str
    name: str
    state: str
    folder: str


@dataclass(frozen=True, kw_only=True)
class SeenJob:
    """A job that pends or runs.

    Attributes
    ----------
    job
        Its number.
    state, reason
        As Slurm calls them.
    start
        When it started, or is expected to; None if Slurm doesn't say.
    elapsed_s, walltime_s
        None if Slurm doesn't say, or has no limit.
    nodes
        As Slurm abbreviates them.
    comment
        What whoever submitted it wrote.
    """

    job: str
    state: str
    name: str
    reason: str
    start: datetime | None
    elapsed_s: int | None
    walltime_s: int | None
    nodes: str
    comment: str
    folder: str


@dataclass(frozen=True, kw_only=True)
class AccountedJob:
    """A job, or one of the times that Slurm started it, as it is accounted for.

    Attributes
    ----------
    state
        One word, such as CANCELLED.
    cancelled_by
        The number of who cancelled it; None if nobody did or Slurm doesn't say.
    nodes
        How many.
    exit_status, signal
        Of its script.
    walltime_min
        None if it has no limit.
    memory
        That it asked for, as Slurm prints it.
    comment
        Empty while it runs, and where Slurm doesn't keep comments.
    """

    job: str
    name: str
    state: str
    cancelled_by: int | None
    elapsed_s: int
    nodes: int
    exit_status: int
    signal: int
    walltime_min: int | None
    memory: str
    comment: str
    folder: str

    @property
    def node_hours(self) -> float:
        """Hours of whole nodes."""
        return self.nodes * self.elapsed_s / 3600


def own_jobs() -> list[QueuedJob]:
    """The user's jobs that pend or run."""
    lines = lines_of("squeue", "--me", "--noheader", "--format=%i|%T|%j|%Z")
    found = (line.split("|", 3) for line in lines)
    return [QueuedJob(job=j, name=name, state=s, folder=f) for j, s, name, f in found]


def queue() -> list[SeenJob]:
    """The user's jobs that pend or run, with all that can be seen of them."""
    lines = lines_of(
        "squeue",
        "--me",
        "--noheader",
        f"--format={'|'.join(QUEUE_COLUMNS)}",
        timeout_s=LOOK_TIMEOUT_S,
    )
    found = []
    for line in lines:
        job, state, name, reason, start, elapsed, wall, nodes, comment, folder = fields_of(
            line, len(QUEUE_COLUMNS)
        )
        found.append(
            SeenJob(
                job=job,
                state=state_of(state),
                name=name,
                reason=reason,
                start=time_of(start),
                elapsed_s=seconds_of(elapsed),
                walltime_s=seconds_of(wall),
                nodes=nodes,
                comment="" if comment == "(null)" else comment,
                folder=folder,
            )
        )
    return found


def accounted(since: datetime) -> list[AccountedJob]:
    """The user's jobs since a time, by the local clock; each time that one was started."""
    lines = lines_of(
        "sacct",
        "-nPXD",
        f"--starttime={since:%Y-%m-%dT%H:%M:%S}",
        f"--format={','.join(ACCOUNT_COLUMNS)}",
        timeout_s=LOOK_TIMEOUT_S,
    )
    found = []
    for line in lines:
        job, name, state, elapsed, nodes, ended, wall, memory, comment, folder = fields_of(
            line, len(ACCOUNT_COLUMNS)
        )
        status, _, signal = ended.partition(":")
        by = re.search(r"\bby (\d+)", state)
        found.append(
            AccountedJob(
                job=job,
                name=name,
                state=state_of(state),
                cancelled_by=int(by.group(1)) if by else None,
                elapsed_s=number_of(elapsed),
                nodes=number_of(nodes),
                exit_status=number_of(status),
                signal=number_of(signal),
                walltime_min=int(wall) if wall.isdigit() else None,
                memory=memory,
                comment=comment,
                folder=folder,
            )
        )
    return found


def nodes_of(job: str) -> list[str]:
    """The nodes of a job that runs, in Slurm's order: its batch script runs on the first."""
    (nodes,) = lines_of("squeue", "--noheader", f"--jobs={job}", "--format=%N") or [""]
    return lines_of("scontrol", "show", "hostnames", nodes) if nodes else []


def address_of(node: str) -> str:
    """Where a node can be reached, by name or number.

    Raises
    ------
    ValueError
        If Slurm doesn't say.
    """
    said = " ".join(lines_of("scontrol", "show", "node", node))
    found = re.search(r"\bNodeAddr=(\S+)", said)
    if found is None:
        raise ValueError(f"`scontrol show node {node}` names no NodeAddr: {said}")
    return found.group(1)


def steps_of(job: str) -> dict[str, str]:
    """The steps of a job that run, by their names, as Slurm numbers them."""
    lines = lines_of("squeue", "--noheader", "--steps", f"--jobs={job}", "--format=%i|%j")
    return {name: step for step, name in (line.split("|", 1) for line in lines)}


def send(number: int, step: str) -> None:
    """Send a step's processes a signal; what has ended meanwhile is no error."""
    lines_of(
        "scancel", "--quiet", f"--signal={signal.Signals(number).name.removeprefix('SIG')}", step
    )


def cancel(jobs: Sequence[str]) -> None:
    """Cancel jobs; what has ended meanwhile is no error."""
    lines_of("scancel", "--quiet", *jobs)


def seconds_of(time: str) -> int | None:
    """Seconds of ``[[days-]hours:]minutes:seconds``; None of UNLIMITED, INVALID and the like."""
    found = re.fullmatch(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)", time)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def time_of(text: str) -> datetime | None:
    """A time as Slurm prints it, by the local clock; None of Unknown, N/A and the like."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def state_of(text: str) -> str:
    """The first word of a state, of ``CANCELLED by 1000`` or ``["NODE_FAIL","REQUEUED"]`` too."""
    found = re.search(r"[A-Z_]+", text)
    return found.group() if found else "UNKNOWN"


def fields_of(line: str, count: int) -> list[str]:
    """The fields of a line, of which there are so many."""
    found = line.split("|", count - 1)
    if len(found) != count:
        raise ValueError(f"Slurm printed {line!r}, which has {len(found)} of {count} fields")
    return found


def number_of(text: str) -> int:
    """A number, 0 where Slurm doesn't say."""
    return int(text) if text.isdigit() else 0


def lines_of(*command: str, timeout_s: float = TIMEOUT_S) -> list[str]:
    """What a command prints, without empty lines.

    Raises
    ------
    ValueError
        If it isn't there, doesn't answer or fails, with what it said.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=True
        )
    except FileNotFoundError:
        raise ValueError(
            f"there is no {command[0]} here; start snakemake with this profile where Slurm's "
            "commands are, on a login node"
        ) from None
    except subprocess.TimeoutExpired:
        raise ValueError(
            f"`{' '.join(command)}` didn't answer within {timeout_s} s; is the cluster up "
            "(`sinfo`)?"
        ) from None
    except subprocess.CalledProcessError as error:
        raise ValueError(f"`{' '.join(command)}` failed: {error.stderr.strip()}") from None
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
