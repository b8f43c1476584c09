"""How long a study's training examples are: from its corpus, or assumed where that isn't here."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

from mimic.essays.load import read_csv
from mimic.essays.settings import EssaysSettings

COMPOSED = Path("workflow/resources/composed_essays.csv")
# SmolLM2's tokenizer on the composed essays: 1.29; larger vocabularies have fewer.
TOKENS_PER_WORD = 1.29
# A training prompt's own words: roles, target and request.
PROMPT_TOKENS = 72
# An item with its answer, in the prompts of Essays+Q.
ITEM_TOKENS = 20
# Where a corpus isn't on this machine: the number of the Essays corpus (Pennebaker and King, 1999),
# the mean of design figures, and a spread that is a guess.
ASSUMED_ESSAYS, ASSUMED_MEAN, ASSUMED_SPREAD = 2467, 790, 320


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Tokens of each essay of a corpus, the shortest first.

    Attributes
    ----------
    assumed
        What was assumed, in words; empty where the corpus was read.
    """

    tokens: tuple[int, ...]
    assumed: str = ""


def essay_lengths(settings: EssaysSettings) -> Lengths:
    """Lengths of a study's essays, before any check rejects one."""
    source = settings.source
    path = COMPOSED if source.kind == "embedded" else Path(getattr(source, "path", ""))
    if path.is_file():
        corpus = read_csv(path, encoding=getattr(source, "encoding", "auto"))
        words = [len(essay.text.split()) for essay in corpus.essays]
        return Lengths(tokens=tuple(sorted(math.ceil(TOKENS_PER_WORD * n) for n in words)))
    return assumed_lengths(settings)


def assumed_lengths(settings: EssaysSettings) -> Lengths:
    """Lengths of a study's essays that follow from its settings alone."""
    spread = NormalDist(ASSUMED_MEAN, ASSUMED_SPREAD)
    places = [(number + 0.5) / ASSUMED_ESSAYS for number in range(ASSUMED_ESSAYS)]
    tokens = tuple(max(settings.min_words, round(spread.inv_cdf(place))) for place in places)
    assumed = (
        f"the corpus isn't on this machine: {ASSUMED_ESSAYS:,} essays of {ASSUMED_MEAN} tokens on "
        "average are assumed"
    )
    return Lengths(tokens=tokens, assumed=assumed)


@functools.lru_cache(maxsize=64)
def padded_length(lengths: tuple[int, ...], *, rows: int, prompt: int, max_length: int) -> float:
    """Mean tokens of a row that is padded to the longest of `rows` random ones.

    Parameters
    ----------
    lengths
        Of the essays, the shortest first.
    prompt
        Tokens before the essay.
    """
    count = len(lengths)
    return sum(
        min(length + prompt, max_length) * (((place + 1) / count) ** rows - (place / count) ** rows)
        for place, length in enumerate(lengths)
    )
