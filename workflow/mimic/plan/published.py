"""Published measurements, and what the plan would have said.

Some were used to fit the constants of `mimic.plan.devices` and `mimic.plan.time`; the others check
them. ``python -m mimic.plan.published`` prints the table of docs/plan.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from mimic.plan.architecture import Architecture
from mimic.plan.devices import A100_40, H200, Device, Node
from mimic.plan.memory import training_memory
from mimic.plan.time import training_seconds
from mimic.plan.workload import Adapter, Sharding, Training

QWEN = "Qwen README, Profiling of Memory and Speed (github.com/QwenLM/Qwen)"
FSDP_QLORA = "benchmarks_03_2024.md (github.com/AnswerDotAI/fsdp_qlora)"
PEFT = "PEFT documentation, Fully Sharded Data Parallel: QLoRA (huggingface.co/docs/peft)"
STUDY = "Rajput et al., arXiv 2605.16996, project page"
SOURCES = (QWEN, FSDP_QLORA, PEFT, STUDY)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One published figure beside the plan's.

    Attributes
    ----------
    what
        Model, method, devices, length.
    unit
        GB on each GPU, seconds or hours.
    use
        Whether a constant was fitted to it, or it checks them.
    """

    what: str
    unit: Literal["GB", "s", "h"]
    published: float
    planned: float
    use: Literal["fitted", "check"]
    source: str

    @property
    def error(self) -> float:
        """How far the plan is off, as a share of what was published."""
        return self.planned / self.published - 1


def _llama(layers: int, hidden: int, wide: int, *, vocabulary: int, kv: int = 0) -> Architecture:
    """A model of the Llama family with heads of width 128."""
    heads = hidden // 128
    return Architecture(
        layers=layers,
        hidden_size=hidden,
        intermediate_size=wide,
        heads=heads,
        key_value_heads=kv or heads,
        head_dim=128,
        vocabulary=vocabulary,
        tied_embeddings=False,
    )


QWEN_7B = _llama(32, 4096, 11008, vocabulary=151936)
QWEN_14B = _llama(40, 5120, 13696, vocabulary=152064)
QWEN_72B = _llama(80, 8192, 24576, vocabulary=152064)
LLAMA_2_7B = _llama(32, 4096, 11008, vocabulary=32000)
LLAMA_2_70B = _llama(80, 8192, 28672, vocabulary=32000, kv=8)
LLAMA_3_8B = _llama(32, 4096, 14336, vocabulary=128256, kv=8)

# The same A100 with 80 GB, and the H100, which computes as the H200 does from a slower memory.
A100_80 = replace(A100_40, memory_rate=2.039e12, memory_bytes=80e9)
H100 = replace(H200, memory_rate=3.35e12, memory_bytes=80e9)
ALL_BUT_OUTPUT = ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj", "down_proj")
# Trainers of 2023 and 2024 made all logits, and bfloat16 by autocast, adapters being float32.
THEN = Training(
    method="sft",
    adapter=Adapter(rank=64, dropout=0.05),
    batch_size=1,
    accumulation=8,
    steps=1,
    longest=2048,
    mean_length=2048,
    examples=1024,
    autocast="bfloat16",
    attention="flash_attention_2",
    checkpointing=True,
    loss="logits",
)


def figures() -> Iterator[Figure]:
    """All published figures."""
    yield from _qwen()
    yield from _fsdp_qlora_times()
    yield from _fsdp_qlora_memory()
    yield from _peft()
    yield from _study()


def _qwen() -> Iterator[Figure]:
    """LoRA of rank 64 on A100 of 80 GB; a step has eight forward passes."""
    rows: list[tuple[str, Architecture, int, int, float, float]] = [
        ("Qwen-7B", QWEN_7B, 1, 256, 20.1, 1.2),
        ("Qwen-7B", QWEN_7B, 1, 2048, 23.8, 5.2),
        ("Qwen-7B", QWEN_7B, 1, 8192, 36.6, 21.3),
        ("Qwen-14B", QWEN_14B, 1, 2048, 37.4, 8.4),
        ("Qwen-14B", QWEN_14B, 1, 8192, 55.2, 36.0),
        ("Qwen-72B", QWEN_72B, 4, 256, 53.9, 17.6),
        ("Qwen-72B", QWEN_72B, 4, 2048, 57.2, 45.7),
        ("Qwen-72B", QWEN_72B, 4, 8192, 72.3, 161.5),
    ]
    for name, architecture, devices, length, memory, seconds in rows:
        training = _sharded(
            replace(THEN, longest=length, mean_length=length), devices, accumulation=8
        )
        what = f"{name} LoRA, {devices} × A100 80 GB, {length} tokens"
        yield Figure(
            what=f"{what}, a step",
            unit="s",
            published=seconds,
            planned=_seconds(architecture, training, A100_80),
            use="check" if name == "Qwen-14B" else "fitted",
            source=QWEN,
        )
        yield Figure(
            what=what,
            unit="GB",
            published=memory,
            planned=training_memory(architecture, training, A100_80).total / 1e9,
            use="check",
            source=QWEN,
        )


def _fsdp_qlora_times() -> Iterator[Figure]:
    """Llama-2 70B in nf4: 1,024 examples of 2,048 tokens."""
    rows: list[tuple[Device, int, int, float, Literal["fitted", "check"]]] = [
        (A100_40, 2, 1, 3277, "fitted"),
        (A100_40, 4, 4, 1266, "fitted"),
        (A100_40, 8, 4, 672, "check"),
        (H100, 4, 8, 667, "fitted"),
    ]
    for device, devices, batch_size, seconds, use in rows:
        training = _sharded(
            replace(THEN, quantisation="nf4", batch_size=batch_size), devices, accumulation=1
        )
        training = replace(training, steps=1024 // (batch_size * devices))
        title = "H100 80 GB" if device is H100 else device.title
        yield Figure(
            what=f"Llama-2 70B QLoRA, {devices} × {title}, 1,024 of 2,048 tokens",
            unit="s",
            published=seconds,
            planned=_seconds(LLAMA_2_70B, training, device),
            use=use,
            source=FSDP_QLORA,
        )


def _fsdp_qlora_memory() -> Iterator[Figure]:
    """Two GPUs of 24 GB; what PyTorch's allocator held, so without the context."""
    rows: list[tuple[str, Architecture, bool, int, int, float]] = [
        ("Llama-2 7B QLoRA", LLAMA_2_7B, True, 1, 512, 4.98),
        ("Llama-2 7B QLoRA", LLAMA_2_7B, True, 4, 2048, 11.22),
        ("Llama-2 7B QLoRA", LLAMA_2_7B, True, 10, 2048, 20.97),
        ("Llama-2 7B QLoRA, ddp", LLAMA_2_7B, True, 8, 2048, 20.94),
        ("Llama-2 7B LoRA", LLAMA_2_7B, False, 1, 2048, 10.22),
        ("Llama-2 7B LoRA", LLAMA_2_7B, False, 4, 2048, 16.14),
        ("Llama-2 7B LoRA", LLAMA_2_7B, False, 6, 2048, 21.35),
        ("Llama-2 7B LoRA, ddp", LLAMA_2_7B, False, 4, 2048, 22.04),
        ("Llama-2 70B QLoRA, offload", LLAMA_2_70B, True, 2, 2048, 14.92),
    ]
    held = replace(A100_40, context_bytes=0.0, communication_bytes=0.0)
    for name, architecture, quantised, batch_size, length, gibibytes in rows:
        training = replace(
            THEN,
            adapter=replace(THEN.adapter, target_modules=ALL_BUT_OUTPUT),
            quantisation="nf4" if quantised else "none",
            batch_size=batch_size,
            longest=length,
            mean_length=length,
        )
        training = replace(_sharded(training, 2, accumulation=1), offload="offload" in name)
        training = replace(training, sharding="ddp") if "ddp" in name else training
        yield Figure(
            what=f"{name}, 2 × 24 GB, {batch_size} × {length} tokens",
            unit="GB",
            published=gibibytes * 2**30 / 1e9,
            planned=training_memory(architecture, training, held).total / 1e9,
            use="check",
            source=FSDP_QLORA,
        )


def _peft() -> Iterator[Figure]:
    """Llama-2 70B in nf4 on two GPUs, two packed rows of 2,048 tokens on each."""
    for offload, gigabytes in ((False, 35.6), (True, 19.6)):
        training = replace(
            THEN,
            adapter=Adapter(rank=8, dropout=0.1),
            quantisation="nf4",
            batch_size=2,
            packing=True,
        )
        training = replace(_sharded(training, 2, accumulation=2), offload=offload)
        yield Figure(
            what=f"Llama-2 70B QLoRA, 2 GPUs, 2 × 2048 tokens{', offload' if offload else ''}",
            unit="GB",
            published=gigabytes,
            planned=training_memory(LLAMA_2_70B, training, A100_40).total / 1e9,
            use="check",
            source=PEFT,
        )


def _study() -> Iterator[Figure]:
    """The reference study's trainings; its page doesn't say how long the padded examples are."""
    essays, epochs, length, request = 2070, 3, 790, 100
    pairs = round(0.9 * essays) * 3
    dpo = Training(
        method="dpo",
        adapter=Adapter(rank=16, dropout=0.05),
        batch_size=2,
        accumulation=4,
        steps=round(epochs * pairs / 8),
        longest=4000,
        # The longest of the four essays of two pairs, where they spread by 40 %.
        mean_length=request + 1.4 * length,
        examples=pairs,
        quantisation="nf4",
        precision="float16",
        attention="eager",
        loss="logits",
        sharding="ddp",
        devices=2,
    )
    yield Figure(
        what="DPO of 8B in nf4, 2 × A100",
        unit="h",
        published=3.0,
        planned=_seconds(LLAMA_3_8B, dpo, A100_80) / 3600,
        use="check",
        source=STUDY,
    )
    sft = replace(
        THEN,
        adapter=Adapter(rank=8, target_modules=("q_proj", "v_proj"), dropout=0.1),
        batch_size=2,
        steps=round(epochs * 0.8 * essays / 8),
        longest=4000,
        examples=round(0.8 * essays),
    )
    eager = replace(sft, attention="eager")
    for what, task, mean in (
        ("their own length", sft, request + 1.2 * length),
        ("padded to 4,000", sft, 4000.0),
        ("padded to 4,000, eager attention", eager, 4000.0),
    ):
        training = replace(_sharded(task, 4, accumulation=1), mean_length=mean)
        yield Figure(
            what=f"SFT of 70B in bfloat16, 4 × A100, essays {what}",
            unit="h",
            published=7.5,
            planned=_seconds(LLAMA_2_70B, training, A100_80) / 3600,
            use="check",
            source=STUDY,
        )


def _sharded(training: Training, devices: int, *, accumulation: int) -> Training:
    """The same training in parts on several devices, each with so many forward passes a step."""
    sharded: Sharding = "fsdp1_qlora" if training.quantisation == "nf4" else "fsdp2_lora"
    return replace(
        training,
        devices=devices,
        accumulation=accumulation * devices,
        sharding="single" if devices == 1 else sharded,
    )


def _seconds(architecture: Architecture, training: Training, device: Device) -> float:
    """Seconds of its steps, all devices in one node, without what comes before the first."""
    node = Node(device=device, gpus=training.devices, network_rate=1.0)
    taken = training_seconds(architecture, training, node)
    return taken.computing + taken.fetching


def table() -> Iterator[str]:
    """All figures as a table, line by line, and their sources."""
    yield "| what | unit | published | plan | error | use | source |"
    yield "|---|---|---|---|---|---|---|"
    for figure in figures():
        source = f"[{SOURCES.index(figure.source) + 1}]"
        yield (
            f"| {figure.what} | {figure.unit} | {figure.published:,.1f} | {figure.planned:,.1f} "
            f"| {figure.error:+.0%} | {figure.use} | {source} |"
        )
    for number, source in enumerate(SOURCES, start=1):
        yield f"\n[{number}] {source}"


if __name__ == "__main__":
    print(*table(), sep="\n")
