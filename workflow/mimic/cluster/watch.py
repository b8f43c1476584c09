"""What there is to see of a cluster run of a folder: facts, from one squeue and one sacct."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from mimic.cluster import slurm
from mimic.cluster.guard import submitted_from, submitting
from mimic.cluster.job_log import JobLog, last_words, read_progress, tail_of
from mimic.cluster.site import Site
from mimic.cluster.slurm import AccountedJob, SeenJob
from mimic.cluster.snakemake_log import (
    Invocation,
    Task,
    last_invocation,
    name_of,
    task_of,
    task_of_log,
)
from mimic.cluster.states import GOING_ON, STARTED_AGAIN, WAITING, mend_of, reason_in_words
from mimic.cluster.unnoticed import unnoticed


@dataclass(frozen=True, kw_only=True)
class Pending:
    """A job that waits; `start` is when Slurm expects it to start, if it says so."""

    job: str
    name: str
    reason: str
    start: datetime | None


@dataclass(frozen=True, kw_only=True)
class Running:
    """A job that runs; `former` says what ended it before Slurm started it again."""

    job: str
    name: str
    state: str
    nodes: str
    elapsed_s: int
    walltime_s: int | None
    log: JobLog
    former: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A job that ended without its results.

    Attributes
    ----------
    state
        Slurm's word.
    mend
        What that means, and what to do.
    words
        What the job said at last.
    """

    job: str
    name: str
    state: str
    mend: str
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A cluster run, as it is seen at a moment.

    Attributes
    ----------
    at, began
        Now, and when the last snakemake here that submits jobs was started.
    submitting
        Its process; None if it is gone.
    steps
        How many of snakemake's jobs have ended well, of how many.
    rules
        The same for each rule.
    failed
        Without those that were submitted again.
    retried
        What ended jobs that were submitted again: Slurm's state, and how often.
    done
        How many of Slurm's jobs have ended well; None if Slurm doesn't say.
    hours_used, hours_left
        Node-hours since `began`, and by the plan; None if that can't be told.
    notes
        What can't be told, and why.
    """

    at: datetime
    began: datetime
    submitting: str | None
    steps: tuple[int, int]
    rules: Mapping[str, tuple[int, int]]
    pending: tuple[Pending, ...]
    running: tuple[Running, ...]
    failed: tuple[Failed, ...]
    retried: Mapping[str, int]
    done: int | None
    hours_used: float | None
    hours_left: float | None
    notes: tuple[str, ...]


def invocation_of(folder: Path) -> Invocation:
    """The last snakemake of a folder that submits to Slurm.

    Raises
    ------
    ValueError
        If there was none.
    """
    found = last_invocation(folder)
    if found is None:
        raise ValueError(
            "no snakemake has submitted jobs to Slurm from this folder yet; `snakemake --profile "
            "meluxina` does (docs/slurm.md)"
        )
    return found


def site_file_of(invocation: Invocation, folder: Path) -> Path | None:
    """The site's file that the profile of an invocation names; None if that can't be told."""
    if invocation.profile is None:
        return None
    try:
        text = (folder / invocation.profile / "config.yaml").read_text(encoding="utf-8")
        entries = (yaml.safe_load(text) or {}).get("config", [])
    except (OSError, yaml.YAMLError):
        return None
    named = [entry.removeprefix("site=") for entry in entries if entry.startswith("site=")]
    return folder / named[0] if named else None


def look(
    folder: Path,
    invocation: Invocation,
    *,
    site: Site | None,
    hours_left: Callable[[Mapping[Task, int]], float] | None,
    notes: Sequence[str] = (),
) -> Facts:
    """Look once.

    Parameters
    ----------
    site
        Whose limits are told; None if it isn't known.
    hours_left
        Says what node-hours are left by the plan, from the seconds of what runs; None if there is
        no plan.
    notes
        What can't be told, whenever one looks.

    Raises
    ------
    ValueError
        If squeue doesn't answer.
    """
    queued = [
        job for job in slurm.queue() if submitted_from(folder, name=job.name, works_in=job.folder)
    ]
    notes = list(notes)
    rows: list[AccountedJob] | None = None
    try:
        rows = [
            row
            for row in slurm.accounted(invocation.began)
            if submitted_from(folder, name=row.name, works_in=row.folder)
        ]
    except ValueError as error:
        notes.append(f"what ended how is snakemake's word; node-hours can't be told: {error}")
    if site is not None and not site.whole_nodes:
        notes.append("node-hours are counted as if each job had its nodes to itself")
    running = [job for job in queued if job.state not in WAITING]
    ended = _ended(invocation, rows or (), {job.job for job in queued})
    if (who := submitting(folder)) is not None:
        notes += unnoticed(invocation, ended)
    bad = [row for row in ended if row.state != "COMPLETED"]
    retried = [row for row in bad if _again(invocation, row.job)]
    return Facts(
        at=datetime.now(),
        began=invocation.began,
        submitting=who,
        steps=invocation.steps,
        rules={
            rule: (invocation.finished.get(rule, 0), count)
            for rule, count in invocation.total.items()
        },
        pending=tuple(_pending(job) for job in queued if job.state in WAITING),
        running=tuple(_running(job, invocation, rows or ()) for job in running),
        failed=(
            *(_failed(row, invocation, folder, site) for row in bad if row not in retried),
            *_failed_here(invocation, folder),
        ),
        retried={s: sum(r.state == s for r in retried) for s in {r.state for r in retried}},
        done=None if rows is None else len(ended) - len(bad),
        hours_used=None if rows is None else sum(row.node_hours for row in rows),
        hours_left=None
        if hours_left is None
        else hours_left({task_of(job.comment): job.elapsed_s or 0 for job in running}),
        notes=tuple(notes),
    )


def _ended(
    invocation: Invocation, rows: Sequence[AccountedJob], queued: set[str]
) -> list[AccountedJob]:
    """The jobs of an invocation that ended, as they did at last."""
    # Of those that Slurm doesn't account for, or not yet, snakemake knows which failed.
    last = {job: _as_snakemake_says(job, state) for job, state in invocation.failed.items()}
    last |= {
        row.job: row for row in rows if row.name == invocation.name and row.state not in GOING_ON
    }
    return [row for row in last.values() if row.job not in queued]


def _as_snakemake_says(job: str, state: str) -> AccountedJob:
    return AccountedJob(
        job=job,
        name="",
        state=state,
        cancelled_by=None,
        elapsed_s=0,
        nodes=0,
        exit_status=0,
        signal=0,
        walltime_min=None,
        memory="",
        comment="",
        folder="",
    )


def _again(invocation: Invocation, job: str) -> bool:
    """Whether what a job did was submitted again."""
    mine = invocation.submitted.get(job)
    return mine is not None and any(
        other.task == mine.task and int(other.job) > int(job)
        for other in invocation.submitted.values()
    )


def _pending(job: SeenJob) -> Pending:
    return Pending(
        job=job.job,
        name=name_of(task_of(job.comment)),
        reason=reason_in_words(job.reason),
        start=job.start,
    )


def _running(job: SeenJob, invocation: Invocation, rows: Sequence[AccountedJob]) -> Running:
    mine = invocation.submitted.get(job.job)
    return Running(
        job=job.job,
        name=name_of(task_of(job.comment)),
        state=job.state,
        nodes=job.nodes,
        elapsed_s=job.elapsed_s or 0,
        walltime_s=job.walltime_s,
        log=read_progress(mine.log) if mine else JobLog(progress=(), tasks=1, done=0),
        former=tuple(r.state for r in rows if r.job == job.job and r.state in STARTED_AGAIN),
    )


def _failed(row: AccountedJob, invocation: Invocation, folder: Path, site: Site | None) -> Failed:
    mine = invocation.submitted.get(row.job)
    # Not every Slurm keeps comments; the plugin names the log's folders by rule and wildcards.
    task = task_of(row.comment) if row.comment or mine is None else task_of_log(mine.log)
    return Failed(
        job=row.job,
        name=name_of(task),
        state=row.state,
        mend=mend_of(row, site),
        words=last_words(mine.log, folder=folder) if mine else (),
    )


def _failed_here(invocation: Invocation, folder: Path) -> Iterator[Failed]:
    for rule, log in invocation.failed_here:
        yield Failed(
            job="here",
            name=rule,
            state="FAILED",
            mend="failed in snakemake's own machine. Mend it and start snakemake again",
            words=(f"{log}:", *(f"  {line}" for line in tail_of(folder / log))),
        )
