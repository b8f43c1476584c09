"""What a Slurm machine has and allows, as values: accounts, QOS, partitions, nodes."""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass

from mimic.cluster.slurm import fields_of, lines_of, number_of, seconds_of


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


def associations() -> list[Association]:
    """The accounts that the user may charge."""
    user = getpass.getuser()
    lines = lines_of("sacctmgr", "-nP", "show", "assoc", f"user={user}", "format=account,qos")
    found = (line.split("|", 1) for line in lines)
    return [Association(account=a, qos=tuple(filter(None, q.split(",")))) for a, q in found]


def longest_minutes() -> dict[str, int | None]:
    """The longest walltime of each QOS; None for one without a limit."""
    lines = lines_of("sacctmgr", "-nP", "show", "qos", "format=name,maxwall")
    found = (line.split("|", 1) for line in lines)
    return {name: minutes_of(wall) if wall else None for name, wall in found}


def partitions() -> set[str]:
    """The cluster's partitions."""
    return set(lines_of("sinfo", "--noheader", "--format=%R"))


def node_limits() -> dict[str, NodeLimits]:
    """The most that a node of each partition has."""
    found: dict[str, NodeLimits] = {}
    for line in lines_of("sinfo", "--noheader", "--exact", "--format=%R|%m|%G|%l"):
        partition, memory, gres, wall = fields_of(line, 4)
        gpus = [int(count) for count in re.findall(r"\bgpu(?::[^:,(]+)?:(\d+)", gres)]
        seconds = seconds_of(wall)
        # Nodes of a partition differ.
        so_far = found.get(partition, NodeLimits(mem_mb=0, gpus=0, minutes=0))
        found[partition] = NodeLimits(
            mem_mb=max(so_far.mem_mb, number_of(memory.rstrip("+"))),
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
    for line in lines_of("scontrol", "show", "config"):
        if found := re.fullmatch(r"MinJobAge\s*=\s*(\d+)\s*sec", line):
            return int(found.group(1))
    raise ValueError("`scontrol show config` names no MinJobAge")


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
