"""Settings of the writing stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from mimic.settings import Settings


class WritingSettings(Settings):
    """What each run writes."""

    profiles: Literal[16, 32] = Field(
        16,
        description="Balanced set of targets to write for; all 32 for a claim about those that "
        "preference training withholds.",
    )
    situations: dict[str, str] = Field(
        {
            "evening": "It is late in the evening. Tell what happened today and what you think "
            "of it.",
            "visit": "Friends have been to see you at home. Tell how the visit went and how it was "
            "for you.",
        },
        min_length=1,
        description="Name and request of each situation. At least two; with one the page says so. "
        "None of them may be what a training prompt asks for.",
    )
    samples: int = Field(
        2,
        ge=1,
        description="Texts for each profile and situation; intervals need at least two, which "
        "need a temperature above 0.",
    )
    max_new_tokens: int = Field(64, ge=8, description="Longest text, in tokens.")
    temperature: float = Field(
        0.7, ge=0, le=2, description="0 writes greedily, as published; above 0 samples."
    )
    batch_size: int = Field(32, ge=1, description="Texts that are written side by side.")
    seed: int = Field(1, ge=0, description="Seed of the sampling.")

    @model_validator(mode="after")
    def _samples_differ(self) -> WritingSettings:
        if self.temperature == 0 and self.samples > 1:
            raise ValueError(
                f"with temperature 0 all {self.samples} samples would be the same text; "
                "set samples to 1 or a temperature above 0"
            )
        return self

    @field_validator("situations")
    @classmethod
    def _plain_names(cls, value: dict[str, str]) -> dict[str, str]:
        for name, request in value.items():
            if not name.isidentifier() or not request.strip():
                raise ValueError(f"situation {name!r} needs a plain name and a request")
        return value
