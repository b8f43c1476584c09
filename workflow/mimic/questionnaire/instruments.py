"""Instruments: items, keys, source, version."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, model_validator

from mimic.settings import Settings, parse_settings
from mimic.traits import TRAITS


class Item(Settings):
    """One item of an instrument."""

    id: str = Field(description="Unique in the instrument.")
    text: str = Field(min_length=1, description="The published wording, without a subject.")
    trait: Literal[
        "openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism"
    ] = Field(description="The trait that it measures.")
    facet: str | None = Field(None, description="The facet, where the instrument has facets.")
    keyed: Literal["plus", "minus"] = Field(description="Whether agreement means high or low.")

    def statement(self) -> str:
        """The item as a sentence about oneself: ``I worry about things.``"""
        first, _, rest = self.text.partition(" ")
        return f"I {first[:1].lower()}{first[1:]}{' ' if rest else ''}{rest}."


class Instrument(Settings):
    """A questionnaire."""

    name: str = Field(description="Name in tables.")
    version: int = Field(description="Raised with every change of the items.")
    source: str = Field(description="Where the items and keys come from.")
    license: str = Field(description="Terms of use.")
    items: tuple[Item, ...] = Field(min_length=5, description="The items, in published order.")

    @model_validator(mode="after")
    def _check(self) -> Instrument:
        for name, values in (
            ("id", [item.id for item in self.items]),
            ("text", [item.text.lower() for item in self.items]),
        ):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"the item {name} {twice[0]!r} stands more than once")
        lacking = sorted(set(TRAITS) - {item.trait for item in self.items})
        if lacking:
            raise ValueError(f"no item measures {', '.join(lacking)}")
        return self


def load_instrument(path: Path) -> Instrument:
    """Read an instrument. Raises ValueError naming the file, the item and what is allowed."""
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    return parse_settings(Instrument, values, source=str(path))
