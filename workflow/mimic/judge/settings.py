"""Settings of the reading judge."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mimic.settings import Settings

Features = Literal["tfidf", "minilm"]


class JudgeSettings(Settings):
    """What the reading judge may choose from, and how it is checked."""

    features: tuple[Features, ...] = Field(
        ("tfidf", "minilm"),
        min_length=1,
        description="Kinds of features to choose from: tfidf (words and word pairs) and minilm "
        "(sentence embeddings).",
    )
    c_values: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (0.1, 1.0, 10.0, 100.0),
        min_length=1,
        description="Inverse regularisation strengths C of the logistic regression to choose from.",
    )
    folds: int = Field(
        5,
        ge=2,
        le=20,
        description="Folds of the cross-validation; fewer are used where a level of a trait has "
        "fewer clusters of essays.",
    )
    masked: bool = Field(
        True, description="Whether trait words are deleted before the judge reads a text."
    )
    seed: int = Field(1, ge=0, description="Seed of the folds and of the bootstrap intervals.")
