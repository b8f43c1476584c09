"""Settings of the finetune stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mimic.settings import Settings


class LoraSettings(Settings):
    """The adapter."""

    rank: int = Field(16, ge=1, le=512, description="Rank of the adapter.")
    alpha: int = Field(32, ge=1, description="Scaling of the adapter; it is divided by the rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout before the adapter.")
    target_modules: Literal["all-linear"] | tuple[str, ...] = Field(
        "all-linear", description="Layers that get an adapter: all linear ones, or their names."
    )


class TrainingSettings(Settings):
    """What every method has."""

    steps: int = Field(12, ge=1, description="Optimizer steps.")
    learning_rate: float = Field(5e-4, gt=0, lt=1, description="Peak learning rate.")
    lora: LoraSettings = Field(LoraSettings(), description="The adapter.")
    batch_size: int = Field(2, ge=1, description="Examples (or pairs) in one forward pass.")
    accumulation: int = Field(1, ge=1, description="Forward passes for each optimizer step.")
    warmup_steps: int = Field(2, ge=0, description="Steps over which the learning rate rises.")
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = Field(
        "linear", description="Course of the learning rate after warm-up."
    )
    max_length: int = Field(
        256, ge=16, description="Longest prompt and essay together, in tokens; the rest is cut."
    )


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
        5, ge=2, description="Training and validation pairs on which the reward margin is checked."
    )
    batch_size: int = Field(1, ge=1, description="Pairs in one forward pass.")


# Methods with defaults of their own are classes of their own: a settings file that names one key
# of a section leaves the section's other defaults as they are.
class DpoSettings(PreferenceSettings):
    """Direct preference optimisation."""

    learning_rate: float = Field(3e-4, gt=0, lt=1, description="Peak learning rate.")


class OrpoSettings(PreferenceSettings):
    """Odds ratio preference optimisation."""

    learning_rate: float = Field(1e-3, gt=0, lt=1, description="Peak learning rate.")
    beta: float = Field(0.3, gt=0, description="Strength of the preference term.")
