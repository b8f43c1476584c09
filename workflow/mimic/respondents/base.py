"""What a respondent that answers in words is asked and offers, whatever runs the model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Prompt:
    """A prompt that is answered in words.

    Attributes
    ----------
    text
        Rendered up to where the answer begins.
    name
        What it is called in messages.
    sample
        Which of several sampled answers to the same text is meant.
    """

    text: str
    name: str = field(compare=False)
    sample: int = 0


def prompt_seed(seed: int, prompt: Prompt) -> int:
    """The first 63 bits of the sha256 of the seed, a prompt's text and its sample, as JSON."""
    content = json.dumps([seed, prompt.text, prompt.sample]).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big") >> 1


class TextRespondent(Protocol):
    """Answers rendered prompts in words."""

    def answers(self, prompts: Sequence[Prompt]) -> Iterator[Mapping[int, str]]:
        """Answer each prompt once, some at a time, in an order of the respondent's choice.

        Yields
        ------
        Mapping of int to str
            Raw answers, by the position of their prompts.
        """
        ...
