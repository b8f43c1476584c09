"""What Slurm's reasons and states mean, and how to mend what ended a job."""

from __future__ import annotations

import pwd

from mimic.cluster.site import Site
from mimic.cluster.slurm import AccountedJob

# States of jobs that Slurm starts again by itself, where it may (`slurm-requeue`).
STARTED_AGAIN = frozenset({"NODE_FAIL", "PREEMPTED", "REQUEUED"})
# States of jobs that wait in the queue. Two of them end only by a person's word.
WAITING = frozenset({"PENDING", "REQUEUE_HOLD", "SPECIAL_EXIT"})
# States of jobs that haven't ended.
GOING_ON = WAITING | {
    "RUNNING",
    "COMPLETING",
    "CONFIGURING",
    "SUSPENDED",
    "RESIZING",
    "STOPPED",
}

_KILLED = 9
_REASONS = {
    "None": "just submitted; Slurm hasn't looked at it yet",
    "Resources": "nodes that it needs are busy; it is the next",
    "Priority": "jobs of higher priority come first",
    "Dependency": "waits for another job",
    "BeginTime": "isn't to start before a set time, as after a failed start",
    "JobHeldUser": "held: `scontrol release` lets it go on",
    "launch_failed_requeued_held": "its start failed, and it is held: `scontrol release` lets it "
    "go on, and after `scancel` snakemake submits it again",
    "JobHoldMaxRequeue": "started again too often, and held: after `scancel` snakemake submits it "
    "again",
    "JobHeldAdmin": "held by the machine's staff; ask them",
    "Reservation": "waits for its reservation",
    "ReqNodeNotAvail": "nodes that it may run on are down or reserved, as for maintenance",
    "PartitionDown": "the partition is down",
    "PartitionInactive": "the partition takes no jobs now",
    "PartitionTimeLimit": "asks for more time than the partition allows",
    "PartitionNodeLimit": "asks for more nodes than the partition has",
    "Licenses": "waits for a licence",
    "InvalidAccount": "the account isn't valid any more",
    "InvalidQOS": "the QOS isn't valid any more",
    "Cleaning": "ended once, and is about to be started again",
}
_LIMITS = {
    "MaxWallDuration": "asks for more time than {whose} allows",
    "MaxJobsPerUser": "as many jobs of yours run as {whose} allows",
    "MaxJobs": "as many jobs run as {whose} allows",
    "MaxSubmitJob": "as many jobs are submitted as {whose} allows",
    "Minutes": "the hours that {whose} has are used up",
    "": "a limit of {whose}",
}


def reason_in_words(reason: str) -> str:
    """Why a job pends, with Slurm's own word."""
    # ReqNodeNotAvail is followed by the nodes.
    word = reason.split(",")[0].strip(" ()").replace(" ", "_")
    said = _REASONS.get(word)
    for start, whose in (("QOS", "the QOS"), ("Assoc", "the account")):
        if said is None and word.startswith(start):
            said = next(text for name, text in _LIMITS.items() if name in word)
            said = said.format(whose=whose)
    return f"{said} ({reason})" if said else f"Slurm says {reason}"


def mend_of(job: AccountedJob, site: Site | None) -> str:
    """What ended a job that isn't in Slurm's queue any more, and what to do.

    Parameters
    ----------
    site
        Whose limits retries stop at; None if it isn't known.
    """
    state = job.state
    if state == "TIMEOUT":
        asked = "" if job.walltime_min is None else f" of {job.walltime_min} minutes"
        most = f", at most {site.max_minutes} (max_minutes of the site's file)" if site else ""
        return (
            f"its walltime{asked} was over. A retry asks for more{most}; trainings and answers go "
            "on from what was saved. If no retry is left, start snakemake again"
        )
    if state == "OUT_OF_MEMORY" or (state == "FAILED" and _was_killed(job)):
        how = "its memory was over" if state == "OUT_OF_MEMORY" else "killed, as if out of memory"
        how += f" (asked for {job.memory})" if job.memory else ""
        most = f", at most {site.gpu.mem_mb} MB of a GPU node" if site else ""
        return (
            f"{how}. A retry asks for more{most}. If that isn't enough, "
            "`mimic plan` proposes settings that fit"
        )
    if state in STARTED_AGAIN:
        what = {"PREEMPTED": "another job took its nodes", "REQUEUED": "it was started again"}
        return (
            f"{what.get(state, 'its node failed')}. Slurm starts such a job again by itself "
            "(slurm-requeue of the profile); this one isn't in its queue, so start snakemake again"
        )
    if state == "BOOT_FAIL":
        return (
            "its node didn't start. A retry is another job; if none is left, start snakemake again"
        )
    if state == "CANCELLED":
        by = "" if job.cancelled_by is None else f" by {_name(job.cancelled_by)}"
        return f"cancelled{by}. Start snakemake again; it goes on from what was saved"
    if state == "DEADLINE":
        return "it couldn't have ended before its deadline; start snakemake again"
    status = f" with exit status {job.exit_status}" if job.exit_status else ""
    return f"failed{status}: its last words say why. Mend that and start snakemake again"


def _was_killed(job: AccountedJob) -> bool:
    # By a signal, or with the status that a shell gives it.
    return job.signal == _KILLED or job.exit_status == 128 + _KILLED


def _name(user: int) -> str:
    """A user's name, or the number."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
