"""What Slurm's commands say, as values."""

from __future__ import annotations

import getpass
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


@dataclass(frozen=True, kw_only=True)
class Association:
    """An account that the user may charge, with the QOS that go with it."""

    account: str
    qos: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NodeLimits:
    """What a job can get of a node of a partition, at most.

    Attributes
    ----------
    mem_mb
        In Slurm's MB.
    minutes
        None if there is no limit.
    """

    mem_mb: int
    gpus: int
    minutes: int | None


def own_jobs() -> list[QueuedJob]:
    """The user's jobs that pend or run."""
    lines = _lines("squeue", "--me", "--noheader", "--format=%i|%T|%j|%Z")
    found = (line.split("|", 3) for line in lines)
    return [QueuedJob(job=j, name=name, state=s, folder=f) for j, s, name, f in found]


def queue() -> list[SeenJob]:
    """The user's jobs that pend or run, with all that can be seen of them."""
    lines = _lines(
        "squeue",
        "--me",
        "--noheader",
        f"--format={'|'.join(QUEUE_COLUMNS)}",
        timeout_s=LOOK_TIMEOUT_S,
    )
    found = []
    for line in lines:
        job, state, name, reason, start, elapsed, wall, nodes, comment, folder = _fields(
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
    lines = _lines(
        "sacct",
        "-nPXD",
        f"--starttime={since:%Y-%m-%dT%H:%M:%S}",
        f"--format={','.join(ACCOUNT_COLUMNS)}",
        timeout_s=LOOK_TIMEOUT_S,
    )
    found = []
    for line in lines:
        job, name, state, elapsed, nodes, ended, wall, memory, comment, folder = _fields(
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
                elapsed_s=_number(elapsed),
                nodes=_number(nodes),
                exit_status=_number(status),
                signal=_number(signal),
                walltime_min=int(wall) if wall.isdigit() else None,
                memory=memory,
                comment=comment,
                folder=folder,
            )
        )
    return found


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


def node_limits() -> dict[str, NodeLimits]:
    """The most that a node of each partition has."""
    found: dict[str, NodeLimits] = {}
    for line in _lines("sinfo", "--noheader", "--exact", "--format=%R|%m|%G|%l"):
        partition, memory, gres, wall = _fields(line, 4)
        gpus = [int(count) for count in re.findall(r"\bgpu(?::[^:,(]+)?:(\d+)", gres)]
        seconds = seconds_of(wall)
        # Nodes of a partition differ.
        so_far = found.get(partition, NodeLimits(mem_mb=0, gpus=0, minutes=0))
        found[partition] = NodeLimits(
            mem_mb=max(so_far.mem_mb, _number(memory.rstrip("+"))),
            gpus=max(so_far.gpus, sum(gpus)),
            minutes=None if seconds is None else seconds // 60,
        )
    return found


def remembered_s() -> int:
    """For how many seconds squeue tells of an ended job (MinJobAge); 0 if it always does.

    Raises
    ------
    ValueError
        If Slurm's configuration doesn't say.
    """
    for line in _lines("scontrol", "show", "config"):
        if found := re.fullmatch(r"MinJobAge\s*=\s*(\d+)\s*sec", line):
            return int(found.group(1))
    raise ValueError("`scontrol show config` names no MinJobAge")


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


def _fields(line: str, count: int) -> list[str]:
    """The fields of a line, of which there are so many."""
    found = line.split("|", count - 1)
    if len(found) != count:
        raise ValueError(f"Slurm printed {line!r}, which has {len(found)} of {count} fields")
    return found


def _number(text: str) -> int:
    """A number, 0 where Slurm doesn't say."""
    return int(text) if text.isdigit() else 0


def _lines(*command: str, timeout_s: float = TIMEOUT_S) -> list[str]:
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
