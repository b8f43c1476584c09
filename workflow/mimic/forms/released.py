"""The formats of the protocol ``released``, as typed data: options, lead-in and request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationInfo, field_validator

from mimic.forms.placeholders import placeholders
from mimic.settings import Settings, parse_settings

REQUIRED_PLACEHOLDERS = ("target", "item")
PLACEHOLDERS = (*REQUIRED_PLACEHOLDERS, "text")


class ReleasedFormat(Settings):
    """What S1, S2 and S3 share. Option 1 stands first and means most like me."""

    options: tuple[str, str, str, str, str] = Field(
        description="Five options in published order, most like me first."
    )
    lead: str = Field(min_length=1, description="The lead-in that an answer is asked to open with.")
    # Last, for it is checked against the others.
    request: str = Field(
        description="What is asked, with {target}, {item} and, in a paragraph of its own, {text}."
    )

    @field_validator("options")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len({_folded(option) for option in value}) != 5 or not all(map(str.strip, value)):
            raise ValueError("the five options must differ and none may be empty")
        return value

    @field_validator("request")
    @classmethod
    def _is_complete(cls, value: str, info: ValidationInfo) -> str:
        paragraphs = [_placeholders(paragraph) for paragraph in _paragraphs(value)]
        lacking = [name for name in REQUIRED_PLACEHOLDERS if not any(name in p for p in paragraphs)]
        if lacking:
            raise ValueError(f"lacks {{{lacking[0]}}}")
        if any("text" in p and p != {"text"} for p in paragraphs):
            raise ValueError(
                "{text} needs a paragraph of its own, between blank lines, for that is left out "
                "where there is no text"
            )
        named = [info.data.get("lead", ""), *info.data.get("options", ())]
        for words in named:
            if _folded(words) not in _folded(value):
                raise ValueError(f"doesn't name {words!r}, the lead-in or an option of the format")
        return value

    @property
    def takes_text(self) -> bool:
        """Whether the request has a place for a context text."""
        return "text" in _placeholders(self.request)

    def filled(self, *, target: str, text: str | None, item: str) -> str:
        """The request about one item.

        Parameters
        ----------
        target
            What is said of the target, from `mimic.conditioning.described`.
        text
            The context text; None leaves out the paragraph with ``{text}``.
        item
            The item as a sentence.

        Raises
        ------
        ValueError
            If a text is given but the request has no ``{text}``.
        """
        if text is not None and not self.takes_text:
            raise ValueError(
                "this context puts a text into the prompt, but a request of the released forms "
                "has no {text}; add a paragraph with {text} to it, or ask in the context none"
            )
        paragraphs = [
            paragraph.format(target=target, text=text, item=item)
            for paragraph in _paragraphs(self.request)
            if text is not None or "text" not in _placeholders(paragraph)
        ]
        return "\n\n".join(paragraphs)


class DigitFormat(ReleasedFormat):
    """S1: an option is answered by its number."""

    symbols: tuple[Literal["1"], Literal["2"], Literal["3"], Literal["4"], Literal["5"]] = Field(
        description="The numbers, in the order of the options."
    )


class PhraseFormat(ReleasedFormat):
    """S2: an option is answered by its own words."""


class LetterFormat(ReleasedFormat):
    """S3: an option is answered by its letter, bare or in brackets, or by its words."""

    symbols: tuple[Literal["A"], Literal["B"], Literal["C"], Literal["D"], Literal["E"]] = Field(
        description="The letters, in the order of the options."
    )


class ReleasedFormats(Settings):
    """The three formats."""

    S1: DigitFormat = Field(description="Numbers.")
    S2: PhraseFormat = Field(description="Phrases.")
    S3: LetterFormat = Field(description="Letters.")


class Released(Settings):
    """The content of ``config/forms/released.yaml``."""

    version: int = Field(ge=1, description="Raised with every change of the words.")
    formats: ReleasedFormats = Field(description="S1, S2 and S3.")

    def by_name(self) -> dict[str, ReleasedFormat]:
        """The formats by name, in the order S1, S2, S3."""
        return {"S1": self.formats.S1, "S2": self.formats.S2, "S3": self.formats.S3}


def load_released(path: Path) -> Released:
    """Read the released forms.

    Raises
    ------
    ValueError
        Naming the file, the key and what is allowed: for formats other than S1, S2 and S3, an
        unknown placeholder, a request without ``{target}`` or ``{item}``, or one that doesn't name
        its lead-in and options.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"{path}: can't be read ({error.strerror}); it should hold the released forms"
        ) from None
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not valid YAML ({error})") from None
    return parse_settings(Released, values, source=str(path))


def _paragraphs(request: str) -> list[str]:
    return re.split(r"\n[ \t]*\n\s*", request.strip())


def _placeholders(words: str) -> set[str]:
    return placeholders(words, allowed=PLACEHOLDERS)


def _folded(words: str) -> str:
    return " ".join(words.casefold().split())
