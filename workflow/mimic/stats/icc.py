"""Intraclass correlations: how far raters agree about targets, here forms about profiles.

Two-way model without replication, ``y_pf = μ + r_p + c_f + e_pf``: r the targets, c the raters
(their shifts), e the residual with the interaction of both; n targets, k raters. MSR, MSC and MSE
are their mean squares. Values below 0 are kept: they say that the targets differ less than the
residual alone would let them.

The intervals take raters for independent draws of one population. Forms that share an instruction
wording are not, so that with few wordings the intervals of the agreement are too narrow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import f as f_distribution

from mimic.stats.intervals import Estimate, undefined

_INTERVAL = "McGraw-Wong"
# Differences below this, relative to the largest value, are rounding.
_TOLERANCE = 1e-9


class Icc(NamedTuple):
    """The three coefficients of one matrix; `n` of each is the number of targets.

    Attributes
    ----------
    agreement_single
        ICC(A,1), of a single rater's value.
    agreement_average
        ICC(A,k), of the mean over the raters.
    consistency_average
        ICC(C,k), of that mean where the raters' shifts are ignored; Cronbach's α with raters for
        items.
    """

    agreement_single: Estimate
    agreement_average: Estimate
    consistency_average: Estimate


class _MeanSquares(NamedTuple):
    """Mean squares and what the formulas need besides.

    `raters` holds one mean square, or two whose mean is MSC; each has `raters_df` degrees of
    freedom. `per_shift` is the number of targets that share a rater's shift.
    """

    targets: float
    targets_df: int
    raters: tuple[float, ...]
    raters_df: int
    error: float
    error_df: int
    per_shift: float
    k: int


def icc(values: np.ndarray, *, level: float = 0.95) -> Icc:
    """ICC(A,1), ICC(A,k) and ICC(C,k) with their F-based intervals.

    ::

        ICC(A,1) = (MSR − MSE) / (MSR + (k−1) MSE + (k/n)(MSC − MSE))
        ICC(A,k) = (MSR − MSE) / (MSR + (MSC − MSE)/n)
        ICC(C,k) = (MSR − MSE) / MSR

    The interval of ICC(C,k) is ``1 − F*·MSE/MSR`` at the quantiles F* of F(n−1, (n−1)(k−1)). Those
    of the agreement rest on ``MSR / (a MSC + b MSE)`` being F(n−1, v), with
    ``a = kρ / (n(1−ρ))``, ``b = 1 + kρ(n−1) / (n(1−ρ))``, ρ the estimated ICC(A,1), and v by
    Satterthwaite; the bounds of ICC(A,k) are those of ICC(A,1) stepped up by Spearman-Brown
    (McGraw & Wong 1996, Psychological Methods 1, 30-46, tables 4 and 7, with the correction on
    p. 390; the coefficients are ICC(2,1), ICC(2,k) and ICC(3,k) of Shrout & Fleiss 1979,
    Psychological Bulletin 86, 420-428).

    Parameters
    ----------
    values
        One value for each target and rater, shape (targets, raters).
    level
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    Icc
        A coefficient without a value has a reason: fewer than two targets or raters, missing
        values, or targets that do not differ.

    Raises
    ------
    ValueError
        If `values` is not a matrix.
    """
    return _coefficients(values, np.zeros(len(values), dtype=bool), groups=1, level=level)


def icc_within_groups(values: np.ndarray, high: np.ndarray, *, level: float = 0.95) -> Icc:
    """`icc` after subtracting the means of the high and of the low targets.

    What remains between targets is what tells them apart beyond the trait's own target level. Two
    means are subtracted instead of one, so MSR has n − 2 degrees of freedom instead of n − 1.

    A rater may also carry the target level more strongly than another. Subtracting the groups'
    overall means leaves this interaction of rater and group in the values; as residual it would
    lower all coefficients, ICC(C,k) too, although it reorders no two targets of a group. So it
    counts as what it is inside a group, a shift: the shifts have two mean squares, of raters and
    of raters × groups, of k − 1 degrees of freedom each; MSC is their mean, n/2 takes the place
    of n in the formulas, and MSE has (n−2)(k−1) degrees of freedom. That is the two-way
    analysis pooled over the groups, each by itself.

    Parameters
    ----------
    values
        One value for each target and rater, shape (targets, raters).
    high
        Whether a target is in the high group, boolean, shape (targets,). The degrees of freedom
        of the shifts are exact for groups of equal size.
    level
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    Icc
        As `icc`; also without a value if a group has fewer than two targets.

    Raises
    ------
    ValueError
        If `values` is not a matrix, or `high` has another length.
    """
    return _coefficients(values, np.asarray(high, dtype=bool), groups=2, level=level)


def _coefficients(values: np.ndarray, high: np.ndarray, *, groups: int, level: float) -> Icc:
    if values.ndim != 2 or high.shape != values.shape[:1]:
        raise ValueError(
            f"values of shape {values.shape} and groups of shape {high.shape}: "
            "there must be a matrix (targets, raters) and a group for each target"
        )
    reason = _why_not(values, high, groups=groups)
    if reason is not None:
        return undefined_icc(len(values), reason)
    squares = _mean_squares(values, high, groups=groups)
    if squares.targets == 0:
        return undefined_icc(len(values), "the values do not differ between targets")
    single, average = _agreement(squares, n=len(values), level=level)
    return Icc(single, average, _consistency(squares, n=len(values), level=level))


def _why_not(values: np.ndarray, high: np.ndarray, *, groups: int) -> str | None:
    targets, raters = values.shape
    if raters < 2:
        return "fewer than 2 raters"
    if targets < 2:
        return "fewer than 2 targets"
    if groups == 2 and min(high.sum(), (~high).sum()) < 2:
        return "fewer than 2 targets in a group"
    missing = int((~np.isfinite(values)).sum())
    return f"{missing} of {values.size} values are missing" if missing else None


def undefined_icc(n: int, reason: str) -> Icc:
    """Coefficients without a value, and why."""
    none = undefined(interval=_INTERVAL, n=n, reason=reason)
    return Icc(none, none, none)


def _mean_squares(values: np.ndarray, high: np.ndarray, *, groups: int) -> _MeanSquares:
    targets, k = values.shape
    centred = values - values.mean()
    of_targets = centred.mean(axis=1, keepdims=True)
    of_raters = centred.mean(axis=0)
    # Of a single group: its mean is the grand mean, 0, and its shifts are those of the raters.
    level = np.zeros_like(of_targets)
    shift = np.tile(of_raters, (targets, 1))
    if groups == 2:
        for group in (high, ~high):
            level[group] = of_targets[group].mean()
            shift[group] = centred[group].mean(axis=0) - level[group]
    error = centred - of_targets - shift
    by_group = shift - of_raters
    floor = (_TOLERANCE * max(1.0, float(np.abs(values).max()))) ** 2

    def mean_square(deviations: np.ndarray, df: int) -> float:
        found = float((deviations**2).sum()) / df
        return found if found > floor else 0.0

    between = np.broadcast_to(of_targets - level, values.shape)
    raters = [mean_square(np.tile(of_raters, (targets, 1)), k - 1)]
    if groups == 2:
        raters.append(mean_square(by_group, k - 1))
    error_df = (targets - groups) * (k - 1)
    return _MeanSquares(
        targets=mean_square(between, targets - groups),
        targets_df=targets - groups,
        raters=tuple(raters),
        raters_df=k - 1,
        error=mean_square(error, error_df),
        error_df=error_df,
        per_shift=targets / groups,
        k=k,
    )


def _consistency(squares: _MeanSquares, *, n: int, level: float) -> Estimate:
    ratio = squares.error / squares.targets
    tail = (1 - level) / 2
    low, high = f_distribution.ppf([1 - tail, tail], squares.targets_df, squares.error_df)
    return Estimate(
        value=1 - ratio,
        low=1 - ratio * float(low),
        high=1 - ratio * float(high),
        interval=_INTERVAL,
        n=n,
    )


def _agreement(squares: _MeanSquares, *, n: int, level: float) -> tuple[Estimate, Estimate]:
    msr, mse, per_shift, k = squares.targets, squares.error, squares.per_shift, squares.k
    msc = float(np.mean(squares.raters))
    if mse == 0 and msc == 0:
        perfect = Estimate(value=1.0, low=1.0, high=1.0, interval=_INTERVAL, n=n)
        return perfect, perfect
    value = (msr - mse) / (msr + (k - 1) * mse + k / per_shift * (msc - mse))
    odds = k * value / (1 - value)
    weighted = [odds / per_shift * square / len(squares.raters) for square in squares.raters]
    of_error = (1 + odds * (per_shift - 1) / per_shift) * mse
    v = (sum(weighted) + of_error) ** 2 / (
        sum(part**2 for part in weighted) / squares.raters_df + of_error**2 / squares.error_df
    )
    tail = (1 - level) / 2
    bounds = []
    averaged_bounds = []
    for quantile in f_distribution.ppf([1 - tail, tail], squares.targets_df, v):
        above = per_shift * (msr - float(quantile) * mse)
        residual = (k * per_shift - k - per_shift) * mse
        bounds.append(above / (float(quantile) * (k * msc + residual) + per_shift * msr))
        below = float(quantile) * (msc - mse) + per_shift * msr
        averaged_bounds.append(above / below if below > 0 else None)
    single = Estimate(value=value, low=bounds[0], high=bounds[1], interval=_INTERVAL, n=n)
    total = msr + (msc - mse) / per_shift
    if total <= 0:
        reason = "targets and raters together vary less than the residual"
        return single, undefined(interval=_INTERVAL, n=n, reason=reason)
    low, high = averaged_bounds
    return single, Estimate(
        value=(msr - mse) / total,
        low=low,
        high=high,
        interval=_INTERVAL,
        n=n,
        reason="the interval has no finite lower bound" if low is None else None,
    )
