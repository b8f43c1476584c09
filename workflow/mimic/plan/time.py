"""Time of a training, of writing and of answering.

A pass through the blocks takes the longer of its arithmetic and of starting its kernels; fetching
sharded weights overlaps with it but for a part.
"""

from __future__ import annotations

from dataclasses import dataclass

from mimic.plan.architecture import Architecture
from mimic.plan.devices import Device, Node
from mimic.plan.memory import NF4_PACKED, cache_bytes
from mimic.plan.workload import BYTES, Answering, Training, Writing

# Bytes that operations other than matrix products read and write in one pass through a block, for
# each token and unit of the hidden size; fitted to Qwen's table of LoRA on an A100.
ELEMENTWISE_BYTES = 400.0
# Bytes that eager attention reads and writes for each of its scores in one pass: scores, scaled and
# masked scores, softmax in float32 and its cast, as transformers' eager_attention_forward has them.
SCORE_BYTES = 24.0
# Bytes' worth of time that unpacking a parameter from nf4 takes in one pass; fitted to published
# times of QLoRA with FSDP, whose bitsandbytes was of 2024.
UNPACKING_BYTES = 10.0
# What of the shorter of computing and fetching isn't hidden behind the longer; fitted to Qwen's
# table of LoRA with ZeRO 3 on four A100.
EXPOSED = 0.33
# Loading libraries and data, before the first step; and bytes of weights a second from a disk.
START_SECONDS = 60.0
LOADING_RATE = 1e9


@dataclass(frozen=True, kw_only=True)
class Time:
    """Seconds, by what takes them.

    Attributes
    ----------
    start
        Until the first step.
    computing
        Passes through the model.
    fetching
        Weights from other devices or from the host, as far as it isn't hidden.
    """

    start: float
    computing: float
    fetching: float = 0.0

    @property
    def total(self) -> float:
        """All of them."""
        return self.start + self.computing + self.fetching


@dataclass(frozen=True, kw_only=True)
class Pass:
    """Passes of one batch through the model, counted in forward passes through the blocks.

    Attributes
    ----------
    products, head
        Products with the blocks' weights, and with the output layer's. The backward pass of frozen
        weights is one: they need no gradient of their own.
    elementwise
        Other operations; their backward pass is two.
    """

    products: int
    head: int
    elementwise: int


FORWARD = Pass(products=1, head=1, elementwise=1)


def training_passes(training: Training) -> Pass:
    """What a forward and a backward pass are, with a reference that isn't precomputed."""
    again = 1 if training.checkpointing else 0
    reference = 1 if training.method == "dpo" and not training.precompute_reference else 0
    # The loss in tiles computes each tile again.
    head = 3 if training.loss_in == "tiles" else 2
    return Pass(
        products=2 + again + reference,
        head=head + reference,
        elementwise=3 + again + reference,
    )


def training_seconds(architecture: Architecture, training: Training, node: Node) -> Time:
    """Time of a training."""
    device = node.device

    def seconds(passes: Pass, rows: int = training.rows) -> float:
        return _batch_seconds(
            architecture,
            device,
            rows=rows,
            length=training.length,
            passes=passes,
            unpacked=training.quantisation == "nf4",
            adapter=training.adapter.parameters(architecture),
            # Beside a mask for padding attention computes what the mask hides, too.
            halved=training.attention == "flash_attention_2" or rows == 1,
            eager=training.attention == "eager",
        )

    batch = seconds(training_passes(training))
    fetch = _fetch_seconds(architecture, training, node)
    together = max(batch, fetch) + EXPOSED * min(batch, fetch)
    reference = 0.0
    if training.method == "dpo" and training.precompute_reference:
        rounds = training.examples / (training.batch_size * training.devices)
        reference = rounds * seconds(FORWARD)
    return Time(
        start=_start_seconds(architecture, training.weight_bytes, times=training.adapters),
        computing=training.batches * batch + reference + training.looked_at * seconds(FORWARD, 1),
        fetching=training.batches * (together - batch),
    )


def writing_seconds(architecture: Architecture, writing: Writing, device: Device) -> Time:
    """Time of writing texts of full length."""
    a, wide = architecture, BYTES[writing.precision]
    packed = writing.quantisation == "nf4"
    rounds = -(-writing.texts // (writing.batch_size * writing.devices))
    prompt = _batch_seconds(
        a,
        device,
        rows=writing.batch_size,
        length=writing.prompt_length,
        passes=FORWARD,
        unpacked=packed,
    )
    # A token of each text at a time: the weights, and the cache so far, are read for each.
    mean = writing.prompt_length + writing.new_tokens / 2
    read = a.multiplied_parameters * wide + writing.batch_size * mean * cache_bytes(a, wide)
    read += a.linear_parameters * UNPACKING_BYTES if packed else 0
    products = 2 * a.multiplied_parameters * writing.batch_size / device.matrix_flops
    token = max(a.layers * device.block_seconds, read / device.memory_rate, products)
    return Time(
        start=_start_seconds(a, wide), computing=rounds * (prompt + writing.new_tokens * token)
    )


def answering_seconds(architecture: Architecture, answering: Answering, device: Device) -> Time:
    """Time of answering, each prefix computed once."""
    a, packed = architecture, answering.quantisation == "nf4"

    def seconds(length: float) -> float:
        return _batch_seconds(a, device, rows=1, length=length, passes=FORWARD, unpacked=packed)

    tokens = answering.endings * answering.ending_length
    batches = max(answering.prefixes, tokens / answering.batch_tokens)
    prefixes = answering.prefixes * seconds(answering.prefix_length)
    return Time(
        start=_start_seconds(a, BYTES[answering.precision]),
        computing=(prefixes + batches * seconds(tokens / batches)) / answering.devices,
    )


def _start_seconds(a: Architecture, wide: int, *, times: int = 1) -> float:
    return START_SECONDS + times * a.parameters * wide / LOADING_RATE


def _batch_seconds(
    a: Architecture,
    device: Device,
    *,
    rows: int,
    length: float,
    passes: Pass,
    unpacked: bool = False,
    adapter: int = 0,
    halved: bool = True,
    eager: bool = False,
) -> float:
    """Seconds that one device computes for one batch.

    Parameters
    ----------
    adapter
        Parameters of the adapter, whose weights do need gradients.
    halved
        Whether attention leaves out what the causal mask hides.
    eager
        Whether attention's scores stand in memory.
    """
    tokens = rows * length
    blocks = 2 * a.linear_parameters * passes.products
    head = 2 * a.embedding_parameters * passes.head
    scores = 4 * length * a.query_size * a.layers * (0.5 if halved else 1.0) * passes.elementwise
    trained = 2 * adapter * passes.elementwise
    products = tokens * (blocks + head + scores + trained) / device.matrix_flops
    moved = tokens * a.layers * a.hidden_size * ELEMENTWISE_BYTES * passes.elementwise
    if eager:
        moved += tokens * length * a.heads * a.layers * SCORE_BYTES * passes.elementwise
    if unpacked:
        moved += a.linear_parameters * UNPACKING_BYTES * passes.products
    started = a.layers * passes.elementwise * device.block_seconds
    return max(products + moved / device.memory_rate, started)


def _fetch_seconds(a: Architecture, training: Training, node: Node) -> float:
    """Seconds that the weights of one batch need to arrive."""
    if not training.is_sharded:
        return 0.0
    packed = NF4_PACKED if training.quantisation == "nf4" else training.weight_bytes
    blocks = a.linear_parameters * packed
    # In the forward pass and in the backward pass, which computes checkpointed blocks again at
    # once; a reference's pass is one more.
    times = training_passes(training).products - (1 if training.checkpointing else 0)
    others = (training.devices - 1) / training.devices
    together = training.nodes == 1 and training.devices <= node.gpus
    rate = node.device.link_rate if together else node.network_rate
    seconds = blocks * others / rate
    if training.offload:
        seconds += blocks / training.devices / node.device.host_rate
    return times * seconds
