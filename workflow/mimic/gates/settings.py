"""Settings of the gates stage."""

from __future__ import annotations

from pydantic import Field

from mimic.settings import Settings


class GatesSettings(Settings):
    """How much the gates draw; what they check is fixed."""

    simulations: int = Field(
        100,
        ge=50,
        description="Simulated studies behind each coverage, respondents behind the uniformity of "
        "p, and forms at least that the random and the human-like respondent answer. From 500 the "
        "studies are large and coverage must be 92 to 98 %, which takes minutes and is what the "
        "slow tests run; fewer only find intervals that are much too narrow, not ones too wide.",
    )
    seed: int = Field(
        1,
        ge=0,
        description="Seed of all draws. With others a gate of chance fails now and then, a few "
        "times in a hundred, although all is sound.",
    )
