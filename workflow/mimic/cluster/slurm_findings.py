"""What `mimic doctor` asks Slurm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mimic.cluster import slurm_limits
from mimic.cluster.checks import refusals
from mimic.cluster.finding import MISSING, OK, UNCHECKED, Finding
from mimic.cluster.site import Site

# squeue is asked first after this many seconds, unless a profile says otherwise (the plugin's own).
FIRST_LOOK_S = 40
DELAY = "slurm-init-seconds-before-status-checks"
COMMAND = "slurm-status-command"
# The first look, one that found nothing new, and one that came late. With less the plugin turns to
# sacct, and says so in its log alone.
LOOKS = 3
# Where nothing ends the plugin looks ever more seldom, at last each 180 s, and a look may be slow.
# Of a job that ended and was forgotten between two looks snakemake never learns.
LEAST_S = 240


def slurm_findings(
    site: Site, profile: Mapping[str, Any], environment: Mapping[str, str], *, source: Path
) -> Iterator[Finding]:
    """Account, QOS, partitions, their nodes, and how long Slurm remembers ended jobs.

    Parameters
    ----------
    profile
        What ``config.yaml`` beside the site's file holds.
    environment
        Of the process.
    source
        The site's file.
    """
    what = "account, QOS, partitions"
    try:
        wrong = refusals(site, environment, source=str(source))
    except ValueError as error:
        yield Finding(what=what, state=UNCHECKED, found=str(error))
    else:
        for one in wrong:
            yield Finding(what=what, state=MISSING, found=one)
        if not wrong:
            paid = ", ".join(site.account_and_qos(environment).values()) or "the cluster's own"
            found = f"{paid}; {site.cpu.partition}, {site.gpu.partition}"
            yield Finding(what=what, state=OK, found=found)
    yield _figures(site, source)
    yield memory_of_jobs(profile.get(COMMAND), int(profile.get(DELAY, FIRST_LOOK_S)))


def memory_of_jobs(command: str | None, delay: int) -> Finding:
    """Whether squeue still tells of a job that ended when it is asked.

    Parameters
    ----------
    command
        What snakemake asks of its jobs.
    delay
        Seconds before it asks first.
    """
    what = "MinJobAge"
    if command != "squeue":
        found = f"{COMMAND} isn't squeue, so it doesn't matter"
        return Finding(what=what, state=OK, found=found)
    try:
        age = slurm_limits.remembered_s()
    except ValueError as error:
        return Finding(what=what, state=UNCHECKED, found=str(error))
    needed = max(LOOKS * delay, LEAST_S)
    found = f"ended jobs are forgotten after {age} s; {needed} s are needed"
    if age >= needed:
        return Finding(what=what, state=OK, found=found)
    if age == 0:
        found = (
            "0: ended jobs are never forgotten, but snakemake's plugin takes that for too soon and "
            f"asks sacct; {needed} s are needed"
        )
    mend = (
        f"set {DELAY} in the profile to at most {age // LOOKS}"
        if age >= LEAST_S
        else f"ask who runs the cluster for a MinJobAge of at least {needed} (`scontrol show "
        f"config` tells it); until then {COMMAND}: sacct in the profile, with which snakemake "
        "waits for ever for a job that scancel ended"
    )
    return Finding(what=what, state=MISSING, found=found, mend=mend)


def _figures(site: Site, source: Path) -> Finding:
    """Whether nodes have what the site's file says that jobs may ask for."""
    what = "memory, GPUs and walltime of nodes"
    try:
        limits = slurm_limits.node_limits()
    except ValueError as error:
        return Finding(what=what, state=UNCHECKED, found=str(error))
    told, wrong = [], []
    for kind, nodes in (("cpu", site.cpu), ("gpu", site.gpu)):
        # A partition that there isn't has a line of its own.
        if (there := limits.get(nodes.partition)) is None:
            continue
        wall = "no limit" if there.minutes is None else f"{there.minutes} minutes"
        told.append(f"{nodes.partition}: {there.mem_mb} MB, {there.gpus} GPUs, {wall}")
        if nodes.mem_mb > there.mem_mb:
            wrong.append(f"{kind}.mem_mb (now {nodes.mem_mb}) to at most {there.mem_mb}")
        if nodes.gpus > there.gpus:
            wrong.append(f"{kind}.gpus (now {nodes.gpus}) to at most {there.gpus}")
        if there.minutes is not None and site.max_minutes > there.minutes:
            wrong.append(f"max_minutes (now {site.max_minutes}) to at most {there.minutes}")
    found = "; ".join(told)
    if not wrong:
        return Finding(what=what, state=OK, found=found)
    return Finding(
        what=what, state=MISSING, found=found, mend=f"set {', '.join(wrong)} in {source}"
    )
