"""What a respondent that answers in words offers, whatever runs the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol


class TextRespondent(Protocol):
    """Answers rendered prompts in words."""

    def answers(self, prompts: Sequence[str]) -> Iterator[Mapping[int, str]]:
        """Answer each prompt once, some at a time, in an order of the respondent's choice.

        Parameters
        ----------
        prompts
            Rendered up to where the answer begins.

        Yields
        ------
        Mapping of int to str
            Raw answers, by the position of their prompts.
        """
        ...
