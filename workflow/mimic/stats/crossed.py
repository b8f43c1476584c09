"""Intervals of figures of answers, from the draws of the crossed bootstrap.

Percentiles of the draws are no interval here. A draw has the noise of the sample and its own on
top; an exact match or an AUC falls with noise, so that nearly all draws can lie below the figure
itself. The draws give a variance, therefore, and the interval is built around the figure
(decision 0007).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from mimic.stats.bootstrap import STEP, Draws
from mimic.stats.intervals import (
    LEAST_DEFINED,
    TOO_MANY_UNDEFINED,
    Estimate,
    degenerate,
    score_bounds,
    undefined,
    wilson_of_trials,
)

CROSSED = "crossed bootstrap"
_UNDEFINED = "undefined"
_FIXED = "neither item clusters nor instruction wordings can vary"
_TWO_WORDINGS = "two instruction wordings in all do not show how S varies with the wording"


class Uncertainty(NamedTuple):
    """How far a figure would move with other items, wordings and seeds.

    Attributes
    ----------
    variance
        In units of the scale that `uncertainty` was given.
    freedom
        Its degrees of freedom; infinite where nothing varies.
    """

    variance: float
    freedom: float

    def quantile(self, level: float) -> float:
        """The two-sided quantile of Student's t."""
        return float(student.ppf(0.5 + level / 2, self.freedom))


def uncertainty(
    of_draws: np.ndarray, draws: Draws, *, scale: Callable[[float], float]
) -> Uncertainty | None:
    """Variance of a figure over items, wordings and seeds.

    With V(·) the variance of the block in which these factors vary, it is V(items) + V(forms) − I.
    I = V(items, forms) − V(items) − V(forms), kept within 0 and the smaller of both, is what
    belongs to items and wordings together, the noise of single answers included: it is part of
    both terms and stands in the product of full weights three times (Owen 2007, Annals of Applied
    Statistics 1, 386-411), but adds to the variance once. Seeds are joined to items and wordings
    in the same way. Variances are divided by `STEP`², I by `STEP`⁴. The degrees of freedom are
    those of Satterthwaite (1946, Biometrics Bulletin 2, 110-114) over strata and factors.

    Parameters
    ----------
    of_draws
        The figure in each row of `draws`, shape (rows,). Rows without a value are NaN.
    draws
        What `crossed_draws` gave.
    scale
        A block's variance is divided by this function of the block's mean, so that it is seen
        relative to the level at which it was found.

    Returns
    -------
    Uncertainty or None
        None where more than one in twenty draws has no value, since the rest is a selection.
    """
    blocks = of_draws.reshape(len(draws.blocks), -1)
    defined = np.isfinite(blocks).all(axis=0)
    if defined.mean() < LEAST_DEFINED:
        return None
    found = dict(zip(draws.blocks, blocks[:, defined], strict=True))
    variance = {factors: _relative(values, scale) for factors, values in found.items()}
    factors = [block[0] for block in draws.blocks if len(block) == 1]

    combined = joint = 0.0
    for place, factor in enumerate(factors):
        own, before = variance[factor,], joint
        joint = variance[tuple(factors[: place + 1])]
        shared = max(joint - before - own, 0.0) / STEP**4
        combined += own / STEP**2 - min(shared, combined, own / STEP**2)

    singly = sum(variance[factor,] for factor in factors)
    squares = sum(
        variance[factor,] ** 2
        / _freedom(found[factor,], draws.alone(factor)[defined], draws.strata[factor])
        for factor in factors
    )
    freedom = max(singly**2 / squares, 1.0) if squares > 0 else math.inf
    return Uncertainty(variance=combined, freedom=freedom)


def crossed_share(
    value: float,
    of_draws: np.ndarray,
    *,
    draws: Draws,
    n: int,
    profiles: int,
    level: float = 0.95,
) -> Estimate:
    """A figure from 0 to 1 (exact match, accuracy, AUC) with a score interval.

    Wilson's interval at the effective size (z/t)² / v, v being the variance relative to p (1 − p):
    as many independent trials as would vary like this, fewer for few degrees of freedom (after
    Korn & Graubard 1998, Survey Methodology 24, 193-201, with Wilson's for the exact bounds). At 0
    and 1, and where all draws are alike, the draws say nothing of the variance: then it is Wilson's
    interval with the profiles as trials, and `interval` says so.

    Parameters
    ----------
    value
        The figure; NaN where it is undefined.
    of_draws
        The figure in each row of `draws`, shape (rows,).
    draws
        What `crossed_draws` gave.
    n
        The number of units that the figure rests on.
    profiles
        The number of profiles.
    level
        Coverage of the interval.
    """
    found = _prepare(value, of_draws, draws, n=n, scale=lambda mean: mean * (1 - mean))
    if isinstance(found, Estimate):
        return found
    if degenerate(value, found.variance):
        return wilson_of_trials(value, trials=profiles, unit="profiles", n=n, level=level)
    z = float(norm.ppf(0.5 + level / 2))
    size = (z / found.quantile(level)) ** 2 / found.variance
    low, high = score_bounds(value, size=size, level=level)
    return Estimate(value=float(value), low=low, high=high, interval=CROSSED, n=n)


def crossed_spread(
    value: float,
    of_draws: np.ndarray,
    *,
    draws: Draws,
    n: int,
    reason: str = _UNDEFINED,
    level: float = 0.95,
) -> Estimate:
    """A figure above 0 (S) with a symmetric interval of its logarithm.

    The bounds are ``value · exp(±t √v)``, v being the variance relative to the square of the mean.
    Where just two wordings vary, in however many formats, there are none: S is nearly the same
    whichever of the two counts more.

    Parameters
    ----------
    value, of_draws, draws, n, level
        See `crossed_share`.
    reason
        Why `value` is undefined, if it is.
    """
    found = _prepare(value, of_draws, draws, n=n, scale=np.square, reason=reason)
    if isinstance(found, Estimate):
        return found
    if draws.wordings == 2:
        return _without_bounds(value, n=n, reason=_TWO_WORDINGS)
    width = found.quantile(level) * math.sqrt(found.variance)
    low, high = value * math.exp(-width), value * math.exp(width)
    return Estimate(value=float(value), low=low, high=high, interval=CROSSED, n=n)


def crossed_reduction(
    value: float,
    of_draws: np.ndarray,
    *,
    draws: Draws,
    n: int,
    reason: str = _UNDEFINED,
    level: float = 0.95,
) -> Estimate:
    """A reduction 1 − S_run/S_reference, by way of the ratio.

    The bounds are one minus those that `crossed_spread` gives for the ratio. Parameters are those
    of `crossed_spread`, value and draws being of the reduction, with the same draws for both runs.
    """
    ratio = crossed_spread(1 - value, 1 - of_draws, draws=draws, n=n, reason=reason, level=level)
    return Estimate(
        value=None if ratio.value is None else float(value),
        low=None if ratio.high is None else 1 - ratio.high,
        high=None if ratio.low is None else 1 - ratio.low,
        interval=CROSSED,
        n=n,
        reason=ratio.reason,
    )


def _prepare(
    value: float,
    of_draws: np.ndarray,
    draws: Draws,
    *,
    n: int,
    scale: Callable[[float], float],
    reason: str = _UNDEFINED,
) -> Uncertainty | Estimate:
    """The uncertainty, or the estimate of a figure that has none."""
    if not math.isfinite(value):
        return undefined(interval=CROSSED, n=n, reason=reason)
    if not draws.vary:
        return _without_bounds(value, n=n, reason=_FIXED)
    found = uncertainty(of_draws, draws, scale=scale)
    return _without_bounds(value, n=n, reason=TOO_MANY_UNDEFINED) if found is None else found


def _without_bounds(value: float, *, n: int, reason: str) -> Estimate:
    return Estimate(value=float(value), low=None, high=None, interval=CROSSED, n=n, reason=reason)


def _relative(values: np.ndarray, scale: Callable[[float], float]) -> float:
    unit = scale(float(values.mean()))
    return float(values.var() / unit) if unit > 0 else 0.0


def _freedom(values: np.ndarray, weights: np.ndarray, strata: Sequence[Sequence[int]]) -> float:
    """Degrees of freedom of the variance over one factor's strata.

    A stratum of n units gives (n − 1)/n Σ cov(value, weight)² of the variance of a figure that is
    linear in the weights, and n − 1 degrees of freedom.
    """
    centred = values - values.mean()
    parts = []
    for columns in strata:
        covariances = centred @ (weights[:, list(columns)] - 1) / len(values)
        size = len(columns)
        parts.append(((size - 1) / size * float(covariances @ covariances), size - 1))
    squares = sum(part**2 / freedom for part, freedom in parts)
    return sum(part for part, _ in parts) ** 2 / squares if squares > 0 else math.inf
