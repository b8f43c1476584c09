"""The plan of a study: each job's memory, devices and time, and what the study takes altogether."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mimic.plan import schedule
from mimic.plan.architecture import Architecture
from mimic.plan.calibrate import Factors
from mimic.plan.devices import Node
from mimic.plan.fitting import (
    Refused,
    fits,
    is_tight,
    over_in_words,
    place_training,
    place_writing,
)
from mimic.plan.memory import Memory, answering_memory
from mimic.plan.schedule import Allocation, PlannedJob, Usage
from mimic.plan.study_work import Work
from mimic.plan.time import answering_seconds, training_seconds, writing_seconds
from mimic.plan.workload import Answering, Training, Writing

STAGES = ("finetune", "writing", "questionnaire")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One job of the plan.

    Attributes
    ----------
    task
        As it is planned, which may be another arrangement than `work` has it in.
    memory
        By what was measured of such runs, where some were made.
    fits
        Whether it fits as it is planned.
    tight
        Whether it fits, but wouldn't if it took as much more as plans of memory err by.
    nodes, hours
        Nodes that it needs, and for how long by the plan's constants; of what fits nowhere None.
    calibrated_hours
        The same by what was measured of such runs; None where none was made.
    words
        What doesn't fit as it is set, and the settings to paste.
    """

    work: Work
    task: Training | Writing | Answering
    memory: Memory
    fits: bool
    tight: bool
    nodes: int
    hours: float | None
    calibrated_hours: float | None
    words: str

    @property
    def devices(self) -> int:
        """Devices that the job runs on."""
        return self.task.devices

    @property
    def best_hours(self) -> float | None:
        """Hours by what was measured, else by the constants."""
        return self.hours if self.calibrated_hours is None else self.calibrated_hours


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of a study.

    Attributes
    ----------
    jobs
        Those that fit, with their hours.
    parameters
        Of each model that has jobs, by name.
    """

    rows: tuple[Row, ...]
    node: Node
    jobs: tuple[PlannedJob, ...]
    parameters: Mapping[str, int]

    @property
    def fits(self) -> bool:
        """Whether every job fits as it is set."""
        return all(row.fits and row.task == row.work.task for row in self.rows)

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that have jobs, in their order."""
        some = {job.stage for job in self.jobs}
        return tuple(stage for stage in STAGES if stage in some)

    def as_set(self, stage: str | None = None) -> Usage:
        """What a stage, or the whole study, takes of the nodes as it is set."""
        return schedule.usage(schedule.as_set(self._jobs(stage), self.node), self.node)

    def packed(self, stage: str | None = None) -> Usage:
        """The same with the jobs of a stage side by side."""
        return schedule.usage(schedule.packed(self._jobs(stage), self.node), self.node)

    def packs(self) -> list[Allocation]:
        """The packs of its trainings."""
        packed = [job for job in self.jobs if job.pack is not None]
        packs = schedule.as_set(packed, self.node)
        return sorted(packs, key=lambda pack: -pack.hours)

    def _jobs(self, stage: str | None) -> list[PlannedJob]:
        return [job for job in self.jobs if stage in (None, job.stage)]


def plan_work(
    work: tuple[Work, ...],
    architectures: Mapping[str, Architecture],
    node: Node,
    *,
    factors: Factors,
) -> Plan:
    """Plan the jobs of a study.

    Parameters
    ----------
    architectures
        Of the models, by name.
    factors
        What was measured over what was planned.
    """
    rows = tuple(_row(one, architectures[one.model], node, factors) for one in work)
    jobs = tuple(
        PlannedJob(
            name=row.work.name,
            stage=row.work.stage,
            devices=row.devices,
            nodes=row.nodes,
            hours=hours,
            pack=row.work.pack,
        )
        for row in rows
        if (hours := row.best_hours) is not None
    )
    parameters = {row.work.model: architectures[row.work.model].parameters for row in rows}
    return Plan(rows=rows, node=node, jobs=jobs, parameters=parameters)


def _row(work: Work, architecture: Architecture, node: Node, factors: Factors) -> Row:
    size = factors.get((node.device.kind, work.method, "bytes"))
    factor = 1.0 if size is None else size.value
    task, memory, does_fit, words = _placed(work, architecture, node, factor)
    hours = _seconds(task, architecture, node) / 3600 if does_fit else None
    time = factors.get((node.device.kind, work.method, "seconds"))
    return Row(
        work=work,
        task=task,
        memory=memory,
        fits=does_fit,
        tight=is_tight(memory, node.device),
        nodes=max(_set_nodes(task), schedule.nodes_for(task.devices, node)),
        hours=hours,
        calibrated_hours=None if hours is None or time is None else hours * time.value,
        words=f"{work.model}: {words}" if words else "",
    )


def _set_nodes(task: Training | Writing | Answering) -> int:
    """Nodes that a task is set to run on at least."""
    return task.nodes if isinstance(task, Training) else 1


def _placed(
    work: Work, architecture: Architecture, node: Node, factor: float
) -> tuple[Training | Writing | Answering, Memory, bool, str]:
    """The task as it is planned, its memory, whether it fits, and what there is to say."""
    task = work.task
    if isinstance(task, Training):
        found = place_training(architecture, task, node, section=work.section, factor=factor)
        if isinstance(found, Refused):
            return task, found.memory, False, found.words
        return found.training, found.memory, True, found.words
    if isinstance(task, Writing):
        written = place_writing(
            architecture, task, node.device, section=work.section, factor=factor
        )
        if isinstance(written, Refused):
            return task, written.memory, False, written.words
        return task, written, True, ""
    memory = answering_memory(architecture, task, node.device).measured(factor, node.device)
    if fits(memory, node.device):
        return task, memory, True, ""
    over = over_in_words(memory, node.device)
    return task, memory, False, f"{work.section}: {over}. Take a smaller model or a larger device"


def _seconds(task: Training | Writing | Answering, architecture: Architecture, node: Node) -> float:
    if isinstance(task, Training):
        return training_seconds(architecture, task, node).total
    if isinstance(task, Writing):
        return writing_seconds(architecture, task, node.device).total
    return answering_seconds(architecture, task, node.device).total
