"""A cluster run in tables and words, for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mimic.cluster.job_log import Progress
from mimic.cluster.watch import Facts, Failed, Pending, Running

# Jobs that pend, a line each; of the others their reasons are counted.
SHOWN_PENDING = 8
# Jobs that failed, with their last words; of the others the state alone.
SHOWN_FAILED = 8


def render(facts: Facts) -> Group:
    """A run as it is shown: what pends, runs and failed, and where it ends, in sight, the whole."""
    parts: list[RenderableType] = []
    if facts.pending:
        parts += [_title(f"pending: {len(facts.pending)}", "bold"), *_pending(facts)]
    if facts.running:
        parts += [_title(f"running: {len(facts.running)}", "bold"), _running(facts.running)]
    if facts.failed:
        parts += [render_failed(facts.failed)]
    parts += [Text(), *_whole(facts), *(Text(f"note: {note}") for note in facts.notes)]
    return Group(*parts)


def render_failed(jobs: tuple[Failed, ...]) -> Group:
    """What failed: the state, the mend, the last words."""
    rest = [Text(f"{job.job}  {job.name}  {job.state}") for job in jobs[SHOWN_FAILED:]]
    if rest:
        rest.insert(0, Text("and:"))
    title = _title(f"failed: {len(jobs)}", "bold red")
    return Group(title, *map(_failed, jobs[:SHOWN_FAILED]), *rest)


def _whole(facts: Facts) -> Iterator[Text]:
    who = (
        f"snakemake submits ({facts.submitting})"
        if facts.submitting
        else "no snakemake submits now; the same command goes on"
    )
    yield Text(f"{facts.at:%Y-%m-%d %H:%M:%S}  {who}; began {facts.began:%Y-%m-%d %H:%M:%S}")
    done, of = facts.steps
    rules = ", ".join(f"{rule} {n}/{of}" for rule, (n, of) in facts.rules.items())
    yield Text(f"{done} of {of} jobs of the study done: {rules}")
    said = "" if facts.done is None else f"{facts.done} ended well, "
    again = "".join(f", {n} submitted again after {s}" for s, n in sorted(facts.retried.items()))
    yield Text(
        f"Slurm jobs: {said}{len(facts.failed)} failed, {len(facts.running)} running, "
        f"{len(facts.pending)} pending{again}"
    )
    used, left = (
        "unknown" if hours is None else f"{hours:.2f}"
        for hours in (facts.hours_used, facts.hours_left)
    )
    yield Text(f"node-hours: {used} used since then, {left} left by the plan")


def _title(words: str, style: str) -> Text:
    return Text(f"\n{words}", style=style)


def _failed(job: Failed) -> Group:
    head = Text(f"{job.job}  {job.name}  ")
    head.append(job.state, style="red")
    return Group(head, Text(f"  {job.mend}"), *(Text(f"    {line}") for line in job.words))


def _running(jobs: tuple[Running, ...]) -> Table:
    table = _table("job", "what", "node", "elapsed", "walltime", "how far")
    for job in jobs:
        state = "" if job.state == "RUNNING" else job.state.lower()
        again = f"again after {', '.join(job.former)}" if job.former else ""
        group = f"{job.log.done} of {job.log.tasks} jobs" if job.log.tasks > 1 else ""
        far = [state, again, group, *(_far(one, job) for one in job.log.progress)]
        table.add_row(
            job.job,
            job.name,
            job.nodes,
            _span(job.elapsed_s),
            "no limit" if job.walltime_s is None else _span(job.walltime_s),
            "\n".join(filter(None, far)) or "–",
        )
    return table


def _far(progress: Progress, job: Running) -> str:
    note = f", {progress.note}" if progress.note else ""
    share = progress.done / progress.total if progress.total else 1.0
    # The member of a group or of a pack; else the job itself.
    is_itself = job.log.tasks == 1 and progress.name.split()[0] == job.name.split()[0]
    who = "" if is_itself else f"{progress.name}: "
    return (
        f"{who}{progress.what} {progress.done} of {progress.total} ({share:.0%}), "
        f"{_span(progress.left_s)} left{note}"
    )


def _pending(facts: Facts) -> Iterator[RenderableType]:
    table = _table("job", "what", "expected", "why")
    for job in facts.pending[:SHOWN_PENDING]:
        table.add_row(job.job, job.name, _start(job, facts.at), job.reason)
    yield table
    rest = Counter(job.reason for job in facts.pending[SHOWN_PENDING:])
    for reason, count in rest.most_common():
        yield Text(f"and {count} more: {reason}")


def _start(job: Pending, now: datetime) -> str:
    if job.start is None:
        return "unknown"
    return f"{job.start:%H:%M}" if job.start.date() == now.date() else f"{job.start:%m-%d %H:%M}"


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def _span(seconds: int) -> str:
    return str(timedelta(seconds=seconds))
