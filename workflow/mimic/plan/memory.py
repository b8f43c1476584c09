"""Memory of a training, of writing and of answering, for each device.

The parts are bytes; a GB is 10⁹ of them, as GPUs are sold by.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from mimic.plan.activations import FLOAT32, passes
from mimic.plan.architecture import Architecture
from mimic.plan.devices import Device
from mimic.plan.workload import BYTES, Answering, Quantisation, Training, Writing

# nf4: four bits a number; with double quantisation an 8-bit scale for each 64 and a float32 one
# for each 256 of these (Dettmers et al., "QLoRA", arXiv 2305.14314, section 3).
NF4_PACKED = 0.5
NF4_SCALES = 1 / 64 + 4 / (64 * 256)
# Adam: two moments; and the gradient. All of LoRA's are float32.
ADAM = 2 * FLOAT32
# FSDP holds the block that it computes and the one that it fetches before it is needed
# (BackwardPrefetch.BACKWARD_PRE, accelerate's default).
GATHERED_BLOCKS = 2


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes on each device, by what they are for."""

    weights: float
    adapter: float = 0.0
    gradients: float = 0.0
    optimizer: float = 0.0
    gathered: float = 0.0
    activations: float = 0.0
    cache: float = 0.0
    overhead: float = 0.0

    @property
    def total(self) -> float:
        """All of them."""
        return float(sum(getattr(self, field.name) for field in fields(self)))

    def measured(self, factor: float, device: Device) -> Memory:
        """The same by what was measured over what was planned.

        Of a process on a CPU all is measured, of a GPU the tensors alone: not what is around them.
        """
        changed = {field.name: getattr(self, field.name) * factor for field in fields(self)}
        if device.kind != "cpu":
            changed["overhead"] = self.overhead
        return Memory(**changed)


def training_memory(architecture: Architecture, training: Training, device: Device) -> Memory:
    """Peak memory of a training, on each of its devices.

    Parameters
    ----------
    device
        Whose allocator and context it is.
    """
    shards = training.devices if training.is_sharded else 1
    waiting = training.is_sharded and training.offload
    adapter = training.adapter.parameters(architecture)
    one = passes(architecture, training, on_gpu=device.kind != "cpu")
    stored = _stored_weights(architecture, training.weight_bytes, training.quantisation)
    weights = 0.0 if waiting else stored / shards
    states = 0.0 if waiting else adapter / shards
    parts = Memory(
        weights=weights + _scales(architecture, training.quantisation),
        adapter=states * FLOAT32,
        gradients=adapter / shards * FLOAT32,
        optimizer=states * ADAM,
        gathered=_gathered(architecture, training),
        activations=one.kept + one.working,
    )
    return _with_overhead(parts, device, several=training.devices > 1)


def loaded_bytes(architecture: Architecture, training: Training) -> float:
    """Bytes of the weights that each process loads, however the devices share them afterwards."""
    stored = _stored_weights(architecture, training.weight_bytes, training.quantisation)
    return stored + _scales(architecture, training.quantisation)


def writing_memory(architecture: Architecture, writing: Writing, device: Device) -> Memory:
    """Peak memory of writing, on each of its devices.

    The adapter is merged into the weights, or left out: beside weights of 16 or 4 bits it is small.
    """
    wide = BYTES[writing.precision]
    length = writing.prompt_length + writing.new_tokens
    prompt = writing.batch_size * writing.prompt_length
    # Of the prompt one block's intermediate values at a time; logits of the last token alone, which
    # sampling turns into float32 probabilities, sorted and masked.
    working = prompt * (3 * architecture.intermediate_size + 4 * architecture.hidden_size) * wide
    chosen = writing.batch_size * architecture.vocabulary * 5 * FLOAT32
    parts = Memory(
        weights=asked_weights(architecture, writing),
        gathered=_unpacked(architecture, wide, writing.quantisation),
        activations=max(working, chosen),
        cache=writing.batch_size * length * cache_bytes(architecture, wide),
    )
    return _with_overhead(parts, device, several=False)


def answering_memory(architecture: Architecture, answering: Answering, device: Device) -> Memory:
    """Peak memory of answering, on each of its devices; the adapter as in `writing_memory`."""
    wide = BYTES[answering.precision]
    tokens = max(answering.batch_tokens, answering.prefix_length)
    working = tokens * (3 * architecture.intermediate_size + 4 * architecture.hidden_size) * wide
    # Log-probabilities are float32, beside the logits that they come from.
    chosen = answering.batch_tokens * architecture.vocabulary * (wide + 2 * FLOAT32)
    parts = Memory(
        weights=asked_weights(architecture, answering),
        gathered=_unpacked(architecture, wide, answering.quantisation),
        activations=max(working, chosen),
        cache=(answering.prefix_length + answering.batch_tokens) * cache_bytes(architecture, wide),
    )
    return _with_overhead(parts, device, several=False)


def cache_bytes(architecture: Architecture, wide: int) -> int:
    """Bytes of the keys and values of one token."""
    return 2 * architecture.layers * architecture.key_value_size * wide


def asked_weights(a: Architecture, task: Writing | Answering) -> float:
    """Bytes of the weights of a model that writes or answers."""
    stored = _stored_weights(a, BYTES[task.precision], task.quantisation)
    return stored + _scales(a, task.quantisation)


def _stored_weights(a: Architecture, wide: int, quantisation: Quantisation) -> float:
    """Bytes of the weights, which sharding divides."""
    if quantisation == "nf4":
        # Embeddings, output layer and norms aren't quantised.
        return a.linear_parameters * NF4_PACKED + (a.parameters - a.linear_parameters) * wide
    return float(a.parameters * wide)


def _scales(a: Architecture, quantisation: Quantisation) -> float:
    """Bytes of nf4's scales; they are no parameters, so every device holds them whole."""
    return a.linear_parameters * NF4_SCALES if quantisation == "nf4" else 0.0


def _unpacked(a: Architecture, wide: int, quantisation: Quantisation) -> float:
    """Bytes of the largest layer out of nf4."""
    largest = max(w * h for w, h in a.linear_shapes.values()) * wide
    return float(largest) if quantisation == "nf4" else 0.0


def _gathered(a: Architecture, training: Training) -> float:
    """Bytes of whole weights that pass by: gathered blocks, and a layer out of nf4."""
    unpacked = _unpacked(a, training.compute_bytes, training.quantisation)
    if not training.is_sharded:
        return unpacked
    packed = NF4_PACKED if training.quantisation == "nf4" else training.weight_bytes
    block = a.layer_linear_parameters * packed + training.adapter.parameters(a) / a.layers * FLOAT32
    # What is in no block stays whole from the forward to the backward pass.
    outside = (a.embedding_parameters + a.head_parameters + a.hidden_size) * training.weight_bytes
    return GATHERED_BLOCKS * block + outside + unpacked


def _with_overhead(parts: Memory, device: Device, *, several: bool) -> Memory:
    """The parts, and what context, communication and allocator add."""
    # Weights lie where they were loaded; what comes and goes leaves gaps.
    moving = parts.activations + parts.gathered + parts.gradients + parts.cache
    overhead = device.context_bytes + device.allocator_gaps * moving
    overhead += device.communication_bytes if several else 0
    values = {field.name: getattr(parts, field.name) for field in fields(parts)}
    return Memory(**(values | {"overhead": overhead}))
