"""What node-hours of a study are left, by its plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mimic.cluster.snakemake_log import Task
from mimic.plan.calibrate import fit
from mimic.plan.command import plan_study
from mimic.plan.corpus import essay_lengths
from mimic.plan.devices import Node
from mimic.plan.observed import observations
from mimic.plan.schedule import PlannedJob, as_set
from mimic.plan.study_work import Work
from mimic.provenance.store import the_store
from mimic.study import Study


@dataclass(frozen=True, kw_only=True)
class Due:
    """A planned job: the task of its Slurm job, and the file that is there when it has ended."""

    task: Task
    output: Path
    job: PlannedJob


@dataclass(frozen=True, kw_only=True)
class HoursLeft:
    """The planned jobs of a study; called, says what node-hours are left.

    Attributes
    ----------
    unplanned
        How many jobs run a model that the plan has no hours of.
    """

    dues: tuple[Due, ...]
    node: Node
    unplanned: int

    def __call__(self, elapsed: Mapping[Task, int]) -> float:
        """Node-hours of jobs without results, less what those that run have had.

        Parameters
        ----------
        elapsed
            Seconds of jobs that run.
        """
        left = [due for due in self.dues if not due.output.is_file()]
        # What is packed has one task.
        task_of = {(due.job.stage, due.job.name): due.task for due in left}
        hours = 0.0
        for allocation in as_set((due.job for due in left), self.node):
            first = allocation.jobs[0]
            had = elapsed.get(task_of[first.stage, first.name], 0) / 3600
            hours += allocation.nodes * max(0.0, allocation.hours - had)
        return hours


def hours_left_of(study: Study) -> HoursLeft:
    """The planned jobs of a study, by what was measured of such jobs where some were made."""
    lengths = essay_lengths(study.settings.essays)
    factors = fit(observations(the_store(), study.models, lengths))
    plan = plan_study(study, lengths, factors=factors)
    planned = [row for row in plan.rows if row.best_hours is not None]
    root = Path(study.settings.root)
    dues = []
    for row, job in zip(planned, plan.jobs, strict=True):
        task, folder = _place(row.work)
        dues.append(Due(task=task, output=root / folder / "manifest.json", job=job))
    return HoursLeft(dues=tuple(dues), node=plan.node, unplanned=len(plan.rows) - len(planned))


def _place(work: Work) -> tuple[Task, Path]:
    """The task of a planned job, and its folder below the study's."""
    run, _, more = work.name.partition(", ")
    if work.stage != "questionnaire":
        task = (work.stage, run) if work.pack is None else ("pack", work.pack)
        return task, Path(work.stage, run)
    if work.method == "generation":
        place = Path("generated", work.context, run)
        return ("generated", f"{work.context}_{run}"), Path(work.stage, place)
    part = ("seen",) if more.startswith("training wording") else ()
    place = Path(*part, work.context, run)
    # Of the wildcards the first, which is empty or begins with a slash, stands before these.
    wildcards = f"_{'_'.join(place.parts)}"
    return (work.stage, wildcards), Path(work.stage, place)
