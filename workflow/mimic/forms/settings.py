"""Settings of the forms stage."""

from __future__ import annotations

from pydantic import Field

from mimic.settings import Settings


class FormsSettings(Settings):
    """Which ways of putting an item are used."""

    formats: tuple[str, ...] = Field(
        ("digits", "letters"),
        min_length=1,
        description="Answer formats, by their names in config/forms/authored.yaml.",
    )
    wordings: int = Field(
        1,
        ge=1,
        description="Wordings of the instruction for each format, drawn without repetition "
        "among the formats as far as the authored ones go.",
    )
    seed: int = Field(1, ge=0, description="Seed of that draw.")
