"""Settings of the pairs stage."""

from __future__ import annotations

import string
from typing import Literal

from pydantic import Field, field_validator

from mimic.forms.placeholders import placeholders
from mimic.settings import Settings

TrainedItems = Literal["train", "published"]
Rejected = Literal["random", "nearest", "opposite", "length-matched"]


class PairsSettings(Settings):
    """How essays become training data."""

    persona: str = Field(
        "You are {target}.",
        description="The sentence of a training prompt that tells the target; `{target}` stands "
        "for its words, such as a person with high openness and so on. As a default it is that of "
        "writing and of the questionnaire; another one trains a run in other words than those that "
        "it is used with.",
    )
    request: str = Field(
        "Write down the thoughts that go through your mind today, just as they come.",
        min_length=1,
        description="What a training prompt asks for, after the sentence that tells the target.",
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

    @field_validator("persona")
    @classmethod
    def _tells_the_target_once(cls, value: str) -> str:
        placeholders(value, allowed=("target",))
        count = sum(name == "target" for _, name, _, _ in string.Formatter().parse(value))
        if count != 1:
            raise ValueError(
                f"has {{target}} {count} times; write it once, where the target's words stand, as "
                'in "You are {target}."'
            )
        return value
