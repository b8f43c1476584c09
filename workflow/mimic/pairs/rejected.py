"""Which essays a chosen one is set against."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mimic.pairs.settings import Rejected
from mimic.traits import Profile


def draw_rejected(
    essays: pd.DataFrame,
    chosen: int,
    *,
    kind: Rejected,
    count: int,
    generator: np.random.Generator,
) -> list[int]:
    """Rows of rejected essays, none twice, each differing from the chosen one in some trait.

    Parameters
    ----------
    essays
        Those to draw from, with the columns ``id``, ``text``, ``profile`` and ``words``.
    chosen
        Row of the chosen essay.
    kind
        ``random``, as the reference study draws them; ``nearest`` or ``opposite``, by the number
        of traits in which the profiles differ; ``length-matched``, by the difference in words.
        Essays that are equal in this come in an order drawn from `generator`.
    count
        Rejected essays for the chosen one.
    generator
        Source of the draw.

    Raises
    ------
    ValueError
        If fewer than `count` essays differ from the chosen one, or one drawn has its text.
    """
    profiles, words = essays["profile"].to_numpy(), essays["words"].to_numpy()
    others = np.flatnonzero(profiles != profiles[chosen])
    own = essays["id"].iloc[chosen]
    if len(others) < count:
        raise ValueError(
            f"essay {own} ({profiles[chosen]}): only {len(others)} essays differ from it, but "
            f"pairs.rejected_per_chosen is {count}; lower it or add essays"
        )
    if kind == "random":
        drawn = others[generator.choice(len(others), size=count, replace=False)]
    else:
        # Shuffled before a stable sort: ties are broken by the seed.
        shuffled = generator.permutation(others)
        if kind == "length-matched":
            distance = np.abs(words[shuffled] - words[chosen])
        else:
            distance = np.array([differing(profiles[chosen], profiles[n]) for n in shuffled])
            distance = -distance if kind == "opposite" else distance
        drawn = shuffled[np.argsort(distance, kind="stable")[:count]]
    for row in drawn:
        if essays["text"].iloc[row] == essays["text"].iloc[chosen]:
            raise ValueError(
                f"essays {own} and {essays['id'].iloc[row]} are the same text, so that a pair of "
                "them would ask for a text and against it; take one of them out of the corpus"
            )
    return [int(row) for row in drawn]


def differing(first: str, second: str) -> int:
    """In how many traits two profiles differ, 0 to 5."""
    pairs = zip(Profile.parse(first).levels, Profile.parse(second).levels, strict=True)
    return sum(one is not other for one, other in pairs)
