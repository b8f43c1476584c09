"""Spread of answers over forms, and how much of them follows the target.

Symbols: y(profile, form, item) is an item score from 1 to 5; x = ±1 a profile's target levels; T
the mean of y over a trait's items.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

# Ratios closer than this are the same but for rounding.
_TOLERANCE = 1e-9


class Stability(NamedTuple):
    """Stability of one run.

    Attributes
    ----------
    spread
        S of each trait, in scale points, shape (5,); NaN with a single form.
    signal
        B, shape (5, 5): row = trait answered, column = trait of the target. The diagonal is the
        signal, the rest crosstalk.
    """

    spread: np.ndarray
    signal: np.ndarray

    @property
    def noise_to_signal(self) -> np.ndarray:
        """S/|B_tt|, shape (5,); infinite where the target has no effect."""
        own = np.abs(np.diag(self.signal))
        infinite = np.full(5, math.inf)
        return np.asarray(np.divide(self.spread, own, out=infinite, where=own > _TOLERANCE))


def spread(
    y: np.ndarray,
    item_traits: np.ndarray,
    *,
    item_weights: np.ndarray | None = None,
    form_weights: np.ndarray | None = None,
) -> np.ndarray:
    """S = √ mean s²(profile, item), s the standard deviation (ddof 1) over forms.

    Parameters
    ----------
    y
        Item scores, shape (profiles, forms, items).
    item_traits
        Each item's trait, 0 to 4, shape (items,).
    item_weights, form_weights
        Weights, not negative, shapes (draws, items) and (draws, forms). Without them every item
        and form counts once, in a single draw. With form weights w,
        s² = Σ w (y − ȳ)² / (Σ w − Σ w² / Σ w), ȳ = Σ w y / Σ w: the variance of ``numpy.cov`` with
        ``aweights``, which is that of ddof 1 where all w are equal, and leaves out a form of
        weight 0.

    Returns
    -------
    numpy.ndarray
        S of each draw and trait in scale points, shape (draws, 5); NaN with a single form, or a
        single form of weight above 0.
    """
    profiles, forms, items = y.shape
    item_weights = np.ones((1, items)) if item_weights is None else item_weights
    form_weights = np.ones((1, forms)) if form_weights is None else form_weights
    if forms < 2:
        return np.full((len(item_weights), 5), math.nan)
    # Centred first: the difference of sums below would otherwise lose digits.
    centred = y - y.mean(axis=1, keepdims=True)
    squares = np.einsum("pfi,pfi->fi", centred, centred)
    total = form_weights.sum(axis=1)
    summed = np.zeros((len(form_weights), items))
    for block in centred:
        summed += (form_weights @ block) ** 2
    freedom = total - (form_weights**2).sum(axis=1) / total
    freedom = np.where(freedom > _TOLERANCE, freedom, math.nan)
    variance = (form_weights @ squares - summed / total[:, None]) / freedom[:, None] / profiles
    variance = np.maximum(variance, 0.0)
    columns = []
    for trait in range(5):
        own = item_traits == trait
        weights = item_weights[:, own]
        columns.append((weights * variance[:, own]).sum(axis=1) / weights.sum(axis=1))
    return np.asarray(np.sqrt(np.stack(columns, axis=1)))


def reduction(run: np.ndarray | float, reference: np.ndarray | float) -> np.ndarray:
    """1 − S_run/S_reference, shape as given; NaN where the reference has no spread."""
    run, reference = np.asarray(run), np.asarray(reference)
    ratio = np.full(np.broadcast_shapes(run.shape, reference.shape), math.nan)
    return np.asarray(1 - np.divide(run, reference, out=ratio, where=reference > _TOLERANCE))


def signal(scores: np.ndarray, design: np.ndarray) -> np.ndarray:
    """B of ``T_pt = a_t + Σ_u B_tu x_pu`` by ordinary least squares.

    Parameters
    ----------
    scores
        T averaged over forms, shape (profiles, 5).
    design
        Target levels as ±1, shape (profiles, 5).

    Returns
    -------
    numpy.ndarray
        B, shape (5, 5): row = trait answered, column = trait of the target. B_tt is half the
        difference between high and low targets, in scale points.

    Raises
    ------
    ValueError
        If the profiles do not separate the five traits.
    """
    return np.asarray((_solver(design) @ scores).T)


def profile_parts(y: np.ndarray, item_traits: np.ndarray) -> np.ndarray:
    """What S and B are made of, by profile, for `mimic.stats.permutation.run_swap_p`.

    Parameters
    ----------
    y
        Item scores, shape (profiles, forms, items), at least two forms.
    item_traits
        Each item's trait, 0 to 4, shape (items,).

    Returns
    -------
    numpy.ndarray
        Shape (profiles, 2, 5): for each trait the mean over its items of s², the variance over
        forms, and T averaged over forms.
    """
    variance, mean = y.var(axis=1, ddof=1), y.mean(axis=1)
    traits = [item_traits == trait for trait in range(5)]
    return np.stack(
        [
            np.stack([values[:, own].mean(axis=1) for own in traits], axis=1)
            for values in (variance, mean)
        ],
        axis=1,
    )


def mean_noise_to_signal(parts: np.ndarray, design: np.ndarray) -> np.ndarray:
    """S averaged over traits by |B_tt| averaged over traits: one S/|B| of a run.

    The mean of the five ratios would be that of the trait with the least signal.

    Parameters
    ----------
    parts
        What `profile_parts` gave, shape (…, profiles, 2, 5).
    design
        Target levels as ±1, shape (profiles, 5).

    Returns
    -------
    numpy.ndarray
        Shape (…,); infinite where the targets have no effect.

    Raises
    ------
    ValueError
        If the profiles do not separate the five traits.
    """
    noise = np.sqrt(parts[..., 0, :].mean(axis=-2)).mean(axis=-1)
    # The diagonal of B.
    own = np.abs(np.einsum("tp,...pt->...t", _solver(design), parts[..., 1, :])).mean(axis=-1)
    infinite = np.full(np.shape(noise), math.inf)
    return np.asarray(np.divide(noise, own, out=infinite, where=own > _TOLERANCE))


def shrink(base: np.ndarray, run: np.ndarray) -> tuple[float, np.ndarray]:
    """The base's scores moved towards 3 until their mean |y − 3| is the run's.

    Shrinking alone lowers S, and leaves S/|B| as it is.

    Returns
    -------
    tuple
        The factor on y − 3, at most 1, and the scores. They are the base's own where the run's are
        further from 3: scores moved apart would ask the run for more signal than the base has.
    """
    distance = float(np.abs(base - 3).mean())
    factor = min(1.0, float(np.abs(run - 3).mean()) / distance) if distance > 0 else 1.0
    return factor, 3 + factor * (base - 3)


def more_stable(run: Stability, comparison: Stability) -> np.ndarray:
    """Whether a run is more stable than its comparison, for each trait, shape (5,).

    It needs a lower S/|B_tt|, and a B_tt that is above 0 and at least 90 % of the comparison's:
    a run that has become indifferent to its target is not more stable.
    """
    lower = run.noise_to_signal < comparison.noise_to_signal * (1 - _TOLERANCE)
    own, other = np.diag(run.signal), np.diag(comparison.signal)
    return np.asarray(lower & (own > _TOLERANCE) & (own >= 0.9 * other - _TOLERANCE))


def _solver(design: np.ndarray) -> np.ndarray:
    """What turns scores of profiles into B by ordinary least squares, shape (5, profiles)."""
    with_intercept = np.column_stack([np.ones(len(design)), design])
    if np.linalg.matrix_rank(with_intercept) < with_intercept.shape[1]:
        raise ValueError(
            f"{len(design)} profiles do not separate the effects of the five traits; "
            "use a balanced set of 16 or all 32"
        )
    return np.asarray(np.linalg.pinv(with_intercept)[1:])
