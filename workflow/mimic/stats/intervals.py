"""An estimate with its interval, and the ways to get one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student
from statsmodels.stats.proportion import proportion_confint

TEXTS = "text bootstrap"
TOO_MANY_UNDEFINED = "undefined in too many bootstrap draws"
# Of the draws; where fewer have a value, they are a selection.
LEAST_DEFINED = 0.95
# Shares that differ by less are the same but for rounding.
_TOLERANCE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure, its interval, and what it rests on.

    Attributes
    ----------
    value, low, high
        The figure and the bounds of its interval; None where there is none.
    interval
        How the interval was made, such as ``wilson`` or ``crossed bootstrap``.
    n
        The number of units that the figure rests on.
    reason
        Why `value`, or the interval, is None or limited.
    """

    value: float | None
    low: float | None
    high: float | None
    interval: str
    n: int
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON values; `reason` is left out where there is none."""
        fields = {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "interval": self.interval,
            "n": self.n,
        }
        return fields if self.reason is None else fields | {"reason": self.reason}


def wilson(*, hits: int, n: int, level: float = 0.95) -> Estimate:
    """A proportion with Wilson's score interval, without continuity correction.

    The bounds are ``(p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)`` (Wilson 1927, JASA 22;
    method 3 of Newcombe 1998, Statistics in Medicine 17, 857-872).

    Parameters
    ----------
    hits, n
        Successes and independent trials. With ``n = 0`` the value is None, with a reason.
    level
        Coverage of the interval, between 0 and 1.

    Raises
    ------
    ValueError
        If `hits` is not within 0 and `n`.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} hits of {n} trials: hits must lie between 0 and the trials")
    if n == 0:
        return undefined(interval="wilson", n=0, reason="no observations")
    low, high = score_bounds(hits / n, size=n, level=level)
    return Estimate(value=hits / n, low=low, high=high, interval="wilson", n=n)


def wilson_of_trials(
    value: float, *, trials: int, unit: str, n: int, level: float = 0.95
) -> Estimate:
    """Wilson's interval where resampling can't give one, as with no hit at all.

    Parameters
    ----------
    value
        The share; `value` · `trials` need not be whole.
    trials
        The number of units that are taken for independent.
    unit
        What they are, in the plural: the interval is called ``wilson of 16 profiles``.
    n
        The number of units that the share rests on.
    level
        Coverage of the interval.
    """
    low, high = score_bounds(value, size=trials, level=level)
    name = f"wilson of {trials} {unit}"
    return Estimate(value=float(value), low=low, high=high, interval=name, n=n)


def text_share(
    value: float,
    of_draws: np.ndarray,
    *,
    n: int,
    freedom: float = math.inf,
    level: float = 0.95,
) -> Estimate:
    """A figure of texts from 0 to 1 with the interval of `drawn_share`.

    The trials where draws say nothing are the texts, which are independent of each other.

    Parameters
    ----------
    value
        The figure.
    of_draws
        The figure in each draw of texts, shape (draws,). Draws without a value are NaN.
    n
        The number of texts.
    freedom
        Degrees of freedom of the draws' variance, where few units such as training seeds were
        drawn.
    level
        Coverage of the interval.
    """
    return drawn_share(
        value,
        of_draws,
        n=n,
        trials=n,
        unit="texts",
        interval=TEXTS,
        freedom=freedom,
        level=level,
    )


def drawn_share(
    value: float,
    of_draws: np.ndarray,
    *,
    n: int,
    trials: int,
    unit: str,
    interval: str,
    freedom: float,
    level: float = 0.95,
) -> Estimate:
    """A figure from 0 to 1 with a score interval at the effective size.

    Wilson's interval with value (1 − value) / variance of the draws for the number of trials (Korn
    & Graubard 1998, Survey Methodology 24, 193-201, have it with exact bounds). At 0 and 1, and
    where all draws are alike, the draws say nothing of the variance: then it is Wilson's interval
    with `trials`, and `interval` says so.

    Parameters
    ----------
    value
        The figure.
    of_draws
        The figure in each draw, shape (draws,). Draws without a value are NaN.
    n
        The number of units that the figure rests on.
    trials, unit
        How many units are independent of each other, and what they are, in the plural.
    interval
        What the interval is called.
    freedom
        Degrees of freedom of the draws' variance: the effective size is multiplied by (z/t)², as in
        `mimic.stats.crossed`.
    level
        Coverage of the interval.
    """
    finite = of_draws[np.isfinite(of_draws)]
    if len(finite) < LEAST_DEFINED * len(of_draws):
        return Estimate(
            value=float(value),
            low=None,
            high=None,
            interval=interval,
            n=n,
            reason=TOO_MANY_UNDEFINED,
        )
    variance = float(finite.var())
    if degenerate(value, variance):
        return wilson_of_trials(value, trials=trials, unit=unit, n=n, level=level)
    quantile = 0.5 + level / 2
    shrunk = float(norm.ppf(quantile) / student.ppf(quantile, freedom)) ** 2
    size = value * (1 - value) / variance * shrunk
    low, high = score_bounds(value, size=size, level=level)
    return Estimate(value=float(value), low=low, high=high, interval=interval, n=n)


def degenerate(value: float, variance: float) -> bool:
    """Whether the draws of a share say nothing of its variance: at 0 and 1, or if all are alike."""
    return variance < _TOLERANCE**2 or not _TOLERANCE < value < 1 - _TOLERANCE


def score_bounds(value: float, *, size: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's bounds of a share, `size` being the number of trials, whole or not."""
    low, high = proportion_confint(value * size, size, alpha=1 - level, method="wilson")
    # Rounding can put a bound a hair beyond the value at 0 or n hits.
    return min(max(float(low), 0.0), value), max(min(float(high), 1.0), value)


def percentile_bounds(
    draws: np.ndarray, *, level: float = 0.95
) -> tuple[float | None, float | None]:
    """The percentile interval of bootstrap draws (Efron 1981, Canadian J. Statistics 9).

    Parameters
    ----------
    draws
        The figure in each draw, shape (draws,). Draws without a value are NaN.
    level
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    tuple
        The ``(1 − level)/2`` and ``(1 + level)/2`` quantiles of the finite draws; (None, None) if
        more than one in twenty draws has no value, since the rest is then a selection.
    """
    finite = draws[np.isfinite(draws)]
    if len(finite) == 0 or len(finite) < LEAST_DEFINED * len(draws):
        return None, None
    tail = (1 - level) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)


def percentile_estimate(
    value: float, draws: np.ndarray, *, interval: str, n: int, level: float = 0.95
) -> Estimate:
    """An estimate with the percentile interval of its bootstrap `draws`, shape (draws,).

    Where more than one in twenty draws has no value, the bounds are None, with a reason.
    """
    low, high = percentile_bounds(draws, level=level)
    reason = TOO_MANY_UNDEFINED if low is None else None
    return Estimate(value=float(value), low=low, high=high, interval=interval, n=n, reason=reason)


def undefined(*, interval: str, n: int, reason: str) -> Estimate:
    """An estimate without a value, and why."""
    return Estimate(value=None, low=None, high=None, interval=interval, n=n, reason=reason)
