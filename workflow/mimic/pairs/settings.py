"""Settings of the pairs stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mimic.settings import Settings

TrainedItems = Literal["train", "published"]
Rejected = Literal["random", "nearest", "opposite", "length-matched"]


class PairsSettings(Settings):
    """How essays become training data."""

    request: str = Field(
        "Write down the thoughts that go through your mind today, just as they come.",
        min_length=1,
        description="What a training prompt asks for, after the sentence that names the target.",
    )
    rejected: Rejected = Field(
        "random",
        description="Which essays a chosen one is set against, all of them different from it in at "
        "least one trait: any (random, as published); those that differ in the fewest traits "
        "(nearest) or in the most (opposite); those nearest in words (length-matched). The seed "
        "breaks ties.",
    )
    rejected_per_chosen: int = Field(
        3, ge=1, le=31, description="Rejected essays for each chosen one."
    )
    items: TrainedItems = Field(
        "train",
        description="Items in the prompts of Essays+Q: those of the training clusters in their "
        "training wordings, or, as published but for which they are, a seeded half of each trait's "
        "items in their original words (published).",
    )
    seed: int = Field(
        1, ge=0, description="Seed of rejected essays, of answers in prompts, of permuted labels."
    )
