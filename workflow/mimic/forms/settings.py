"""Settings of the forms stage."""

from __future__ import annotations

from pydantic import Field

from mimic.settings import Settings


class ProposalSettings(Settings):
    """A second source of rewordings: a language model."""

    model: str = Field(description="Who proposes and reads again; one of the study's models.")
    each: int = Field(5, ge=1, le=20, description="Rewordings that are asked for, for each item.")
    seed: int = Field(1, ge=0, description="Seed of the sampling.")


class FormsSettings(Settings):
    """Which ways of putting an item are used."""

    formats: tuple[str, ...] = Field(
        ("digits", "letters"),
        min_length=1,
        description="Answer formats that are asked for, by their names in "
        "config/forms/authored.yaml.",
    )
    trained_formats: tuple[str, ...] = Field(
        ("phrases", "numbers"),
        description="Formats that training on items may use; the others are never trained on.",
    )
    wordings: int = Field(
        1,
        ge=1,
        description="Wordings of the instruction, each in every format; half of the authored ones "
        "are kept for tests, and these are drawn from them.",
    )
    seed: int = Field(1, ge=0, description="Seed of these draws and of what is kept for tests.")
    proposals: ProposalSettings | None = Field(
        None,
        description="Rewordings of items by a language model, for training alone; null for the "
        "authored ones alone.",
    )
