"""What a job asks of Slurm."""

from __future__ import annotations

from dataclasses import dataclass

from mimic.cluster.site import Site

# A job whose results are stored links them: minutes and a process's memory on a node without GPUs.
LINKING_MINUTES, LINKING_MB = 15, 2000


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a job needs.

    Attributes
    ----------
    rule
        Of the job.
    mem_mb
        Memory of the host, in 10⁶ bytes.
    minutes
        At most, if nothing goes wrong.
    devices
        GPUs that it works with, if its rule's jobs run on GPUs; 0 for one that needs none.
    """

    rule: str
    mem_mb: int
    minutes: int
    devices: int = 1


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a job asks for; `gpus` is 0 on nodes without."""

    partition: str
    mem_mb: int
    runtime: int
    gpus: int


def request(site: Site, need: Need, *, attempt: int = 1, is_stored: bool = False) -> Request:
    """What a job asks for at its first, second … attempt.

    Memory and time grow by as much with each attempt as the first asked for, up to what the site
    allows.

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
    if need.minutes > site.max_minutes:
        raise ValueError(
            f"{need.rule} needs {need.minutes} minutes; the site's max_minutes is "
            f"{site.max_minutes}. Name a longer QOS with its max_minutes in the site's file, or "
            "let more devices share the work (`mimic plan` shows what each job takes)"
        )
    if need.mem_mb > nodes.mem_mb:
        raise ValueError(
            f"{need.rule} needs {need.mem_mb} MB; a node of partition {nodes.partition} has "
            f"{nodes.mem_mb}. `mimic plan` proposes settings that fit"
        )
    if on_gpu and need.devices > nodes.gpus:
        raise ValueError(
            f"{need.rule} needs {need.devices} GPUs; a node of partition {nodes.partition} has "
            f"{nodes.gpus}. Mend `devices` of `launch` or of `compute`"
        )
    return Request(
        partition=nodes.partition,
        mem_mb=min(need.mem_mb * attempt, nodes.mem_mb),
        runtime=min(need.minutes * attempt, site.max_minutes),
        gpus=(nodes.gpus if site.whole_nodes else need.devices) if on_gpu else 0,
    )
