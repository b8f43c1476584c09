"""An estimate with its interval, and the ways to get one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from statsmodels.stats.proportion import proportion_confint


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
    low, high = proportion_confint(hits, n, alpha=1 - level, method="wilson")
    # Rounding can put a bound a hair beyond the value at 0 or n hits.
    value = hits / n
    return Estimate(
        value=value,
        low=min(max(float(low), 0.0), value),
        high=max(min(float(high), 1.0), value),
        interval="wilson",
        n=n,
    )


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
    if len(finite) == 0 or len(finite) < 0.95 * len(draws):
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
    reason = "undefined in too many bootstrap draws" if low is None else None
    return Estimate(value=float(value), low=low, high=high, interval=interval, n=n, reason=reason)


def undefined(*, interval: str, n: int, reason: str) -> Estimate:
    """An estimate without a value, and why."""
    return Estimate(value=None, low=None, high=None, interval=interval, n=n, reason=reason)
