"""What is to be done with a model: train it, let it write, let it answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mimic.plan.architecture import LINEAR, Architecture

Method = Literal["sft", "dpo", "orpo"]
Precision = Literal["float32", "bfloat16", "float16"]
Autocast = Literal["none", "bfloat16", "float16"]
Quantisation = Literal["none", "nf4"]
Attention = Literal["eager", "sdpa", "flash_attention_2"]
Sharding = Literal["single", "ddp", "fsdp2_lora", "fsdp1_qlora"]
# How the loss sees the vocabulary: in tiles, never all at once (TRL's SFT and DPO since 1.15), or
# as one tensor of all logits (its ORPO; every trainer before).
Loss = Literal["tiles", "logits"]

BYTES: dict[Precision, int] = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A LoRA adapter."""

    rank: int
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    dropout: float = 0.0

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the linear layers that get an adapter.

        Raises
        ------
        ValueError
            If a name isn't that of a linear layer of a block.
        """
        if self.target_modules == "all-linear":
            return LINEAR
        wrong = [name for name in self.target_modules if name not in LINEAR]
        if wrong:
            raise ValueError(
                f"target_modules has {wrong[0]!r}, of which the plan knows nothing; it knows "
                f"{', '.join(LINEAR)} and all-linear"
            )
        return tuple(name for name in LINEAR if name in self.target_modules)

    def parameters(self, architecture: Architecture) -> int:
        """Parameters of the adapter: for each layer rank × (width in + width out)."""
        shapes = architecture.linear_shapes
        return architecture.layers * self.rank * sum(sum(shapes[name]) for name in self.targets)


@dataclass(frozen=True, kw_only=True)
class Training:
    """The training of one run.

    Attributes
    ----------
    batch_size
        Examples, or pairs, in one forward pass of one device.
    accumulation
        Forward passes for one optimizer step, which the devices share.
    steps
        Optimizer steps.
    longest, mean_length
        Tokens of the longest example (of a pair: of its longer side), which memory is for, and of
        the mean one with its padding, which time is for.
    examples
        Distinct examples, or pairs, that the steps see.
    looked_at
        Examples, or sides of pairs, that go through the model one by one before, within and after
        the training, to see whether it learned.
    checkpointing
        Whether only the input of each block is kept, and the block computed again.
    packing
        Whether examples are put together to rows of `longest` tokens.
    precompute_reference
        DPO: whether the reference is computed once for each pair, before the training.
    precision, autocast
        Of the frozen weights (of nf4, of computing), and of matrix products where it is another.
    loss
        How the loss sees the vocabulary; as the method's trainer has it if None.
    offload
        Sharded only: whether weights and optimizer wait in the host's memory.
    adapters
        Adapters that are trained one after the other, the model loaded anew for each; steps,
        examples and `looked_at` are those of all of them.
    nodes
        Nodes that the devices are set to belong to; more where one hasn't as many.
    divisible
        Whether devices can have a part of the model each: not where embeddings of single tokens
        are trained, or adapters of profiles.
    """

    method: Method
    adapter: Adapter
    batch_size: int
    accumulation: int
    steps: int
    longest: int
    mean_length: float
    examples: int
    quantisation: Quantisation = "none"
    precision: Precision = "bfloat16"
    attention: Attention = "sdpa"
    checkpointing: bool = True
    packing: bool = False
    precompute_reference: bool = False
    autocast: Autocast = "none"
    loss: Loss | None = None
    sharding: Sharding = "single"
    devices: int = 1
    nodes: int = 1
    offload: bool = False
    looked_at: int = 0
    adapters: int = 1
    # It says what can be proposed, not what is trained.
    divisible: bool = field(default=True, compare=False)

    def __post_init__(self) -> None:
        if (self.sharding == "single") != (self.devices == 1):
            raise ValueError(
                f"sharding is {self.sharding} on {self.devices} device(s); single is for one, "
                "ddp, fsdp2_lora and fsdp1_qlora are for several"
            )
        if self.accumulation % self.devices:
            raise ValueError(
                f"accumulation {self.accumulation} can't be shared by {self.devices} devices; it "
                f"must be a multiple of {self.devices}"
            )
        if (self.sharding == "fsdp2_lora" and self.quantisation != "none") or (
            self.sharding == "fsdp1_qlora" and self.quantisation == "none"
        ):
            raise ValueError(
                f"sharding {self.sharding} with quantisation {self.quantisation}: fsdp2_lora is "
                "for weights that aren't quantised, fsdp1_qlora for those that are"
            )

    @property
    def rows(self) -> int:
        """Rows of one forward pass: both sides of a pair go through together."""
        return self.batch_size * (1 if self.method == "sft" else 2)

    @property
    def widest(self) -> int:
        """Tokens of the largest forward pass, padding among them."""
        return self.rows * self.longest

    @property
    def length(self) -> float:
        """Tokens of a row, padding among them."""
        return self.longest if self.packing else self.mean_length

    @property
    def batches(self) -> float:
        """Forward passes of each device."""
        return self.steps * self.accumulation / self.devices

    @property
    def loss_in(self) -> Loss:
        """How the loss sees the vocabulary."""
        return self.loss or ("logits" if self.method == "orpo" else "tiles")

    @property
    def is_sharded(self) -> bool:
        """Whether each device holds a part of the weights."""
        return self.sharding in ("fsdp2_lora", "fsdp1_qlora")

    @property
    def compute_bytes(self) -> int:
        """Bytes of a number in matrix products."""
        return BYTES[self.precision if self.autocast == "none" else self.autocast]

    @property
    def weight_bytes(self) -> int:
        """Bytes of a number of the weights that aren't quantised."""
        return BYTES[self.precision]


@dataclass(frozen=True, kw_only=True)
class Writing:
    """Texts that a model writes, `batch_size` of them side by side.

    Attributes
    ----------
    quantisation
        Of the weights; beside quantised ones the adapter stays an adapter.
    devices
        Devices that share the texts, each with a copy of the model.
    """

    texts: int
    prompt_length: int
    new_tokens: int
    batch_size: int
    precision: Precision = "bfloat16"
    quantisation: Quantisation = "none"
    devices: int = 1


@dataclass(frozen=True, kw_only=True)
class Answering:
    """Questions that a model is asked by likelihood.

    Attributes
    ----------
    prefixes, prefix_length
        Beginnings of prompts that questions share, and the tokens of one.
    endings, ending_length
        Questions, and the tokens that one adds to its prefix.
    batch_tokens
        Tokens of endings in one forward pass.
    quantisation, devices
        As for `Writing`.
    """

    prefixes: int
    prefix_length: int
    endings: int
    ending_length: float
    batch_tokens: int
    precision: Precision = "bfloat16"
    quantisation: Quantisation = "none"
    devices: int = 1
