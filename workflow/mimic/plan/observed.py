"""What runs that were made took, from the records of a store, beside what the plan says of them.

Trainings and writing alone: questions that were answered before aren't asked again, so a record of
answers may tell of any part of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mimic.compute import ComputeSettings
from mimic.files import read_json
from mimic.finetune.settings import PreferenceSettings, TrainingSettings
from mimic.finetune.spread import SpreadDpo, SpreadOrpo, SpreadSft
from mimic.models.settings import ModelSettings
from mimic.plan.architecture import Architecture
from mimic.plan.calibrate import Observation, bytes_of, device_of, seconds_of
from mimic.plan.corpus import PROMPT_TOKENS, Lengths
from mimic.plan.devices import Device, Kind, Node, node_of
from mimic.plan.memory import Memory, training_memory, writing_memory
from mimic.plan.study_training import task_of
from mimic.plan.study_work import architecture_of, writing_of
from mimic.plan.time import training_seconds, writing_seconds
from mimic.plan.workload import Method
from mimic.provenance.records import read_record
from mimic.provenance.store import RECORD, Store
from mimic.settings import parse_settings
from mimic.writing.settings import WritingSettings

METHODS: dict[str, tuple[Method, type[SpreadSft] | type[SpreadDpo] | type[SpreadOrpo]]] = {
    "finetune.sft": ("sft", SpreadSft),
    "finetune.dpo": ("dpo", SpreadDpo),
    "finetune.orpo": ("orpo", SpreadOrpo),
}


def observations(
    store: Store, models: Mapping[str, ModelSettings], lengths: Lengths
) -> Iterator[Observation]:
    """What the records of a store tell of time and memory.

    Parameters
    ----------
    lengths
        Of the essays of the study that is planned, for which those of other studies are taken.
    """
    for identity in store.entries():
        try:
            record = read_record(store.entry(identity) / RECORD)
        except ValueError:
            # Which record fits and which doesn't is the audit's business.
            continue
        if record["identity"]["step"] in {*METHODS, "writing.write"}:
            yield from _observed(record, store.entry(identity), models, lengths)


def _observed(
    record: Mapping[str, Any],
    entry: Path,
    models: Mapping[str, ModelSettings],
    lengths: Lengths,
) -> Iterator[Observation]:
    settings, circumstances = record["identity"]["settings"], record["circumstances"]
    architecture = _architecture(record, models)
    kind = device_of(settings, circumstances)
    if architecture is None or kind is None:
        return
    compute = parse_settings(ComputeSettings, settings["compute"], source=str(entry))
    node = node_of(kind, threads=compute.threads)
    step, gpus = record["identity"]["step"], circumstances["device"]["gpus"]
    if step == "writing.write" and kind != "cpu" and len(gpus) > 1:
        # Whether one of them wrote, or all, no record tells.
        return
    planned = _planned(step, settings, entry, architecture, node, lengths)
    if planned is None:
        return
    method, seconds, memory = planned
    if (took := seconds_of(circumstances)) is not None:
        yield Observation(
            device=kind, method=method, quantity="seconds", measured=took, planned=seconds
        )
    if (peak := bytes_of(kind, circumstances)) is not None:
        yield Observation(
            device=kind,
            method=method,
            quantity="bytes",
            measured=peak,
            planned=_comparable(memory, kind, node.device),
        )


def _comparable(memory: Memory, kind: Kind, device: Device) -> float:
    """The planned bytes of what is measured: of a GPU that of tensors, without what is around."""
    return memory.total if kind == "cpu" else memory.total - memory.overhead


def _architecture(
    record: Mapping[str, Any], models: Mapping[str, ModelSettings]
) -> Architecture | None:
    """The shape of the model that a record goes back to; None if it is no model of today."""
    for origin in record["identity"]["origins"].get("models", []):
        for model in models.values():
            same = model.source.model_dump(mode="json") == origin["source"]
            if same and model.architecture is not None:
                return architecture_of(model)
    return None


def _planned(
    step: str,
    settings: Mapping[str, Any],
    entry: Path,
    architecture: Architecture,
    node: Node,
    lengths: Lengths,
) -> tuple[str, float, Memory] | None:
    """Method, seconds and memory by the plan; None if its settings are of another time."""
    try:
        if step == "writing.write":
            writing = writing_of(
                parse_settings(WritingSettings, settings["writing"], source=str(entry)),
                parse_settings(ComputeSettings, settings["compute"], source=str(entry)),
            )
            taken = writing_seconds(architecture, writing, node.device).total
            return "writing", taken, writing_memory(architecture, writing, node.device)
        method, model = METHODS[step]
        values = settings[method] | {"launch": settings.get("launch", {})}
        parsed = parse_settings(model, values, source=str(entry))
    except (ValueError, KeyError):
        return None
    learning = read_json(entry / "learning.json")
    steps, adapters = learning["steps"], learning.get("adapters", 1)
    training = task_of(
        parsed.model_copy(update={"steps": steps, "epochs": None}),
        method=method,
        lengths=lengths,
        examples=_examples(parsed, steps=steps, adapters=adapters),
        checked=_checked(learning["checks"]),
        prompt=PROMPT_TOKENS,
        adapters=adapters,
    )
    seconds = training_seconds(architecture, training, node).total
    return method, seconds, training_memory(architecture, training, node.device)


def _examples(settings: TrainingSettings, *, steps: int, adapters: int) -> int:
    """Distinct examples, or pairs, of a training whose adapters took so many steps altogether."""
    seen = steps * settings.batch_size * settings.accumulation / (settings.epochs or 1)
    if isinstance(settings, PreferenceSettings) and settings.pairs is not None:
        seen = min(seen, settings.pairs * adapters)
    return max(1, round(seen))


def _checked(checks: list[dict[str, Any]]) -> tuple[int, int]:
    """Training examples and validation examples that a training looked at."""
    counts = {check["check"].startswith("training"): check["examples"] for check in checks}
    return counts.get(True, 0), counts.get(False, 0)
