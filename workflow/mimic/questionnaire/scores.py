"""From option probabilities to item scores, as the protocol ``likelihood`` has it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

AGREEMENTS = np.arange(1.0, 6.0)
MIDDLE = 3.0


class Scores(NamedTuple):
    """What option probabilities come to.

    Attributes
    ----------
    mass
        Sum of the probabilities, Σ p_k.
    raw
        Mean agreement from 1 to 5, Σ k p_k / Σ p_k; NaN without mass.
    y
        Item score: `raw`, or 6 − `raw` of a minus-keyed item.
    """

    mass: np.ndarray
    raw: np.ndarray
    y: np.ndarray


def likelihood_scores(options: np.ndarray, keyed_plus: np.ndarray) -> Scores:
    """Item scores of option probabilities.

    Parameters
    ----------
    options
        Probability of each agreement 1 to 5, unnormalised, shape (…, items, 5).
    keyed_plus
        Whether agreement with an item means high, shape (items,).

    Returns
    -------
    Scores
        Each of shape (…, items).
    """
    mass = options.sum(axis=-1)
    without = np.full(mass.shape, math.nan)
    raw = np.divide(options @ AGREEMENTS, mass, out=without, where=mass > 0)
    return Scores(mass, raw, np.where(keyed_plus, raw, 6 - raw))


def with_the_middle(scores: Scores) -> Scores:
    """The scores with the middle, which speaks for neither side, where there is no mass.

    So each answer has a number, and by its mass of 0 metrics know that it stands for none.
    """
    there = scores.mass > 0
    return scores._replace(
        raw=np.where(there, scores.raw, MIDDLE), y=np.where(there, scores.y, MIDDLE)
    )
