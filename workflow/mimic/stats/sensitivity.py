"""Item scores by other rules than the main one, to see whether a result rests on it."""

from __future__ import annotations

import math

import numpy as np

# An answer's probability of being an option; below it the model mostly wants to say something else.
LEAST_MASS = 0.5


def argmax_scores(options: np.ndarray, keyed_plus: np.ndarray) -> np.ndarray:
    """Item scores from the most probable option alone.

    Parameters
    ----------
    options
        Probability of each agreement 1 to 5, normalised or not, shape (profiles, forms, items, 5).
    keyed_plus
        Whether an item is plus-keyed, boolean, shape (items,).

    Returns
    -------
    numpy.ndarray
        y from 1 to 5, shape (profiles, forms, items): the agreement k with the highest p_k, or
        6 − k if minus-keyed. Of options that tie it is the mean.
    """
    best = options == options.max(axis=-1, keepdims=True)
    raw = (best * np.arange(1.0, 6.0)).sum(axis=-1) / best.sum(axis=-1)
    return np.asarray(np.where(keyed_plus, raw, 6 - raw))


def agreement_index(raw: np.ndarray, item_traits: np.ndarray, keyed_plus: np.ndarray) -> np.ndarray:
    """Acquiescence of each profile × form: mean raw agreement over keying-balanced item sets.

    For each trait with items of both keyings ``(mean of plus + mean of minus) / 2``, then the mean
    over these traits; 3 is neither way. A target moves both keyings in opposite directions, and so
    cancels out.

    Parameters
    ----------
    raw
        Mean agreement from 1 to 5, not keyed, shape (profiles, forms, items).
    item_traits
        Each item's trait, 0 to 4, shape (items,).
    keyed_plus
        Whether an item is plus-keyed, boolean, shape (items,).

    Returns
    -------
    numpy.ndarray
        Shape (profiles, forms).

    Raises
    ------
    ValueError
        If no trait has items of both keyings.
    """
    balanced = []
    for trait in np.unique(item_traits):
        plus, minus = (raw[:, :, (item_traits == trait) & key] for key in (keyed_plus, ~keyed_plus))
        if plus.shape[2] and minus.shape[2]:
            balanced.append((plus.mean(axis=2) + minus.mean(axis=2)) / 2)
    if not balanced:
        raise ValueError(
            "no trait has items of both keyings, so that agreement can't be told from the trait; "
            "use an instrument with plus- and minus-keyed items"
        )
    return np.asarray(np.mean(balanced, axis=0))


def corrected_for_agreement(
    raw: np.ndarray, item_traits: np.ndarray, keyed_plus: np.ndarray
) -> np.ndarray:
    """Item scores after acquiescence is taken out of each profile × form.

    ``raw' = raw − (A − 3)``, A being `agreement_index` of the same profile and form; then
    ``y = raw'`` if plus-keyed, ``6 − raw'`` if minus-keyed. All items are corrected, those of
    traits without both keyings too. Scores may leave 1 to 5.

    Parameters are those of `agreement_index`.

    Returns
    -------
    numpy.ndarray
        y, shape (profiles, forms, items).
    """
    corrected = raw - (agreement_index(raw, item_traits, keyed_plus)[:, :, None] - 3)
    return np.asarray(np.where(keyed_plus, corrected, 6 - corrected))


def spread_of_present(y: np.ndarray, item_traits: np.ndarray) -> np.ndarray:
    """S (`mimic.stats.stability.spread`) where some answers are left out.

    A profile × item counts where at least two forms are left of it.

    Parameters
    ----------
    y
        Item scores, NaN where left out, shape (profiles, forms, items).
    item_traits
        Each item's trait, 0 to 4, shape (items,).

    Returns
    -------
    numpy.ndarray
        In scale points, shape (5,); NaN for a trait of which nothing counts.
    """
    variance = np.ma.masked_invalid(y).var(axis=1, ddof=1)
    means = [variance[:, item_traits == trait].mean() for trait in range(5)]
    return np.array([math.nan if mean is np.ma.masked else math.sqrt(mean) for mean in means])
