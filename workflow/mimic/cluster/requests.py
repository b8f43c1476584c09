"""What a job asks of Slurm."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mimic.cluster.site import Site

# A job whose results are stored links them: minutes and a process's memory on a node without GPUs.
LINKING_MINUTES, LINKING_MB = 15, 2000
# What the Slurm plugin is told of each job, and of one that may be on several nodes.
ONE_NODE = ("mem_mb", "runtime", "slurm_partition", "gpu", "nodes")
SEVERAL_NODES = ("gres", "mpi", "tasks", "tasks_per_gpu")


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a job needs.

    Attributes
    ----------
    rule
        Of the job.
    mem_mb
        Memory of the hosts altogether, in 10⁶ bytes.
    minutes
        At most, if nothing goes wrong.
    devices
        GPUs that it works with, if its rule's jobs run on GPUs; 0 for one that needs none.
    nodes
        Nodes that the devices belong to, each to as many.
    together
        Jobs of the rule, at most, that share an allocation one after the other.
    """

    rule: str
    mem_mb: int
    minutes: int
    devices: int = 1
    nodes: int = 1
    together: int = 1


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a job asks for.

    Attributes
    ----------
    mem_mb, gpus
        Of each node; `gpus` is 0 on nodes without.
    runtime
        Minutes.
    """

    partition: str
    mem_mb: int
    runtime: int
    gpus: int
    nodes: int = 1

    @property
    def resources(self) -> dict[str, int | str | None]:
        """As Snakemake's Slurm plugin calls them, under `ONE_NODE` and `SEVERAL_NODES`.

        One that is None isn't asked for. The plugin submits a job on several nodes as one of MPI:
        then it starts it once, on the first node, and not on all.
        """
        asked: dict[str, int | str | None] = dict.fromkeys((*ONE_NODE, *SEVERAL_NODES))
        asked |= {"mem_mb": self.mem_mb, "runtime": self.runtime}
        asked["slurm_partition"] = self.partition
        if self.nodes == 1:
            # Slurm may take a number of GPUs from several nodes, and a job would use one's alone.
            # Not where there are none: of a group Snakemake would add up the nodes of its jobs.
            return asked | ({"gpu": self.gpus, "nodes": 1} if self.gpus else {})
        asked |= {"nodes": self.nodes, "mpi": "srun", "tasks": self.nodes}
        # Each node is to have as many. And not so many tasks for each GPU, as the plugin would have
        # it where `tasks` is set.
        return asked | ({"gres": f"gpu:{self.gpus}", "tasks_per_gpu": 0} if self.gpus else {})


def request(site: Site, need: Need, *, attempt: int = 1, is_stored: bool = False) -> Request:
    """What a job asks for at its first, second … attempt.

    Memory and time grow by as much with each attempt as the first asked for, up to what the site
    allows. A job that shares its allocation with others of its rule asks for its own time, which
    Snakemake adds up to theirs; that sum is what the site's walltime bounds.

    Parameters
    ----------
    is_stored
        Whether the result store holds what the job would make.

    Raises
    ------
    ValueError
        If the first attempt needs more than the site has, naming the rule and the way out.
    """
    if is_stored:
        return Request(
            partition=site.cpu.partition, mem_mb=LINKING_MB, runtime=LINKING_MINUTES, gpus=0
        )
    on_gpu = site.rules.get(need.rule) == "gpu" and need.devices > 0
    nodes = site.gpu if on_gpu else site.cpu
    on_each = f" on each of {need.nodes} nodes" if need.nodes > 1 else ""
    if need.minutes > site.max_minutes:
        raise ValueError(
            f"{need.rule} needs {need.minutes} minutes; the site's max_minutes is "
            f"{site.max_minutes}. Name a longer QOS with its max_minutes in the site's file, or "
            "let more devices share the work (`mimic plan` shows what each job takes)"
        )
    mem_mb, devices = -(-need.mem_mb // need.nodes), -(-need.devices // need.nodes)
    if mem_mb > nodes.mem_mb:
        raise ValueError(
            f"{need.rule} needs {mem_mb} MB{on_each}; a node of partition {nodes.partition} has "
            f"{nodes.mem_mb}. `mimic plan` proposes settings that fit"
        )
    if on_gpu and devices > nodes.gpus:
        raise ValueError(
            f"{need.rule} needs {devices} GPUs{on_each}; a node of partition {nodes.partition} has "
            f"{nodes.gpus}. Mend `devices` of `launch` (with its `nodes`) or of `compute`"
        )
    return Request(
        partition=nodes.partition,
        mem_mb=min(mem_mb * attempt, nodes.mem_mb),
        runtime=min(need.minutes * attempt, max(1, site.max_minutes // need.together)),
        gpus=(nodes.gpus if site.whole_nodes else devices) if on_gpu else 0,
        nodes=need.nodes,
    )


def impossible(site: Site, jobs: Iterable[tuple[str, Need, Callable[[], bool]]]) -> list[str]:
    """What jobs need at their first attempt that a site doesn't have: a line for each such need.

    Parameters
    ----------
    jobs
        What each is called, what it needs, and what says whether the result store holds what it
        would make, which is asked of those alone that need too much.
    """
    refused: dict[str, list[str]] = {}
    for name, need, is_stored in jobs:
        try:
            request(site, need)
        except ValueError as error:
            if not is_stored():
                refused.setdefault(str(error), []).append(name)
    # Jobs come in no order.
    return sorted(
        f"{min(names)}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {why}"
        for why, names in refused.items()
    )
