"""α and ω against published figures, pingouin, and models whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest
from test_stats_icc import SHROUT_FLEISS, with_mean_squares

from mimic.stats.reliability import alpha, omega_total, one_factor


def with_covariance(covariance: np.ndarray, *, rows: int = 250) -> np.ndarray:
    """Scores that have this covariance matrix exactly."""
    z = np.random.default_rng(0).normal(size=(rows, len(covariance)))
    z -= z.mean(axis=0)
    z = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T))).T
    return np.asarray(3 + z @ np.linalg.cholesky(covariance).T)


def test_alpha_of_shrout_and_fleiss() -> None:
    # ICC(3,4) = α = .91 in the paper; both are the same for repeated rows.
    assert alpha(np.tile(SHROUT_FLEISS, (40, 1))).value == pytest.approx(0.91, abs=0.005)


def test_published_interval_of_alpha() -> None:
    # α = .913 of 20 items and 873 rows: bounds of Evans' R function for Feldt's interval,
    # MRC Cognition and Brain Sciences Unit, statistics wiki.
    y = with_mean_squares(targets=873, raters=20, of_targets=1 / (1 - 0.913), of_error=1)
    found = alpha(y)
    assert (found.value, found.low, found.high) == pytest.approx(
        (0.913, 0.9044024, 0.9211588), abs=1e-7
    )
    assert (found.interval, found.n) == ("Feldt", 873)


def test_published_worked_example_of_alpha() -> None:
    # Ten questions and 15 people, as the reference of pingouin's cronbach_alpha prints it. Repeated
    # rows leave α as it is and are enough for a figure.
    pingouin = pytest.importorskip("pingouin")
    rows = pingouin.read_dataset("cronbach_alpha")
    y = rows.pivot(index="Subj", columns="Items", values="Scores").to_numpy(dtype=float)
    assert y.shape == (15, 10)
    assert alpha(np.tile(y, (14, 1))).value == pytest.approx(0.5917188485995826)


def test_pingouin_gives_the_same_alpha() -> None:
    pingouin = pytest.importorskip("pingouin")
    import pandas as pd

    generator = np.random.default_rng(5)
    y = generator.normal(size=(320, 1)) + generator.normal(size=(320, 12)) + np.arange(12)
    value, bounds = pingouin.cronbach_alpha(pd.DataFrame(y))
    found = alpha(y)
    assert found.value == pytest.approx(value)
    assert (found.low, found.high) == pytest.approx(tuple(bounds), abs=0.00051)


def test_within_target_groups_alpha_loses_what_the_target_made() -> None:
    generator = np.random.default_rng(6)
    high = np.arange(320) % 2 == 0
    y = np.where(high, 1.0, -1.0)[:, None] + generator.normal(size=(320, 10))
    found = alpha(y, high=high)
    assert (alpha(y).value or 0) > 0.85
    assert found.value == pytest.approx(0, abs=0.15)
    pooled = (np.cov(y[high].T) + np.cov(y[~high].T)) / 2
    assert found.value == pytest.approx(10 / 9 * (1 - np.trace(pooled) / pooled.sum()))


def test_omega_of_a_congeneric_population_is_exact() -> None:
    loadings = np.array([0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    uniquenesses = np.array([0.3, 0.5, 0.2, 0.6, 0.4, 0.35])
    y = with_covariance(np.outer(loadings, loadings) + np.diag(uniquenesses))
    found = omega_total(y)
    # (Σλ)² = 3.9² = 15.21, Σψ = 2.35.
    assert found.value == pytest.approx(15.21 / 17.56, abs=1e-6)
    assert (found.low, found.high, found.n) == (None, None, 250)
    assert found.reason == "no interval: the rows are not independent"
    lower = alpha(y).value
    assert lower is not None and lower < 15.21 / 17.56


def test_omega_equals_alpha_where_all_loadings_are_equal() -> None:
    y = with_covariance(0.5 + np.diag([0.2, 0.4, 0.6, 0.8]))
    assert omega_total(y).value == pytest.approx(alpha(y).value, abs=1e-6)
    assert alpha(y).value == pytest.approx(8 / 10)


def test_three_items_have_the_loadings_of_spearmans_triads() -> None:
    correlations = np.array([[1, 0.42, 0.35], [0.42, 1, 0.3], [0.35, 0.3, 1]])
    found = one_factor(correlations)
    assert found is not None
    # λ_1² = r_12 r_13 / r_23, and so on.
    assert np.abs(found.loadings) == pytest.approx([0.7, 0.6, 0.5], abs=1e-5)
    assert found.uniquenesses == pytest.approx([0.51, 0.64, 0.75], abs=1e-5)


def test_a_heywood_case_has_no_omega() -> None:
    # λ_1² = .9 · .7 / .5 = 1.26 by the triads.
    y = with_covariance(np.array([[1, 0.9, 0.7], [0.9, 1, 0.5], [0.7, 0.5, 1]]))
    found = omega_total(y)
    assert found.value is None
    assert found.reason == "Heywood case: 1 of 3 items have next to no variance of their own"


def test_nothing_is_reported_below_200_rows() -> None:
    y = np.random.default_rng(0).normal(size=(199, 5))
    for found in (alpha(y), omega_total(y)):
        assert found.value is None
        assert found.reason == "199 rows, and below 200 it is not reported"
    assert alpha(np.vstack([y, y[:1]])).value is not None


def test_figures_without_a_value_say_why() -> None:
    generator = np.random.default_rng(1)
    y = generator.normal(size=(250, 4))
    missing, constant, double = y.copy(), y.copy(), y.copy()
    missing[3, 2] = np.nan
    constant[:, 1] = 3.0
    double[:, 1] = 2 * y[:, 0] + y[:, 2]
    for found, reason in [
        (alpha(y[:, :1]), "fewer than 2 items"),
        (alpha(missing), "1 of 1000 values are missing"),
        (alpha(np.full((250, 4), 3.0)), "the values do not differ between rows"),
        (alpha(y, high=np.arange(250) < 1), "fewer than 2 rows in a group"),
        (omega_total(y[:, :2]), "fewer than 3 items"),
        (omega_total(missing), "1 of 1000 values are missing"),
        (omega_total(constant), "1 of 4 items do not vary"),
        (omega_total(double), "an item is a linear combination of others"),
    ]:
        assert (found.value, found.low, found.high) == (None, None, None)
        assert found.reason == reason


def test_a_matrix_is_needed() -> None:
    for figure in (alpha, omega_total):
        with pytest.raises(ValueError, match=r"\(rows, items\)"):
            figure(np.ones(300))
