"""Whether a lock's owner was a job that Slurm has ended, by Slurm's own word."""

from __future__ import annotations

import math
import os
import subprocess
import time
from collections.abc import Mapping
from typing import Any

# Slurm's controller serves everybody; whoever asks looks at the lock, too, again and again.
ASK_S, ANSWER_S = 15.0, 3.0
JOB, CLUSTER = "SLURM_JOB_ID", "SLURM_CLUSTER_NAME"


def own_job() -> dict[str, str | None]:
    """What a lock says of the Slurm job of its owner; None outside of one."""
    return {"slurm_job": os.environ.get(JOB), "slurm_cluster": os.environ.get(CLUSTER)}


class EndedJobs:
    """What a process that waits for a lock has heard of its owner's job."""

    def __init__(self) -> None:
        self._job: str | None = None
        self._has_ended = False
        self._asked_s = -math.inf

    def has_ended(self, owner: Mapping[str, Any]) -> bool:
        """Whether the owner's job has ended; asks Slurm at most every `ASK_S`.

        False where nobody knows: outside of Slurm, on another cluster, or when Slurm doesn't
        answer. A job that started again has the number of its former self, which may still run on a
        node that Slurm lost sight of: of one's own number nothing is concluded.
        """
        own = own_job()
        job = owner.get("slurm_job")
        if job is None or own["slurm_job"] in (None, job):
            return False
        if own["slurm_cluster"] is None or owner.get("slurm_cluster") != own["slurm_cluster"]:
            return False
        if job != self._job or (not self._has_ended and time.monotonic() - self._asked_s > ASK_S):
            self._job, self._has_ended = job, _is_gone(job)
            self._asked_s = time.monotonic()
        return self._has_ended


def _is_gone(job: str) -> bool:
    """Whether squeue, which names jobs until their last process is gone, doesn't name it."""
    command = ["squeue", "--noheader", f"--jobs={job}", "--format=%T"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    if done.returncode != 0:
        return "Invalid job id" in done.stderr
    return not done.stdout.strip()
