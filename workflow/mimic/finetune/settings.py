"""Settings of the finetune stage."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from mimic.settings import Settings


class LoraSettings(Settings):
    """The adapter."""

    rank: int = Field(16, ge=1, le=512, description="Rank of the adapter.")
    alpha: int = Field(32, ge=1, description="Scaling of the adapter; it is divided by the rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout before the adapter.")
    target_modules: Literal["all-linear"] | tuple[str, ...] = Field(
        "all-linear", description="Layers that get an adapter: all linear ones, or their names."
    )


class LaunchSettings(Settings):
    """The devices that a training runs on, and how they share its model."""

    config: Literal["single", "ddp", "fsdp2_lora", "fsdp1_qlora"] = Field(
        "single",
        description="How the devices share the model, by the names of the files in "
        "config/accelerate: one device alone (single), a copy on each (ddp), or a part of it on "
        "each, in bfloat16 (fsdp2_lora) or quantised (fsdp1_qlora).",
    )
    devices: int = Field(
        1,
        ge=1,
        le=64,
        description="Devices, with a process for each; on a CPU, processes of compute.threads "
        "threads.",
    )

    @model_validator(mode="after")
    def _config_fits_devices(self) -> LaunchSettings:
        if (self.config == "single") != (self.devices == 1):
            mend = (
                "set devices to 1, or config to ddp, fsdp2_lora or fsdp1_qlora"
                if self.config == "single"
                else "set devices to 2 or more, or config to single"
            )
            raise ValueError(
                f"config is {self.config} and devices is {self.devices}, but single is for one "
                f"device and the others are for several; {mend}"
            )
        return self


class TrainingSettings(Settings):
    """What every method has."""

    steps: int | None = Field(
        12, ge=1, description="Optimizer steps; null, or not named, where `epochs` is set."
    )
    epochs: float | None = Field(
        None,
        ge=1,
        description="Passes over all training examples, in place of `steps`. The last "
        "step of each is filled up with examples of it, so that all steps are of one size.",
    )
    learning_rate: float = Field(5e-4, gt=0, lt=1, description="Peak learning rate.")
    lora: LoraSettings = Field(LoraSettings(), description="The adapter.")
    batch_size: int = Field(2, ge=1, description="Examples (or pairs) in one forward pass.")
    accumulation: int = Field(
        1,
        ge=1,
        description="Forward passes for each optimizer step. Several processes share them, so that "
        "a step has `batch_size` × `accumulation` examples however many there are.",
    )
    warmup_steps: int = Field(2, ge=0, description="Steps over which the learning rate rises.")
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = Field(
        "linear", description="Course of the learning rate after warm-up."
    )
    max_length: int = Field(
        256, ge=16, description="Longest prompt and essay together, in tokens; the rest is cut."
    )
    length_sorted: bool = Field(
        False,
        description="Whether examples of similar length share a batch, which leaves less to pad. "
        "The order stays random otherwise.",
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32",
        description="Number format of the frozen weights; with `quantisation` nf4 that of the "
        "computing. The adapter itself is float32. What the trained model answers with is "
        "`compute.precision`.",
    )
    autocast: Literal["none", "bfloat16", "float16"] = Field(
        "none",
        description="Number format of matrix products while training (mixed precision); none: that "
        "of the weights. float16 needs a GPU.",
    )
    attention: Literal["eager", "sdpa", "flash_attention_2"] = Field(
        "sdpa",
        description="Implementation of attention while training. flash_attention_2 needs a GPU, "
        "the package flash-attn, and 16 bits in `precision` or `autocast`.",
    )
    quantisation: Literal["none", "nf4"] = Field(
        "none",
        description="Whether the frozen weights are kept in 4 bits (QLoRA: NF4, double-quantised).",
    )
    checkpointing: bool = Field(
        False,
        description="Whether activations are computed again in the backward pass instead of kept: "
        "less memory, about a third more time.",
    )
    compile: bool = Field(
        False,
        description="Whether torch.compile makes the model faster code of its own before the first "
        "step, which takes a minute or more for each length of batch that is new; needs a C++ "
        "compiler. Losses differ by rounding.",
    )
    evaluations: int = Field(
        0,
        ge=0,
        description="How often, evenly spaced within training, the figures of the validation "
        "essays are computed; they are computed before and after training in any case.",
    )

    launch: LaunchSettings = Field(
        LaunchSettings(), description="Devices, and how they share the model."
    )

    @model_validator(mode="after")
    def _shared_weights_are_of_a_kind(self) -> TrainingSettings:
        config = self.launch.config
        if config == "fsdp1_qlora" and (self.quantisation, self.precision) != ("nf4", "bfloat16"):
            raise ValueError(
                f"launch.config is fsdp1_qlora, quantisation {self.quantisation} and precision "
                f"{self.precision}, but it is for weights in nf4 that are stored as bfloat16; set "
                "quantisation to nf4 and precision to bfloat16, or config to fsdp2_lora"
            )
        if config == "fsdp2_lora" and self.quantisation != "none":
            raise ValueError(
                f"launch.config is fsdp2_lora and quantisation {self.quantisation}, but FSDP2 "
                "can't give devices parts of 4-bit weights; set quantisation to none, or config "
                "to fsdp1_qlora"
            )
        return self

    @model_validator(mode="after")
    def _devices_share_the_accumulation(self) -> TrainingSettings:
        devices = self.launch.devices
        if self.accumulation % devices:
            raise ValueError(
                f"accumulation is {self.accumulation}, which {devices} devices "
                f"(launch.devices) can't share; set accumulation to a multiple of {devices}"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _epochs_in_place_of_steps(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("epochs") is not None:
            return {"steps": None} | values
        return values

    @model_validator(mode="after")
    def _one_length(self) -> TrainingSettings:
        if self.steps is not None and self.epochs is not None:
            raise ValueError(
                f"steps is {self.steps} and epochs is {self.epochs:g}; leave one of them out"
            )
        if self.steps is None and self.epochs is None:
            raise ValueError("steps and epochs are both null; set one of them, such as epochs: 3")
        return self

    @model_validator(mode="after")
    def _flash_attention_in_16_bits(self) -> TrainingSettings:
        wide = self.precision == "float32" and self.autocast == "none"
        if self.attention == "flash_attention_2" and wide:
            raise ValueError(
                "attention flash_attention_2 computes in 16 bits alone; set precision or autocast "
                "to bfloat16, or attention to sdpa"
            )
        return self


class SftSettings(TrainingSettings):
    """Supervised fine-tuning."""

    loss_on: Literal["completion", "all"] = Field(
        "completion",
        description="Tokens that the loss is on: those of the essay, or those of the prompt too. "
        "The loss on validation essays is on the essay in either case.",
    )
    packing: bool = Field(
        False,
        description="Whether several essays fill one row of `max_length` tokens, each seeing "
        "itself alone, so that nothing is padded. A step then has `batch_size` × `accumulation` "
        "rows.",
    )

    @model_validator(mode="after")
    def _packed_rows_are_all_as_long(self) -> SftSettings:
        if self.packing and self.length_sorted:
            raise ValueError(
                "packing fills all rows to max_length, so that there is nothing to sort; set "
                "length_sorted to false"
            )
        return self


class PreferenceSettings(TrainingSettings):
    """What DPO and ORPO add."""

    beta: float = Field(0.1, gt=0, description="Strength of the preference term.")
    pairs: int | None = Field(
        8,
        ge=2,
        description="Training pairs that are used, the first of the mixed order; null for all. "
        "With fewer pairs than steps × batch each is seen more than once.",
    )
    checked_pairs: int = Field(
        5,
        ge=2,
        description="Training and validation pairs on which loss, reward margin and preference "
        "accuracy are computed.",
    )
    batch_size: int = Field(1, ge=1, description="Pairs in one forward pass.")


# Methods with defaults of their own are classes of their own: a settings file that names one key
# of a section leaves the section's other defaults as they are.
class DpoSettings(PreferenceSettings):
    """Direct preference optimisation."""

    learning_rate: float = Field(3e-4, gt=0, lt=1, description="Peak learning rate.")
    precompute_reference: bool = Field(
        False,
        description="Whether the reference's log-probabilities are computed once before training "
        "instead of in every step. Saves time where pairs are seen more than once.",
    )

    @model_validator(mode="after")
    def _reference_of_shared_weights(self) -> DpoSettings:
        if self.precompute_reference and self.launch.config.startswith("fsdp"):
            raise ValueError(
                f"precompute_reference is true and launch.config {self.launch.config}, but TRL "
                "computes it before the devices have their parts of the model; set "
                "precompute_reference to false"
            )
        return self


class OrpoSettings(PreferenceSettings):
    """Odds ratio preference optimisation."""

    learning_rate: float = Field(1e-3, gt=0, lt=1, description="Peak learning rate.")
    beta: float = Field(0.3, gt=0, description="Strength of the preference term.")
