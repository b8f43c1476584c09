"""Memory that a forward and a backward pass need besides the weights.

What autograd keeps of a block whose weights are frozen: a frozen linear layer keeps nothing of its
input; a LoRA layer keeps what goes into its two small matrices. So the count follows the code of
transformers' blocks and of PEFT's LoRA layers tensor by tensor. A test compares it with what
autograd really saves.
"""

from __future__ import annotations

from dataclasses import dataclass

from mimic.plan.architecture import Architecture
from mimic.plan.workload import Training

FLOAT32 = 4
# TRL's loss in tiles: rows and columns of a tile (trl.kernels.chunked_logprob.TOKEN_CHUNK_SIZE,
# trl.trainer.utils._CHUNKED_LOGPROB_CHUNK_SIZE). Its buffer has all columns even where the
# vocabulary has fewer.
TILE_ROWS, TILE_COLUMNS = 4096, 32768
# Without Triton the backward pass of a tile is plain torch: besides the buffer, seven tensors of
# the tile's size in float32 and a mask of one byte a number live at its widest point; where logits
# are capped, what tanh put out as well.
TORCH_TILES, TORCH_CAPPED_TILES = 7.25, 8.25
# Bytes of each logit at the widest point of a loss that holds all of them: the logits, their copy
# and log-probabilities, the gradients of slices. Of trainers that were published (16 bits with
# autocast); and of ORPO with one pair in a pass and with several, as a test counts them: in float32
# or with autocast, and in 16 bits.
LOGIT_BYTES = 17.0
ORPO_LOGIT_BYTES, ORPO_PURE_LOGIT_BYTES = (18.0, 20.0), 6.0


@dataclass(frozen=True, kw_only=True)
class Passes:
    """What one forward and backward pass holds at its widest point, in bytes.

    Attributes
    ----------
    kept
        What autograd keeps of the blocks (with checkpointing: their inputs).
    working
        What comes and goes: a block that is computed again, its gradients, the loss.
    """

    kept: float
    working: float


def passes(architecture: Architecture, training: Training, *, on_gpu: bool) -> Passes:
    """Memory of the largest forward and backward pass of one device.

    Parameters
    ----------
    on_gpu
        Whether kernels for it are used: Triton's for the loss, fused dropout.
    """
    block = kept_by_block(architecture, training, on_gpu=on_gpu)
    backward = _block_gradients(architecture, training)
    loss = _loss(architecture, training, on_gpu=on_gpu)
    if training.checkpointing:
        inputs = training.widest * architecture.hidden_size * training.weight_bytes
        return Passes(kept=architecture.layers * inputs, working=max(loss, block + backward))
    # The loss is gone when the gradients of the last block are computed.
    return Passes(kept=architecture.layers * block, working=max(loss, backward))


def kept_by_block(architecture: Architecture, training: Training, *, on_gpu: bool) -> float:
    """Bytes that autograd keeps of one block."""
    a, wide = architecture, training.compute_bytes
    # A norm computes in float32 and keeps what it was given, and one number a token.
    norms = a.norms_per_layer * (a.hidden_size + 1) * FLOAT32
    # The activation's argument and value, and what it is multiplied with.
    gate = 3 * a.intermediate_size * wide
    adapter = _adapter_inputs(a, training, on_gpu=on_gpu)
    kept = training.widest * (norms + _attention(a, training) + gate + adapter)
    # Autocast makes a copy of each wider weight, which the backward pass needs.
    if wide < training.weight_bytes:
        kept += a.layer_linear_parameters * wide
    if training.autocast != "none":
        kept += training.adapter.parameters(a) / a.layers * wide
    return kept


def _attention(a: Architecture, training: Training) -> float:
    """Bytes of a token that attention keeps."""
    wide, longest = training.compute_bytes, training.longest
    padded = training.rows > 1 and not training.packing
    if training.attention == "eager":
        # Softmax is in float32; its cast is kept too. All have the width of the queries.
        score = FLOAT32 + (wide if wide < FLOAT32 else 0)
        # The backward pass of a cap needs what tanh put out.
        score += wide if a.capped else 0
        return 3 * a.query_size * wide + a.heads * longest * score
    masked = training.attention == "sdpa" and padded
    # Beside a mask keys and values are repeated for all heads that they serve.
    keys = a.query_size if masked else a.key_value_size
    # What it puts out, and the logarithm of its denominators; each block's mask as numbers.
    kept = (2 * a.query_size + 2 * keys) * wide + a.heads * FLOAT32
    return kept + (longest * wide if masked else 0)


def _adapter_inputs(a: Architecture, training: Training, *, on_gpu: bool) -> float:
    """Bytes of a token that the LoRA layers of a block keep."""
    adapter, shapes = training.adapter, a.linear_shapes
    widths = [shapes[name][0] for name in adapter.targets]
    between = FLOAT32 if training.autocast == "none" else training.compute_bytes
    kept = float(adapter.rank * between * len(widths))
    if adapter.dropout > 0:
        # CUDA keeps what was dropped as one byte, a CPU as a factor in float32.
        kept += sum(widths) * (1 if on_gpu else FLOAT32)
    elif training.compute_bytes == FLOAT32:
        # Layers with the same input share it; attention keeps what it puts out already.
        inputs = {"q": a.hidden_size, "o": a.query_size, "gate": a.hidden_size}
        inputs["down"] = a.intermediate_size
        first = {"q": "q", "k": "q", "v": "q", "o": "o", "gate": "gate", "up": "gate"}
        read = {first.get(name.removesuffix("_proj"), "down") for name in adapter.targets}
        if training.attention != "eager":
            read -= {"o"}
        return kept + sum(inputs[name] for name in read) * FLOAT32
    # Each gets its own copy: dropped out, or cast to the adapter's precision.
    return kept + sum(widths) * between


def _block_gradients(a: Architecture, training: Training) -> float:
    """Bytes of gradients at the widest point of a block's backward pass."""
    mlp = (a.intermediate_size + 3 * a.hidden_size) * FLOAT32
    attention = 2 * a.hidden_size * FLOAT32
    if training.attention == "eager":
        attention += a.heads * training.longest * FLOAT32
    return training.widest * max(mlp, attention)


def _loss(a: Architecture, training: Training, *, on_gpu: bool) -> float:
    """Bytes of the loss at its widest point, the last norm among them."""
    wide, tokens = training.compute_bytes, training.widest
    # What the norm keeps and puts out, and the gradient of that in float32.
    hidden = tokens * a.hidden_size * (2 * FLOAT32 + wide)
    if training.loss_in == "logits":
        # As for scores: the backward pass of a cap needs what tanh put out.
        logit = _logit_bytes(training) + (wide if a.capped else 0)
        return hidden + tokens * a.vocabulary * logit
    rows = min(tokens, TILE_ROWS)
    buffer = rows * TILE_COLUMNS * wide
    if on_gpu:
        return hidden + buffer
    columns = min(a.vocabulary, TILE_COLUMNS)
    tiles = TORCH_CAPPED_TILES if a.capped else TORCH_TILES
    return hidden + buffer + rows * columns * FLOAT32 * tiles


def _logit_bytes(training: Training) -> float:
    """Bytes of a logit where all of them are held."""
    if training.method != "orpo":
        return LOGIT_BYTES
    if training.compute_bytes < FLOAT32 and training.autocast == "none":
        return ORPO_PURE_LOGIT_BYTES
    one, several = ORPO_LOGIT_BYTES
    return one if training.batch_size == 1 else several
