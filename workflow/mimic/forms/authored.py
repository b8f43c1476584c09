"""The authored formats and wordings, as typed data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import Field, model_validator

from mimic.settings import Settings, parse_settings

ORDERS = ("published", "reversed")


class Format(Settings):
    """How answers are given. Options stand in published order, from like me to not like me.

    With ``symbols`` each option is answered by its symbol, which belongs to the place in the list
    (so in reversed order the first symbol means "not like me"); without, by its own words.
    """

    options: tuple[str, str, str, str, str] = Field(description="Five options, most like me first.")
    symbols: tuple[str, str, str, str, str] | None = Field(
        None, description="What stands before each option and is answered, such as 1 to 5."
    )
    line: str = Field(description="How an option is listed: {symbol} and {option}.")
    answer: str = Field(description="The sentence that says how to answer.")
    lead: str = Field(
        min_length=1,
        description="How the respondent's answer opens; what follows it is scored.",
    )

    @model_validator(mode="after")
    def _distinct(self) -> Format:
        for name in ("options", "symbols"):
            values = getattr(self, name)
            if values is not None and len(set(values)) != 5:
                raise ValueError(f"the five {name} must differ, found {list(values)}")
        return self


class Authored(Settings):
    """The content of ``config/forms/authored.yaml``."""

    version: int = Field(description="Raised with every change of the words.")
    formats: dict[str, Format] = Field(description="Formats by name.")
    wordings: dict[str, str] = Field(description="Instructions by name.")


@dataclass(frozen=True)
class Form:
    """One way to put items.

    Attributes
    ----------
    instruction
        All that stands before the target and the item.
    lead
        How the answer opens, before the option.
    answers
        What is answered for agreement 1, 2, 3, 4, 5 (5 = most like me).
    """

    form: str
    format: str
    wording: str
    order: str
    instruction: str
    lead: str
    answers: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def load_authored(path: Path) -> Authored:
    """Read the authored forms. Raises ValueError naming the file and the key."""
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    return parse_settings(Authored, values, source=str(path))


def build_form(authored: Authored, *, format_name: str, wording: str, order: str) -> Form:
    """One form from a format, a wording and an order of options."""
    chosen = authored.formats[format_name]
    listed = list(chosen.options if order == "published" else chosen.options[::-1])
    symbols = chosen.symbols or tuple(listed)
    lines = [
        chosen.line.format(symbol=symbol, option=option)
        for symbol, option in zip(symbols, listed, strict=True)
    ]
    answered = dict(zip(listed, symbols, strict=True))
    # Options stand from most to least like me; agreement counts the other way.
    answers = tuple(answered[option] for option in chosen.options[::-1])
    instruction = "\n".join([authored.wordings[wording], chosen.answer, *lines])
    return Form(
        form=f"{format_name}-{wording}-{order}",
        format=format_name,
        wording=wording,
        order=order,
        instruction=instruction,
        lead=chosen.lead,
        answers=answers,
    )


def draw_forms(
    authored: Authored, *, formats: tuple[str, ...], wordings: int, seed: int
) -> list[Form]:
    """Formats × drawn wordings × both orders.

    Raises
    ------
    ValueError
        If a format isn't authored, or more wordings are asked for than there are.
    """
    unknown = [name for name in formats if name not in authored.formats]
    if unknown:
        raise ValueError(
            f"forms.formats: no format {unknown[0]!r}; authored are {', '.join(authored.formats)}"
        )
    if wordings > len(authored.wordings):
        raise ValueError(
            f"forms.wordings is {wordings}, but only {len(authored.wordings)} are authored"
        )
    names = list(authored.wordings)
    shuffled = [names[int(i)] for i in np.random.default_rng(seed).permutation(len(names))]
    forms: list[Form] = []
    for position, format_name in enumerate(formats):
        start = position * wordings
        drawn = [shuffled[(start + i) % len(names)] for i in range(wordings)]
        forms.extend(
            build_form(authored, format_name=format_name, wording=wording, order=order)
            for wording in drawn
            for order in ORDERS
        )
    return forms
