"""What the plan says of a study's jobs by settings alone, for the graph of its jobs.

With lengths of essays that are assumed and without what was measured: jobs mustn't be put together
otherwise, or ask for something else, when a record or a corpus appears.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

from mimic.packs import list_packs
from mimic.plan.architecture import Architecture
from mimic.plan.corpus import assumed_lengths
from mimic.plan.devices import Device, Kind, node_of
from mimic.plan.fitting import ERROR
from mimic.plan.memory import asked_weights, loaded_bytes, training_memory
from mimic.plan.study_training import training_of
from mimic.plan.study_work import architecture_of, count_items, uses_of
from mimic.plan.time import answering_seconds, training_seconds, writing_seconds
from mimic.plan.workload import Answering, Training, Writing
from mimic.study import Study

# What a training asks for at least, and where the plan knows nothing of it: MB for each process,
# with all of its libraries, and minutes.
LEAST_MB, LEAST_MINUTES = 4000, 120
# The same of a job that asks a model or has it write, besides the model's weights.
LEAST_USE_MB, LEAST_USE_MINUTES = 3000, 60
# What a job may take of the time that is planned, before its job is ended: plans of time are
# right within a factor of two (docs/plan.md).
PATIENCE = 2.0
# What asked times are rounded up to, in minutes.
ROUNDED = 10


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A training by settings alone, and its seconds."""

    architecture: Architecture
    training: Training
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a job asks for of the host.

    Attributes
    ----------
    mem_mb
        Memory of the host, in 10⁶ bytes.
    runtime
        Minutes.
    """

    mem_mb: int
    runtime: int


def packs_of(study: Study) -> dict[str, tuple[str, ...]]:
    """The runs of each pack, by the label of its first."""
    size = study.settings.finetune.pack
    if size is None:
        return {}
    planned = _planned_of(study)
    seconds = {
        label: planned(label).seconds
        for label, run in study.runs.items()
        if run.training is not None
    }
    return list_packs(study.runs.values(), size=size, seconds=seconds)


def resources_of(study: Study) -> Callable[..., Resources]:
    """What the trainings of a study ask for, computed when a job of some runs is asked about.

    The trainings of several runs are done side by side, each in processes of its own.
    """
    planned, on_cpu = _planned_of(study), study.settings.compute.device == "cpu"
    device = node_of("cpu", threads=study.settings.compute.threads).device

    @functools.cache
    def of_run(label: str) -> Resources:
        run = study.runs[label]
        assert run.training is not None  # base runs have no such job
        devices = run.training.launch.devices
        try:
            found = planned(label)
        except ValueError:
            # Of layers that an adapter is on, or of a shape, that the plan doesn't know.
            return Resources(mem_mb=LEAST_MB * devices, runtime=LEAST_MINUTES)
        if on_cpu:
            memory = training_memory(found.architecture, found.training, device).total
            mem_mb = max(LEAST_MB, math.ceil(memory * (1 + ERROR) / 1e6))
        else:
            # On their way to the device weights are whole in each process's memory.
            loaded = loaded_bytes(found.architecture, found.training)
            mem_mb = LEAST_MB + math.ceil(loaded / 1e6)
        minutes = max(LEAST_MINUTES, _minutes(found.seconds))
        return Resources(mem_mb=mem_mb * devices, runtime=minutes)

    def of(*labels: str) -> Resources:
        each = [of_run(label) for label in labels]
        return Resources(
            mem_mb=sum(one.mem_mb for one in each), runtime=max(one.runtime for one in each)
        )

    return of


def uses_resources_of(study: Study) -> Callable[[str, str, str], Resources]:
    """What the jobs that ask a model, or have it write, ask for: by run, section and context.

    Sections are those of `mimic.plan.study_work.Work`.
    """
    compute = study.settings.compute
    kind: Kind = "cpu" if compute.device == "cpu" else "a100-40"
    device, items = node_of(kind, threads=compute.threads).device, count_items(study)

    @functools.cache
    def of_run(label: str) -> dict[tuple[str, str], Resources]:
        if study.is_served(label):
            return {}
        run = study.runs[label]
        architecture = architecture_of(study.models[run.model])
        found: dict[tuple[str, str], Resources] = {}
        for use in uses_of(study, run, items=items):
            task = use.task
            assert not isinstance(task, Training)
            loaded = math.ceil(asked_weights(architecture, task) / 1e6)
            seconds = _use_seconds(architecture, task, device)
            asked = Resources(
                mem_mb=(LEAST_USE_MB + loaded) * task.devices,
                runtime=max(LEAST_USE_MINUTES, _minutes(seconds)),
            )
            # Of answers in training wordings, which are fewer, nothing more is asked.
            found.setdefault((use.section, use.context), asked)
        return found

    def of(label: str, section: str, context: str = "") -> Resources:
        least = Resources(mem_mb=LEAST_USE_MB, runtime=LEAST_USE_MINUTES)
        return of_run(label).get((section, context), least)

    return of


def _use_seconds(architecture: Architecture, task: Writing | Answering, device: Device) -> float:
    if isinstance(task, Writing):
        return writing_seconds(architecture, task, device).total
    return answering_seconds(architecture, task, device).total


def _minutes(seconds: float) -> int:
    """Minutes to ask for, for what is planned to take so long."""
    return ROUNDED * math.ceil(seconds * PATIENCE / 60 / ROUNDED)


def _planned_of(study: Study) -> Callable[[str], Planned]:
    """The plan of each training of a study, by the run's label."""
    compute, lengths = study.settings.compute, assumed_lengths(study.settings.essays)
    kind: Kind = "cpu" if compute.device == "cpu" else "a100-40"
    node, items = node_of(kind, threads=compute.threads), count_items(study)

    def of(label: str) -> Planned:
        run = study.runs[label]
        architecture = architecture_of(study.models[run.model])
        training = training_of(study, run, lengths, items=items)
        seconds = training_seconds(architecture, training, node).total
        return Planned(architecture=architecture, training=training, seconds=seconds)

    return of
