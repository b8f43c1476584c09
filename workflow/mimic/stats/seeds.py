"""Figures of the runs of several training seeds, taken together.

Every seed answered the same profiles, forms and items; y of the seeds is stacked on a leading axis.
The weights of all factors come from one call of `mimic.stats.bootstrap.crossed_draws`, with the
number of seeds; a comparison run of as many seeds takes the same weights, one of a single seed
takes none for its seed.
"""

from __future__ import annotations

import numpy as np

from mimic.stats.fidelity import AnswerFidelity, answer_fidelity
from mimic.stats.stability import spread


def spread_over_seeds(
    y: np.ndarray,
    item_traits: np.ndarray,
    *,
    item_weights: np.ndarray | None = None,
    form_weights: np.ndarray | None = None,
    seed_weights: np.ndarray | None = None,
) -> np.ndarray:
    """S = √ mean s²(seed, profile, item), s the standard deviation (ddof 1) over forms.

    Parameters
    ----------
    y
        Item scores, shape (seeds, profiles, forms, items).
    item_traits
        Each item's trait, 0 to 4, shape (items,).
    item_weights, form_weights, seed_weights
        Weights, not negative, shapes (rows, items), (rows, forms) and (rows, seeds); without
        them all count once.

    Returns
    -------
    numpy.ndarray
        S of each row and trait in scale points, shape (rows, 5).
    """
    squares = [
        spread(of_seed, item_traits, item_weights=item_weights, form_weights=form_weights) ** 2
        for of_seed in y
    ]
    return np.sqrt(_over_seeds(np.stack(squares), seed_weights))


def fidelity_over_seeds(
    y: np.ndarray,
    item_traits: np.ndarray,
    targets: np.ndarray,
    *,
    cut: float | np.ndarray,
    item_weights: np.ndarray | None = None,
    form_weights: np.ndarray | None = None,
    seed_weights: np.ndarray | None = None,
) -> AnswerFidelity:
    """`answer_fidelity` of each seed, averaged over seeds.

    Parameters are those of `answer_fidelity` and `spread_over_seeds`.
    """
    found = [
        answer_fidelity(
            of_seed,
            item_traits,
            targets,
            cut=cut,
            item_weights=item_weights,
            form_weights=form_weights,
        )
        for of_seed in y
    ]
    fields = (np.stack(field) for field in zip(*found, strict=True))
    return AnswerFidelity(*(_over_seeds(field, seed_weights) for field in fields))


def _over_seeds(figures: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """The weighted mean over seeds; figures (seeds, rows, …), weights (rows, seeds)."""
    if weights is None:
        return np.asarray(figures.mean(axis=0))
    share = (weights / weights.sum(axis=1, keepdims=True)).T
    share = share.reshape(share.shape + (1,) * (figures.ndim - 2))
    return np.asarray((figures * share).sum(axis=0))
