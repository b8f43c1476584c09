"""The authored formats, wordings and rewordings of items, as typed data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, model_validator

from mimic.forms.placeholders import placeholders
from mimic.settings import Settings, parse_settings

ORDERS = ("published", "reversed")
REWORDINGS = 3


class Format(Settings):
    """How answers are given. Options stand in published order.

    With ``symbols`` each option is answered by its symbol, which belongs to the place in the list
    (so in reversed order the first symbol means the other end); without, by its own words.
    """

    options: tuple[str, str, str, str, str] = Field(description="Five options, published order.")
    first: Literal["most", "least"] = Field(
        "most", description="Whether the first option is the one most or least like me."
    )
    symbols: tuple[str, str, str, str, str] | None = Field(
        None, description="What stands before each option and is answered, such as 1 to 5."
    )
    line: str = Field(
        description="How an option is listed: {option}, and {symbol} where there are symbols."
    )
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

    @model_validator(mode="after")
    def _line_is_complete(self) -> Format:
        # Without symbols there is none to list.
        needed = ("symbol", "option") if self.symbols else ("option",)
        named = placeholders(self.line, allowed=needed)
        lacking = [name for name in needed if name not in named]
        if lacking:
            raise ValueError(
                f"the line {self.line!r} lacks {{{lacking[0]}}}, so that a prompt would not show "
                f"what is answered; it needs {' and '.join(f'{{{name}}}' for name in needed)}"
            )
        return self


class Authored(Settings):
    """The content of ``config/forms/authored.yaml``."""

    version: int = Field(description="Raised with every change of the words.")
    formats: dict[str, Format] = Field(description="Formats by name.")
    wordings: dict[str, str] = Field(description="Instructions by name.")


class Rewordings(Settings):
    """The content of ``config/forms/rewordings.yaml``."""

    version: int = Field(description="Raised with every change of the words.")
    items: dict[str, tuple[str, str, str]] = Field(
        description="Three rewordings of each item, by its text as published."
    )

    @model_validator(mode="after")
    def _distinct(self) -> Rewordings:
        seen: dict[str, str] = {}
        for original, phrases in self.items.items():
            for phrase in (original, *phrases):
                key = phrase.lower()
                if key in seen:
                    raise ValueError(
                        f"{phrase!r} stands under {seen[key]!r} and under {original!r}; "
                        "each phrase may stand once"
                    )
                seen[key] = original
        return self

    def variants(self, text: str) -> tuple[str, ...]:
        """The item's own text and its rewordings; the text alone where it has none."""
        by_text = {original.lower(): phrases for original, phrases in self.items.items()}
        return (text, *by_text.get(text.lower(), ()))


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


def load_rewordings(path: Path) -> Rewordings:
    """Read the rewordings of items. Raises ValueError naming the file and the item."""
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    return parse_settings(Rewordings, values, source=str(path))


def read_forms(values: Iterable[dict[str, Any]]) -> list[Form]:
    """Forms from the plain values of a ``forms.json``."""
    return [Form(**{**one, "answers": tuple(one["answers"])}) for one in values]


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
    rising = chosen.options if chosen.first == "least" else chosen.options[::-1]
    instruction = "\n".join([authored.wordings[wording], chosen.answer, *lines])
    return Form(
        form=f"{format_name}-{wording}-{order}",
        format=format_name,
        wording=wording,
        order=order,
        instruction=instruction,
        lead=chosen.lead,
        answers=tuple(answered[option] for option in rising),
    )
