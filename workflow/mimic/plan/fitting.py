"""Whether a training fits its devices, and what would fit where it doesn't.

What leaves the training the same but for rounding is rearranged: smaller batches with more
accumulation, checkpointing, more devices. What makes it another training (attention, quantisation,
shorter examples) is named, never done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from mimic.plan.architecture import Architecture
from mimic.plan.devices import Device, Node
from mimic.plan.memory import Memory, training_memory, writing_memory
from mimic.plan.workload import Training, Writing

GB = 1e9
# Below this many tokens an essay's beginning isn't worth training on.
SHORTEST = 256
# How far plans of memory are off, mostly: docs/plan.md.
ERROR = 0.15
# What stands in the settings by the same name.
PASTED = (
    "batch_size",
    "accumulation",
    "checkpointing",
    "attention",
    "precision",
    "quantisation",
    "precompute_reference",
)


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A training that fits.

    Attributes
    ----------
    training
        As it is planned.
    words
        Empty if that is how it was set; else what was over what, and the settings to paste.
    """

    training: Training
    memory: Memory
    words: str = ""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """What fits nowhere as it is set.

    Attributes
    ----------
    memory
        What it would need as it was set.
    words
        What is over what, and settings that would fit, if there are any.
    """

    memory: Memory
    words: str


def place_training(
    architecture: Architecture,
    training: Training,
    node: Node,
    *,
    section: str,
    factor: float = 1.0,
) -> Placed | Refused:
    """Find the arrangement of a training that fits and is nearest to how it was set.

    Parameters
    ----------
    section
        The section of the settings that it stands in, such as ``finetune.dpo``.
    factor
        What was measured of such trainings over what was planned.
    """

    def planned(tried: Training) -> Memory:
        return training_memory(architecture, tried, node.device).measured(factor, node.device)

    memory = planned(training)
    if fits(memory, node.device):
        return Placed(training=training, memory=memory)
    over = f"{section}: {over_in_words(memory, node.device)}"
    for same in _the_same(training, node):
        if fits(planned(same), node.device):
            paste = settings_in_words(training, same, section)
            words = f"{over}; the same training fits with {paste}"
            return Placed(training=same, memory=planned(same), words=words)
    for other in _others(architecture, training, node.device):
        for same in (other, *_the_same(other, node)):
            if fits(planned(same), node.device):
                paste = settings_in_words(training, same, section)
                words = f"{over}; another training that fits: {paste}"
                return Refused(memory=memory, words=words)
    devices = node.gpus if training.divisible else training.devices
    words = (
        f"{over}; nothing that was tried fits: batches of 1, checkpointing, bfloat16, nf4, up to "
        f"{devices} device(s), shorter examples. Take a smaller model or a larger device"
    )
    return Refused(memory=memory, words=words)


def place_writing(
    architecture: Architecture,
    writing: Writing,
    device: Device,
    *,
    section: str,
    factor: float = 1.0,
) -> Memory | Refused:
    """The memory of writing, or the largest batch that fits."""

    def planned(tried: Writing) -> Memory:
        return writing_memory(architecture, tried, device).measured(factor, device)

    memory = planned(writing)
    if fits(memory, device):
        return memory
    over = f"{section}: {over_in_words(memory, device)}"
    batch = writing.batch_size // 2
    while batch:
        if fits(planned(replace(writing, batch_size=batch)), device):
            return Refused(
                memory=memory, words=f"{over}; fits with {section}: {{batch_size: {batch}}}"
            )
        batch //= 2
    return Refused(memory=memory, words=f"{over}; no batch fits. Take a smaller model")


def fits(memory: Memory, device: Device) -> bool:
    """Whether it can be planned for."""
    return memory.total <= device.memory_bytes


def is_tight(memory: Memory, device: Device) -> bool:
    """Whether it fits, but wouldn't if it took as much more as plans of memory err by."""
    return fits(memory, device) and memory.total * (1 + ERROR) > device.memory_bytes


def over_in_words(memory: Memory, device: Device) -> str:
    """Which figure is over what, its largest parts first."""
    parts = {field.name: getattr(memory, field.name) for field in fields(memory)}
    largest = sorted(parts, key=lambda name: -parts[name])[:3]
    said = ", ".join(f"{name} {parts[name] / GB:.1f}" for name in largest)
    return (
        f"{memory.total / GB:.1f} GB on each device, over the {device.memory_bytes / GB:.0f} GB of "
        f"{device.title} ({said})"
    )


def settings_in_words(before: Training, after: Training, section: str) -> str:
    """The settings that differ, to be pasted."""
    changed: dict[str, Any] = {}
    if after.longest != before.longest:
        changed["max_length"] = after.longest
    for name in PASTED:
        if getattr(before, name) != getattr(after, name):
            value = getattr(after, name)
            changed[name] = str(value).lower() if isinstance(value, bool) else value
    if after.devices != before.devices or after.sharding != before.sharding:
        nodes = f", nodes: {after.nodes}" if after.nodes > 1 else ""
        changed["launch"] = f"{{config: {after.sharding}, devices: {after.devices}{nodes}}}"
    return f"{section}: {{{', '.join(f'{name}: {value}' for name, value in changed.items())}}}"


def _the_same(training: Training, node: Node) -> Iterator[Training]:
    """Arrangements with the same examples in each step: on the fewest devices, least slow first."""
    sizes = [n for n in range(training.batch_size, 0, -1) if training.batch_size % n == 0]
    wider = (n for n in (2, 4, 8) if training.devices < n <= node.gpus and n % training.nodes == 0)
    # What FSDP1 divides is in nf4 and stored as bfloat16.
    stored_so = training.quantisation == "none" or training.precision == "bfloat16"
    for devices in (training.devices, *(wider if training.divisible and stored_so else ())):
        sharding = _sharding(training, devices)
        # TRL computes it before the devices have their parts.
        precompute = training.precompute_reference and not sharding.startswith("fsdp")
        for checkpointing in sorted({training.checkpointing, True}):
            for size in sizes:
                accumulation = training.accumulation * training.batch_size // size
                if accumulation % devices == 0:
                    yield replace(
                        training,
                        batch_size=size,
                        accumulation=accumulation,
                        checkpointing=checkpointing,
                        devices=devices,
                        sharding=sharding,
                        precompute_reference=precompute,
                    )


def _sharding(training: Training, devices: int) -> Any:
    """How several devices share the model so that each holds a part."""
    if devices == training.devices:
        return training.sharding
    return "fsdp1_qlora" if training.quantisation == "nf4" else "fsdp2_lora"


def _others(architecture: Architecture, training: Training, device: Device) -> Iterator[Training]:
    """Trainings that need less and aren't the same, the nearest first."""
    least, eager = training, training.attention == "eager"
    # sdpa can't cap scores.
    if eager and not architecture.capped:
        yield (least := replace(least, attention="sdpa"))
    if training.precision != "bfloat16":
        yield (least := replace(least, precision="bfloat16"))
    if eager and architecture.capped and device.kind != "cpu":
        # Which computes in 16 bits alone.
        yield (least := replace(least, attention="flash_attention_2"))
    if training.quantisation == "none":
        sharding = "fsdp1_qlora" if training.sharding == "fsdp2_lora" else training.sharding
        yield (least := replace(least, quantisation="nf4", sharding=sharding))
    length = training.longest // 2
    while length >= SHORTEST:
        yield replace(least, longest=length, mean_length=min(length, training.mean_length))
        length //= 2
