"""Reliability of a trait's score: do its items measure one thing? Cronbach's α and McDonald's ω.

Rows are answers to all items, averaged over forms: profiles × sketches of persons. Rows that
share a profile or a sketch are not independent; the interval of α takes them as if they were and
is too narrow by that, and ω has none.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from statsmodels.multivariate.factor import Factor

from mimic.stats.icc import icc, icc_within_groups
from mimic.stats.intervals import Estimate, undefined

# Below this α and ω are not reported: both need the items' covariances, not just their means.
MIN_ROWS = 200
# A uniqueness up to this, as a share of the item's variance, is a Heywood case.
_SMALLEST_UNIQUENESS = 0.005
# A smallest eigenvalue of the correlations below this is rounding: the items are dependent.
_SINGULAR = 1e-8
_TOLERANCE = 1e-9


class OneFactor(NamedTuple):
    """A one-factor model of correlations.

    Attributes
    ----------
    loadings
        λ, shape (items,); the sign of all of them together is arbitrary.
    uniquenesses
        ψ, the share of each item's variance that is not the factor's, shape (items,).
    """

    loadings: np.ndarray
    uniquenesses: np.ndarray

    @property
    def heywood_items(self) -> int:
        """How many items have next to no variance of their own."""
        return int((self.uniquenesses <= _SMALLEST_UNIQUENESS).sum())


def alpha(y: np.ndarray, *, high: np.ndarray | None = None, level: float = 0.95) -> Estimate:
    """Cronbach's α, in total or within the groups of high and low targets.

    ``α = k/(k−1) · (1 − Σ σ²_i / σ²_total)`` over k items (Cronbach 1951, Psychometrika 16,
    297-334), which is ICC(C,k) with items for raters. The interval is
    ``1 − (1 − α) F*`` at the quantiles F* of F(n−1, (n−1)(k−1)) (Feldt 1965, Psychometrika 30,
    357-370; Feldt, Woodruff & Salih 1987, Applied Psychological Measurement 11, 93-103).

    With `high` the variances and covariances are those within the two groups, pooled, and n − 2
    takes the place of n − 1: how well the items go together beyond the target level that they
    were all asked to show.

    Parameters
    ----------
    y
        Keyed item scores of one trait, averaged over forms, shape (rows, items).
    high
        Whether the target of a row is high on the trait, boolean, shape (rows,).
    level
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    Estimate
        `n` is the number of rows. Without a value, and with a reason, below `MIN_ROWS` rows or two
        items, with missing values, or where the rows do not differ.

    Raises
    ------
    ValueError
        If `y` is not a matrix, or `high` has another length.
    """
    rows, items = _shape(y)
    if rows < MIN_ROWS:
        return _too_few(rows, interval="Feldt")
    if items < 2:
        return undefined(interval="Feldt", n=rows, reason="fewer than 2 items")
    found = icc(y, level=level) if high is None else icc_within_groups(y, high, level=level)
    estimate = found.consistency_average
    reason = estimate.reason and estimate.reason.replace("targets", "rows")
    return replace(estimate, interval="Feldt", reason=reason)


def omega_total(y: np.ndarray) -> Estimate:
    """McDonald's ω of a one-factor model: ``ω = (Σ λ_i)² / ((Σ λ_i)² + Σ ψ_i)``.

    λ and ψ are those of `one_factor`, on the scale of y (McDonald 1999, Test theory); the
    denominator is the variance of the total score that the model implies. There is no interval: a
    bootstrap of rows would take them as independent, which they are not.

    Parameters
    ----------
    y
        Keyed item scores of one trait, averaged over forms, shape (rows, items).

    Returns
    -------
    Estimate
        `n` is the number of rows. Without a value, and with a reason, below `MIN_ROWS` rows or
        three items, with missing values, items that do not vary or depend on each other, or at a
        Heywood case.

    Raises
    ------
    ValueError
        If `y` is not a matrix.
    """
    rows, items = _shape(y)
    if rows < MIN_ROWS:
        return _too_few(rows, interval="none")
    reason = _why_no_factor(y)
    if reason is not None:
        return undefined(interval="none", n=rows, reason=reason)
    fitted = one_factor(np.corrcoef(y, rowvar=False))
    if fitted is None:
        reason = "the one-factor model did not converge"
        return undefined(interval="none", n=rows, reason=reason)
    if fitted.heywood_items:
        reason = (
            f"Heywood case: {fitted.heywood_items} of {items} items have next to no variance of "
            "their own"
        )
        return undefined(interval="none", n=rows, reason=reason)
    scale = y.std(axis=0, ddof=1)
    common = float((fitted.loadings * scale).sum()) ** 2
    value = common / (common + float((fitted.uniquenesses * scale**2).sum()))
    reason = "no interval: the rows are not independent"
    return Estimate(value=value, low=None, high=None, interval="none", n=rows, reason=reason)


def one_factor(correlations: np.ndarray) -> OneFactor | None:
    """The maximum-likelihood one-factor model of a correlation matrix.

    Starting values are uniquenesses a little below one minus the squared multiple correlations,
    and the best loadings for them, so that nothing is drawn at random.

    Parameters
    ----------
    correlations
        Positive definite, shape (items, items), at least three items.

    Returns
    -------
    OneFactor or None
        None if the fit did not converge. At a Heywood case it returns with a uniqueness near 0,
        converged or not.
    """
    items = len(correlations)
    uniquenesses = (1 - 0.5 / items) / np.diag(np.linalg.inv(correlations))
    root = np.sqrt(uniquenesses)
    eigenvalues, vectors = np.linalg.eigh(correlations / np.outer(root, root))
    loadings = root * vectors[:, -1] * np.sqrt(max(eigenvalues[-1] - 1, 0.0))
    model = Factor(corr=correlations, n_factor=1, method="ml")
    with warnings.catch_warnings():
        # What they warn of, no convergence and uniquenesses of 0, is in the result.
        warnings.simplefilter("ignore")
        model.fit(start=(loadings[:, None], uniquenesses))
    found = OneFactor(model.loadings[:, 0], model.uniqueness)
    return found if model.mle_retvals.success or found.heywood_items else None


def _shape(y: np.ndarray) -> tuple[int, int]:
    if y.ndim != 2:
        raise ValueError(f"scores of shape {y.shape}: there must be a matrix (rows, items)")
    rows, items = y.shape
    return rows, items


def _too_few(rows: int, *, interval: str) -> Estimate:
    reason = f"{rows} rows, and below {MIN_ROWS} it is not reported"
    return undefined(interval=interval, n=rows, reason=reason)


def _why_no_factor(y: np.ndarray) -> str | None:
    items = y.shape[1]
    if items < 3:
        return "fewer than 3 items"
    missing = int((~np.isfinite(y)).sum())
    if missing:
        return f"{missing} of {y.size} values are missing"
    still = int((np.ptp(y, axis=0) <= _TOLERANCE).sum())
    if still:
        return f"{still} of {items} items do not vary"
    if np.linalg.eigvalsh(np.corrcoef(y, rowvar=False))[0] < _SINGULAR:
        return "an item is a linear combination of others"
    return None
