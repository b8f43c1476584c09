"""What is wrong with a text besides its content: trait words, copying, repetition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

COPY_TOKENS = 12
REPETITION_TOKENS = 4

Gram = tuple[int, ...]


def grams(tokens: Sequence[int], length: int) -> list[Gram]:
    """All runs of `length` consecutive tokens, in order."""
    return [tuple(tokens[i : i + length]) for i in range(len(tokens) - length + 1)]


def copy_index(essays: Iterable[Sequence[int]]) -> frozenset[Gram]:
    """All runs of 12 consecutive tokens that the training essays hold."""
    return frozenset(gram for tokens in essays for gram in grams(tokens, COPY_TOKENS))


def is_copied(tokens: Sequence[int], index: frozenset[Gram]) -> bool:
    """Whether a text shares 12 or more consecutive tokens with a training essay."""
    return any(gram in index for gram in grams(tokens, COPY_TOKENS))


def repetition(tokens: Sequence[int]) -> float:
    """Share of a text's 4-grams that stood in it before: 0 for none, near 1 for a loop."""
    all_grams = grams(tokens, REPETITION_TOKENS)
    if not all_grams:
        return 0.0
    return 1 - len(set(all_grams)) / len(all_grams)
