"""Jobs on nodes that are allocated whole: what stands idle, and what to put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mimic.plan.devices import Node


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """A job of a study.

    Attributes
    ----------
    stage
        Jobs of one stage may run at the same time.
    nodes
        Nodes that the devices belong to.
    pack
        Jobs that are set to run as one share its name; None for a job of its own.
    """

    name: str
    stage: str
    devices: int
    hours: float
    nodes: int = 1
    pack: str | None = None


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """Nodes that some jobs have together until the last of them ends."""

    jobs: tuple[PlannedJob, ...]
    nodes: int

    @property
    def hours(self) -> float:
        """How long the nodes are held."""
        return max(job.hours for job in self.jobs)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a study takes of a machine.

    Attributes
    ----------
    node_hours
        Hours of nodes.
    gpu_hours, idle_gpu_hours
        Of the GPUs of these nodes: all, and those in which nothing runs.
    """

    node_hours: float
    gpu_hours: float
    idle_gpu_hours: float

    @property
    def idle_share(self) -> float:
        """Share of the GPUs' hours in which nothing runs."""
        return self.idle_gpu_hours / self.gpu_hours if self.gpu_hours else 0.0


def as_set(jobs: Iterable[PlannedJob], node: Node) -> list[Allocation]:
    """The allocations of a study that runs as its settings say."""
    together: dict[str, list[PlannedJob]] = {}
    alone: list[Allocation] = []
    for job in jobs:
        if job.pack is None:
            alone.append(Allocation(jobs=(job,), nodes=_nodes_of(job, node)))
        else:
            together.setdefault(f"{job.stage} {job.pack}", []).append(job)
    packs = [
        Allocation(jobs=tuple(some), nodes=nodes_for(sum(job.devices for job in some), node))
        for some in together.values()
    ]
    return packs + alone


def packed(jobs: Iterable[PlannedJob], node: Node) -> list[Allocation]:
    """Allocations with the fewest idle hours for jobs that all run at once on their node.

    The longest job takes the longest others of its stage and width with it: nodes filled in that
    order are held for the shortest time altogether.
    """
    alike: dict[tuple[str, int, int], list[PlannedJob]] = {}
    for job in jobs:
        alike.setdefault((job.stage, job.devices, job.nodes), []).append(job)
    found = []
    for (_, devices, nodes), some in alike.items():
        side_by_side = max(1, node.gpus // devices) if nodes == 1 else 1
        ordered = sorted(some, key=lambda job: -job.hours)
        for place in range(0, len(ordered), side_by_side):
            group = tuple(ordered[place : place + side_by_side])
            held = _nodes_of(group[0], node) if side_by_side == 1 else 1
            found.append(Allocation(jobs=group, nodes=held))
    return found


def usage(allocations: Sequence[Allocation], node: Node) -> Usage:
    """What allocations take altogether."""
    node_hours = sum(each.nodes * each.hours for each in allocations)
    busy = sum(job.devices * job.hours for each in allocations for job in each.jobs)
    gpu_hours = node_hours * node.gpus
    # Rounding may leave less than nothing.
    idle = max(0.0, gpu_hours - busy)
    return Usage(node_hours=node_hours, gpu_hours=gpu_hours, idle_gpu_hours=idle)


def nodes_for(devices: int, node: Node) -> int:
    """The fewest nodes that have so many devices."""
    return -(-devices // node.gpus)


def _nodes_of(job: PlannedJob, node: Node) -> int:
    return max(job.nodes, nodes_for(job.devices, node))
