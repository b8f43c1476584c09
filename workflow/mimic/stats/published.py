"""The reference study's definitions of stability, under their own names.

The study reports "standard deviations" without a definition. Its released code takes one of trait
means over profiles; its figure looks like one over the items of a trait. Neither is S
(`mimic.stats.stability.spread`): the first falls when a run heeds its target less, and the second
holds the differences between items.
"""

from __future__ import annotations

import math

import numpy as np

# Standard deviations below this are rounding.
_TOLERANCE = 1e-9


def sd_over_profiles(scores: np.ndarray) -> np.ndarray:
    """Standard deviation (ddof 1) of trait means over profiles.

    Parameters
    ----------
    scores
        T, shape (profiles, forms, 5); it is averaged over forms first.

    Returns
    -------
    numpy.ndarray
        In scale points, shape (5,).
    """
    return np.asarray(scores.mean(axis=1).std(axis=0, ddof=1))


def sd_over_items(y: np.ndarray, item_traits: np.ndarray) -> np.ndarray:
    """Standard deviation (ddof 1) over a trait's items, averaged over profiles and forms.

    Parameters
    ----------
    y
        Item scores, shape (profiles, forms, items).
    item_traits
        Each item's trait, 0 to 4, shape (items,).

    Returns
    -------
    numpy.ndarray
        In scale points, shape (5,); NaN for a trait with a single item.
    """
    found = []
    for trait in range(5):
        own = y[:, :, item_traits == trait]
        found.append(own.std(axis=2, ddof=1).mean() if own.shape[2] > 1 else math.nan)
    return np.array(found)


def relative_reduction(run: np.ndarray, base: np.ndarray) -> np.ndarray:
    """1 − run/base of either standard deviation, shape (5,); NaN where the base has none.

    As both have the same ddof, it cancels.
    """
    undefined = np.full(np.shape(base), math.nan)
    return np.asarray(1 - np.divide(run, base, out=undefined, where=base > _TOLERANCE))
