"""Settings of the questionnaire stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mimic.settings import Settings

Context = Literal["none", "own"]


class QuestionnaireSettings(Settings):
    """Who is asked what, and with what else in the prompt."""

    instrument: str = Field(
        "mini_ipip", description="An instrument in config/instruments, without .yaml."
    )
    profiles: Literal[16, 32] = Field(16, description="Balanced set of targets that are asked for.")
    contexts: tuple[Context, ...] = Field(
        ("none",),
        min_length=1,
        description="What a prompt holds besides: nothing, or the run's own text for the profile.",
    )
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
