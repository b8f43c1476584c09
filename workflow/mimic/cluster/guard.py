"""One snakemake at a time in a folder, and no job left of one that was killed.

Snakemake's own lock stays when it is killed, and its jobs run on: after ``--unlock`` they would be
submitted again beside the running ones. This lock is taken over when its owner is gone, and what
the former one submitted is cancelled first. A cancelled training goes on from what it saved.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from mimic.cluster import slurm
from mimic.files import make_shared_folder
from mimic.provenance.lock import ABANDONED_S, hold_if_free, is_abandoned, read_owner

# As the profiles name their jobs (`slurm-jobname-prefix`).
JOB_PREFIX = "mimic_"
LOCK = Path(".snakemake/cluster.lock")
# Slurm sends SIGKILL 30 s after SIGTERM (KillWait, unless set otherwise), and takes a while.
ENDING_S = 180.0
POLL_S = 1.0


def hold_folder(folder: Path) -> None:
    """Hold the right to submit jobs from a folder until this process ends.

    Raises
    ------
    ValueError
        If another process has it.
    """
    path = folder / LOCK
    make_shared_folder(path.parent)
    held = ExitStack()
    if held.enter_context(hold_if_free(path)) is None:
        owner = read_owner(path) or {}
        raise ValueError(
            f"another snakemake submits jobs from this folder (process {owner.get('pid', '?')} on "
            f"{owner.get('host', 'another host')}); wait for it, or end it there. If that host is "
            f"gone, its lock is free {ABANDONED_S / 60:.0f} minutes after its last sign of life. "
            "Another study can run at the same time from another clone, with MIMIC_STORE naming "
            "one store for both"
        )
    atexit.register(held.close)


def check_free(folder: Path) -> None:
    """Check, before jobs run on this machine, that no cluster runs jobs of the folder's studies.

    Raises
    ------
    ValueError
        If some process submits jobs from there: it takes none of Snakemake's locks.
    """
    if (who := submitting(folder)) is not None:
        raise ValueError(
            f"a snakemake submits jobs to a cluster from this folder ({who}), which would make the "
            "same files; wait for it, or end it there. `snakemake -n` and `mimic watch` look "
            "meanwhile, and another study can run from another clone, with MIMIC_STORE naming one "
            "store for both"
        )


def cancel_leftovers(folder: Path, *, tell: Callable[[str], None]) -> list[str]:
    """Cancel the jobs of a snakemake that was killed in this folder, and wait until they are gone.

    Called by who holds the folder: all its jobs are left over then.

    Parameters
    ----------
    tell
        Shows a line.

    Returns
    -------
    list of str
        The jobs that were cancelled.

    Raises
    ------
    ValueError
        If some don't go.
    """
    cancelled: list[str] = []
    until = time.monotonic() + ENDING_S
    while left := _leftovers(folder):
        new = [job for job in left if job not in cancelled]
        if new:
            tell(
                f"cancelling {len(new)} job(s) left by a snakemake that was killed: {' '.join(new)}"
            )
            slurm.cancel(new)
            cancelled += new
        if time.monotonic() > until:
            raise ValueError(
                f"jobs {' '.join(left)} were cancelled {ENDING_S:.0f} s ago and haven't ended; "
                "see `squeue --me`, and start snakemake again when they are gone"
            )
        time.sleep(POLL_S)
    return cancelled


def submitted_from(folder: Path, *, name: str, works_in: str) -> bool:
    """Whether a job that is called so and works there was submitted by a snakemake of a folder."""
    return name.startswith(JOB_PREFIX) and Path(works_in).resolve() == folder.resolve()


def submitting(folder: Path) -> str | None:
    """The process that holds the right to submit jobs from a folder; None if none does."""
    path = folder / LOCK
    owner = read_owner(path)
    if owner is None or is_abandoned(path):
        return None
    return f"process {owner.get('pid', '?')} on {owner.get('host', 'another host')}"


def _leftovers(folder: Path) -> list[str]:
    return [
        job.job
        for job in slurm.own_jobs()
        if submitted_from(folder, name=job.name, works_in=job.folder)
    ]
