"""Figures of a training on a GPU, from what was timed and what the model is: pure functions.

Model-FLOPs utilisation is that of Chowdhery et al., "PaLM", arXiv 2204.02311, appendix B:
operations that the training needs, over those that the GPU could do in the same time. What is
computed again to save memory isn't needed, so it doesn't count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mimic.plan.architecture import Architecture
from mimic.plan.devices import node_of
from mimic.plan.memory import training_memory
from mimic.plan.workload import Adapter, Training

# Dense operations a second in bfloat16, by NVIDIA's data sheets.
PEAKS = {"A100": 312e12, "H100": 989e12, "H200": 989e12}
# What the plan may be off by.
MOST_OFF = 0.15


@dataclass(frozen=True, kw_only=True)
class Case:
    """A training that is measured.

    Attributes
    ----------
    length
        Tokens of each row.
    essays_a_row
        More than one with packing; each has its share of the row.
    compiled
        By torch.compile.
    """

    method: str
    quantisation: str
    length: int
    attention: str = "sdpa"
    essays_a_row: int = 1
    compiled: bool = False
    batch_size: int = 2
    steps: int = 10

    @property
    def packing(self) -> bool:
        """Whether several essays share a row."""
        return self.essays_a_row > 1

    @property
    def essay_length(self) -> int:
        """Tokens of a prompt with its essay."""
        return self.length // self.essays_a_row

    @property
    def examples(self) -> int:
        """Essays, or pairs, that the steps see."""
        return self.steps * self.batch_size * self.essays_a_row

    @property
    def tokens_a_step(self) -> int:
        """Tokens of both sides where there are two; nothing is padded."""
        return self.batch_size * self.length * (1 if self.method == "sft" else 2)

    def __str__(self) -> str:
        return "-".join(map(str, self.cells()))

    def cells(self) -> tuple[str, ...]:
        """What a line of the table begins with."""
        weights = "bfloat16" if self.quantisation == "none" else self.quantisation
        packed = "packed" if self.packing else "single"
        code = "compiled" if self.compiled else "plain"
        return (self.method, weights, self.attention, packed, code, str(self.length))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a training took.

    Attributes
    ----------
    ends
        When each optimizer step ended, in seconds of one clock.
    peak_bytes
        Of tensors at their most.
    """

    ends: Sequence[float]
    peak_bytes: int


def tokens_a_second(measured: Measured, case: Case, *, warmup: int = 3) -> float:
    """Tokens a second of the steps after the first ones, in which kernels are loaded and tuned."""
    seconds = measured.ends[-1] - measured.ends[warmup - 1]
    return (len(measured.ends) - warmup) * case.tokens_a_step / seconds


def flops_a_token(architecture: Architecture, case: Case, *, adapter: int) -> float:
    """Operations that a token of a training needs.

    PaLM's 6 N + 12 L H Q T: two for each parameter forwards, two for the gradient of what goes in,
    two for that of the weight itself; and attention to all T tokens, what is masked among them. A
    frozen weight has no gradient, so it needs four. A DPO step also goes forwards without the
    adapter, for the reference.

    Parameters
    ----------
    adapter
        Parameters of the adapter.

    Examples
    --------
    >>> shape = dict(layers=1, heads=1, key_value_heads=1, head_dim=10, vocabulary=0)
    >>> one = Architecture(hidden_size=10, intermediate_size=0, tied_embeddings=True, **shape)
    >>> flops_a_token(one, Case(method="sft", quantisation="none", length=100), adapter=50)
    13900.0
    """
    reference = 1 if case.method == "dpo" else 0
    frozen = (4 + 2 * reference) * architecture.multiplied_parameters
    attention = 4 * architecture.layers * architecture.query_size * case.essay_length
    return float(frozen + 6 * adapter + (3 + reference) * attention)


def utilisation(speed: float, flops: float, *, gpu: str) -> float | None:
    """Model-FLOPs utilisation; None for a GPU whose peak isn't known here.

    Parameters
    ----------
    speed
        Tokens a second.
    flops
        Of a token.
    gpu
        Its name, as torch says it.
    """
    peak = next((peak for name, peak in PEAKS.items() if name in gpu), None)
    return None if peak is None else speed * flops / peak


def planned_bytes(architecture: Architecture, case: Case, adapter: Adapter) -> float:
    """Memory of tensors by `mimic.plan`; what is around them is in no count of torch's."""
    method = {"sft": "sft", "dpo": "dpo", "orpo": "orpo"}[case.method]
    training = Training(
        method=method,
        adapter=adapter,
        batch_size=case.batch_size,
        accumulation=1,
        steps=case.steps,
        longest=case.length,
        mean_length=case.length,
        examples=case.examples,
        quantisation=case.quantisation,
        precision="bfloat16",
        attention=case.attention,
        checkpointing=False,
        packing=case.packing,
    )
    # Of the device only that it is a GPU counts here.
    memory = training_memory(architecture, training, node_of("h200", threads=1).device)
    return memory.total - memory.overhead


HEADER = (
    f"{'method':7}{'weights':9}{'attention':18}{'rows':7}{'code':9}{'length':>7}"
    f"{'tokens/s':>10}{'MFU':>7}{'peak GB':>9}{'plan GB':>9}{'error':>8}"
)


def line(case: Case, *, speed: float, used: float | None, peak: float, planned: float) -> str:
    """A line of the table; a GB is 10⁹ bytes."""
    method, weights, attention, packed, code, length = case.cells()
    share = "–" if used is None else f"{used:.1%}"
    return (
        f"{method:7}{weights:9}{attention:18}{packed:7}{code:9}{length:>7}{speed:10.0f}{share:>7}"
        f"{peak / 1e9:9.2f}{planned / 1e9:9.2f}{planned / peak - 1:+8.1%}"
    )
