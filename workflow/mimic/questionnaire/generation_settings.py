"""Settings of answers by generation, for the protocols ``released`` and ``corrected``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mimic.settings import Settings


class GenerationSettings(Settings):
    """How answers in words are generated; the defaults are as published but for the profiles."""

    profiles: Literal[4, 16, 32] = Field(
        4,
        description="Balanced set of targets that are asked for; the published protocol asks for "
        "all 32, and 4 show no more than how answers are read.",
    )
    max_tokens: int = Field(200, ge=1, description="Longest answer, in tokens.")
    text_tokens: int = Field(
        500, ge=1, description="Where a prompt holds a text, so many tokens of its beginning."
    )
    temperature: float = Field(
        0.0, ge=0, le=2, description="0 answers greedily, as published; above 0 samples."
    )
    top_p: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Sampling is from the likeliest tokens that together reach this probability.",
    )
    batch_size: int = Field(
        32,
        ge=1,
        description="Prompts that are answered side by side. Answers depend on it in their last "
        "bits, so another size asks all again.",
    )
    seed: int = Field(1, ge=0, description="Seed of the sampling.")
    prompts: str | None = Field(
        None,
        min_length=1,
        description="A file with other prompts, in the layout of config/forms/released.yaml; null "
        "takes that one.",
    )

    @model_validator(mode="after")
    def _sampling_fits(self) -> GenerationSettings:
        if self.temperature == 0 and self.top_p < 1:
            raise ValueError(
                f"with temperature 0 nothing is sampled, so top_p ({self.top_p}) would do nothing; "
                "set top_p to 1 or a temperature above 0"
            )
        return self
