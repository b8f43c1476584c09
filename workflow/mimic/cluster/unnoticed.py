"""Jobs that Slurm has ended and snakemake waits for, since squeue forgot them before it looked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from mimic.cluster.slurm import AccountedJob
from mimic.cluster.snakemake_log import Invocation

# snakemake looks every three minutes at the most, and then waits for files.
NOTICED_S = 600.0


def unnoticed(invocation: Invocation, ended: Iterable[AccountedJob]) -> Iterator[str]:
    """A line for each job that snakemake waits for in vain.

    Groups aren't told: snakemake says of their members alone that they have ended.

    Parameters
    ----------
    invocation
        Of a snakemake that lives.
    ended
        Its jobs that Slurm has ended.
    """
    for row in ended:
        mine = invocation.submitted.get(row.job)
        if mine is None or row.job in invocation.failed or not mine.task.isdigit():
            continue
        try:
            # A job's last sign of life: its snakemake tells there how it ended.
            quiet_s = time.time() - mine.log.stat().st_mtime
        except OSError:
            continue
        if mine.task not in invocation.ended_well and quiet_s > NOTICED_S:
            yield (
                f"snakemake waits for job {row.job}, which Slurm has ended: end snakemake and "
                "start it again. `mimic doctor` tells whether Slurm forgets jobs too soon"
            )
