"""Settings of the questionnaire stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from mimic.questionnaire.generation_settings import GenerationSettings
from mimic.questionnaire.protocols import Protocol
from mimic.settings import Settings

Context = Literal["none", "own", "human", "sketches"]


class AskSettings(Settings):
    """Who is asked what by likelihood, and with what else in the prompt."""

    profiles: Literal[16, 32] = Field(
        16,
        description="Balanced set of targets that are asked for; all 32 for a claim about those "
        "that preference training withholds.",
    )
    human_essays: int = Field(
        6,
        ge=2,
        description="Held-out essays (role T) that the context human asks about, of as many "
        "profiles as there are.",
    )
    text_tokens: int = Field(
        500, ge=1, description="Where a prompt holds a text, so many tokens of its beginning."
    )
    seed: int = Field(1, ge=0, description="Seed of the draw of these essays.")
    engine: Literal["shared_prefix", "one_prompt"] = Field(
        "shared_prefix",
        description="How prompts are computed: what they share once, or each by itself, for models "
        "that the first doesn't fit.",
    )
    batch_tokens: int = Field(
        512,
        ge=32,
        description="Tokens of items and options in one forward pass of the engine shared_prefix.",
    )


class QuestionnaireSettings(AskSettings):
    """Instrument, protocols and contexts, and how they are asked."""

    instrument: str = Field(
        "mini_ipip", description="An instrument in config/instruments, without .yaml."
    )
    protocols: tuple[Protocol, ...] = Field(
        ("likelihood",),
        min_length=1,
        description="How answers become scores: likelihood by the probability of each option; "
        "released and corrected by generated answers, in the direction of the released code and "
        "in the right one.",
    )
    contexts: tuple[Context, ...] = Field(
        ("none", "human"),
        min_length=1,
        description="What a prompt holds besides: nothing (none), the run's own text for the "
        "profile (own), a held-out essay instead of a target (human), or the sketch of a person, "
        "for the reliability of scales (sketches).",
    )
    generation: GenerationSettings = Field(
        GenerationSettings(), description="Answers in words, for released and corrected."
    )

    @field_validator("protocols")
    @classmethod
    def _has_likelihood(cls, value: tuple[Protocol, ...]) -> tuple[Protocol, ...]:
        # Stability and the main column rest on it.
        if "likelihood" not in value:
            raise ValueError("likelihood must be among the protocols")
        return value
