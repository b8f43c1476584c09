"""What `mimic doctor` asks Slurm."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mimic.cluster import slurm
from mimic.cluster.checks import refusals
from mimic.cluster.finding import MISSING, OK, UNCHECKED, Finding
from mimic.cluster.site import Site

# squeue is asked first after this many seconds, unless a profile says otherwise (the plugin's own).
FIRST_LOOK_S = 40
DELAY = "slurm-init-seconds-before-status-checks"
# The first look, one that found nothing new, and one that came late.
LOOKS = 3


def slurm_findings(
    site: Site, profile: Mapping[str, Any], environment: Mapping[str, str], *, source: Path
) -> Iterator[Finding]:
    """Account, QOS, partitions, and how long Slurm remembers ended jobs.

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
    yield _memory_of_jobs(profile, source.with_name("config.yaml"))


def _memory_of_jobs(profile: Mapping[str, Any], source: Path) -> Finding:
    """Whether squeue still tells of a job that ended when it is asked."""
    what = "MinJobAge"
    if profile.get("slurm-status-command") != "squeue":
        found = f"{source} doesn't ask squeue, so it doesn't matter"
        return Finding(what=what, state=OK, found=found)
    delay = int(profile.get(DELAY, FIRST_LOOK_S))
    try:
        age = slurm.remembered_s()
    except ValueError as error:
        return Finding(what=what, state=UNCHECKED, found=str(error))
    if age == math.inf:
        return Finding(what=what, state=OK, found="ended jobs are never forgotten")
    found = f"ended jobs are forgotten after {age:.0f} s; {LOOKS} × {DELAY} is {LOOKS * delay}"
    if age >= LOOKS * delay:
        return Finding(what=what, state=OK, found=found)
    largest = math.floor(age / LOOKS)
    mend = (
        f"set {DELAY} in {source} to {largest}"
        if largest
        else f"ask who runs the cluster for a MinJobAge of {LOOKS * delay}"
    )
    return Finding(what=what, state=MISSING, found=found, mend=mend)
