"""The plan of a study: each job's memory, devices and time, and what the study takes altogether."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mimic.plan.architecture import Architecture
from mimic.plan.calibrate import Factors
from mimic.plan.devices import Node
from mimic.plan.fitting import Refused, fits, over_in_words, place_training, place_writing
from mimic.plan.memory import Memory, answering_memory
from mimic.plan.schedule import PlannedJob, Usage, as_set, packed, usage
from mimic.plan.study_work import Work
from mimic.plan.time import answering_seconds, training_seconds, writing_seconds
from mimic.plan.workload import Answering, Training, Writing


@dataclass(frozen=True, kw_only=True)
class Row:
    """One job of the plan.

    Attributes
    ----------
    task
        As it is planned, which may be another arrangement than `work` has it in.
    nodes, hours
        Nodes that it needs, and for how long by the plan's constants; of what fits nowhere None.
    calibrated_hours, calibrated_bytes
        The same by what was measured of such runs; None where none was made.
    words
        What doesn't fit as it is set, and the settings to paste.
    """

    work: Work
    task: Training | Writing | Answering
    memory: Memory
    fits: bool
    nodes: int
    hours: float | None
    calibrated_hours: float | None
    calibrated_bytes: float | None
    words: str

    @property
    def devices(self) -> int:
        """Devices that the job runs on."""
        return self.task.devices if isinstance(self.task, Training) else 1

    @property
    def best_hours(self) -> float | None:
        """Hours by what was measured, else by the constants."""
        return self.hours if self.calibrated_hours is None else self.calibrated_hours


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of a study.

    Attributes
    ----------
    as_set, packed
        What it takes of the nodes as it is set, and with the jobs of a stage side by side.
    """

    rows: tuple[Row, ...]
    node: Node
    as_set: Usage
    packed: Usage

    @property
    def fits(self) -> bool:
        """Whether every job fits somewhere."""
        return all(row.fits for row in self.rows)


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
    jobs = [
        PlannedJob(
            name=row.work.name,
            stage=row.work.stage,
            devices=row.devices,
            hours=hours,
            pack=row.work.pack,
        )
        for row in rows
        if (hours := row.best_hours) is not None
    ]
    return Plan(
        rows=rows,
        node=node,
        as_set=usage(as_set(jobs, node), node),
        packed=usage(packed(jobs, node), node),
    )


def _row(work: Work, architecture: Architecture, node: Node, factors: Factors) -> Row:
    task, memory, does_fit, words = _placed(work, architecture, node)
    hours = _seconds(task, architecture, node) / 3600 if does_fit else None
    kind = node.device.kind
    time = factors.get((kind, work.method, "seconds"))
    size = factors.get((kind, work.method, "bytes"))
    return Row(
        work=work,
        task=task,
        memory=memory,
        fits=does_fit,
        nodes=-(-(task.devices if isinstance(task, Training) else 1) // node.gpus),
        hours=hours,
        calibrated_hours=None if hours is None or time is None else hours * time.value,
        calibrated_bytes=None if size is None else memory.total * size.value,
        words=f"{work.model}: {words}" if words else "",
    )


def _placed(
    work: Work, architecture: Architecture, node: Node
) -> tuple[Training | Writing | Answering, Memory, bool, str]:
    """The task as it is planned, its memory, whether it fits, and what there is to say."""
    task = work.task
    if isinstance(task, Training):
        found = place_training(architecture, task, node, section=work.section)
        if isinstance(found, Refused):
            return task, found.memory, False, found.words
        return found.training, found.memory, True, found.words
    if isinstance(task, Writing):
        written = place_writing(architecture, task, node.device, section=work.section)
        if isinstance(written, Refused):
            return task, written.memory, False, written.words
        return task, written, True, ""
    memory = answering_memory(architecture, task, node.device)
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
