"""Settings of the pairs stage."""

from __future__ import annotations

from pydantic import Field

from mimic.settings import Settings


class PairsSettings(Settings):
    """How essays become training data."""

    request: str = Field(
        "Write down the thoughts that go through your mind today, just as they come.",
        min_length=1,
        description="What a training prompt asks for, after the sentence that names the target.",
    )
    rejected_per_chosen: int = Field(
        3, ge=1, le=31, description="Rejected essays for each chosen one, drawn at random."
    )
    seed: int = Field(1, ge=0, description="Seed of the draw of rejected essays.")
