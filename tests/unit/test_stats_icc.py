"""Intraclass correlations against published figures, pingouin, and their own coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import f

from mimic.stats.icc import Icc, icc, icc_within_groups

# Shrout & Fleiss 1979, Psychological Bulletin 86, table 2: six targets, four judges.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]],
    dtype=float,
)


def with_mean_squares(
    *, targets: int, raters: int, of_targets: float, of_error: float
) -> np.ndarray:
    """A matrix that has these mean squares exactly, and no shifts of raters."""
    generator = np.random.default_rng(0)
    level = generator.normal(size=(targets, 1))
    level -= level.mean()
    level *= np.sqrt(of_targets * (targets - 1) / raters / (level**2).sum())
    error = generator.normal(size=(targets, raters))
    error -= error.mean(axis=0)
    error -= error.mean(axis=1, keepdims=True)
    error *= np.sqrt(of_error * (targets - 1) * (raters - 1) / (error**2).sum())
    return 3 + level + error


def test_shrout_and_fleiss_published_coefficients() -> None:
    found = icc(SHROUT_FLEISS)
    assert found.agreement_single.value == pytest.approx(0.29, abs=0.005)
    assert found.agreement_average.value == pytest.approx(0.62, abs=0.005)
    assert found.consistency_average.value == pytest.approx(0.91, abs=0.005)
    # ICC(3,1), which Spearman-Brown steps up to ICC(C,k).
    stepped = found.consistency_average.value
    assert stepped is not None
    assert stepped / (4 - 3 * stepped) == pytest.approx(0.71, abs=0.005)
    assert {estimate.n for estimate in found} == {6}


def test_published_interval_of_the_consistency() -> None:
    # The worked example of ci.icc in the R package statpsych, for McGraw & Wong's formulas.
    y = with_mean_squares(targets=30, raters=5, of_targets=48.2, of_error=11.3)
    found = icc(y).consistency_average
    assert (found.value, found.low, found.high) == pytest.approx((0.7656, 0.6005, 0.8759), abs=5e-5)


def test_mcgraw_and_wong_published_example() -> None:
    # McGraw & Wong 1996: the second rating is always the first and two more. The reference of the
    # function icc in the R package rel cites both figures.
    found = icc(np.array([[2, 4], [4, 6], [6, 8]], dtype=float))
    assert found.consistency_average.value == pytest.approx(1)
    assert found.agreement_single.value == pytest.approx(0.67, abs=0.005)


def test_published_intervals_of_mcgraw_and_wong_for_shrout_and_fleiss_data() -> None:
    # As the reference of the function icc in the R package DescToolsX prints them; ICC(A,1),
    # ICC(A,k), ICC(C,k).
    for estimate, published in zip(
        icc(SHROUT_FLEISS),
        [
            (0.2897638, 0.01878651, 0.7610844),
            (0.6200505, 0.07113682, 0.9272320),
            (0.9093155, 0.67567471, 0.9858917),
        ],
        strict=True,
    ):
        found = (estimate.value, estimate.low, estimate.high)
        assert found == pytest.approx(published, abs=5e-8)


def test_interval_of_the_agreement_in_shrout_and_fleiss_own_notation() -> None:
    n, k = SHROUT_FLEISS.shape
    bms, jms, ems = mean_squares(SHROUT_FLEISS)
    # Table 4 of the paper.
    assert (bms, jms, ems) == pytest.approx((11.24, 32.49, 1.02), abs=0.005)
    rho, ratio = (bms - ems) / (bms + (k - 1) * ems + k * (jms - ems) / n), jms / ems
    rest = n * (1 + (k - 1) * rho) - k * rho
    v = (k - 1) * (n - 1) * (k * rho * ratio + rest) ** 2
    v /= (n - 1) * (k * rho * ratio) ** 2 + rest**2
    raters = k * jms + (k * n - k - n) * ems
    lower, upper = f.ppf(0.975, n - 1, v), f.ppf(0.975, v, n - 1)
    found = icc(SHROUT_FLEISS).agreement_single
    assert (found.low, found.high) == pytest.approx(
        (
            n * (bms - lower * ems) / (lower * raters + n * bms),
            n * (upper * bms - ems) / (raters + n * upper * bms),
        )
    )


@pytest.mark.parametrize("shape", [(32, 20), (16, 3), (5, 40)])
@pytest.mark.parametrize("strength", [0.0, 0.3, 1.5])
def test_pingouin_gives_the_same(shape: tuple[int, int], strength: float) -> None:
    pingouin = pytest.importorskip("pingouin")
    import pandas as pd

    generator = np.random.default_rng(int(10 * strength) + shape[1])
    y = generator.normal(size=shape) + strength * generator.normal(size=(shape[0], 1))
    y += 0.5 * generator.normal(size=shape[1])
    table = pd.DataFrame(y).stack().rename_axis(["target", "rater"]).rename("y").reset_index()
    oracle = pingouin.intraclass_corr(table, targets="target", raters="rater", ratings="y")
    column = next(name for name in oracle.columns if name.startswith("CI95"))
    # Its rows are ICC1, ICC2, ICC3, ICC1k, ICC2k, ICC3k; bounds have two decimals.
    for row, estimate in zip((1, 4, 5), icc(y), strict=True):
        assert estimate.value == pytest.approx(oracle["ICC"].iloc[row])
        bounds = (estimate.low, estimate.high)
        assert bounds == pytest.approx(tuple(oracle[column].iloc[row]), abs=0.0051)


def test_bounds_of_the_average_are_those_of_the_single_stepped_up() -> None:
    found = icc(SHROUT_FLEISS)
    for name in ("value", "low", "high"):
        single = getattr(found.agreement_single, name)
        stepped = 4 * single / (1 + 3 * single)
        assert getattr(found.agreement_average, name) == pytest.approx(stepped)


def simulate(*, within: bool, draws: int) -> tuple[list[Icc], tuple[float, float, float]]:
    """32 targets, 20 raters of known variances, and the true coefficients."""
    generator = np.random.default_rng(4)
    high = np.arange(32) % 2 == 0
    target, rater, by_group, error = 0.1, 0.2, 0.2 if within else 0.0, 0.3
    found = []
    for _ in range(draws):
        shifts = generator.normal(0, by_group, (2, 20)) if within else np.zeros((2, 20))
        y = generator.normal(0, target, (32, 1)) + generator.normal(0, rater, 20)
        y = y + np.where(high[:, None], 1 + shifts[0], -1 + shifts[1]) * within
        y = y + generator.normal(0, error, (32, 20))
        found.append(icc_within_groups(y, high) if within else icc(y))
    noise = rater**2 + by_group**2 + error**2
    truth = (
        target**2 / (target**2 + noise),
        target**2 / (target**2 + noise / 20),
        target**2 / (target**2 + error**2 / 20),
    )
    return found, truth


@pytest.mark.parametrize("within", [False, True])
def test_intervals_cover_and_estimates_are_centred(within: bool) -> None:
    found, truth = simulate(within=within, draws=500)
    for which, true in enumerate(truth):
        estimates = [coefficients[which] for coefficients in found]
        covered = np.mean(
            [e.low <= true <= e.high for e in estimates if e.low is not None and e.high is not None]
        )
        assert 0.92 < covered < 0.98
        assert np.median([e.value for e in estimates]) == pytest.approx(true, abs=0.02)


def test_within_groups_the_target_level_does_not_count() -> None:
    generator = np.random.default_rng(1)
    high = np.arange(16) < 8
    y = generator.normal(0, 0.3, (16, 1)) + generator.normal(0, 0.5, (16, 9))
    moved = y + np.where(high, 2.0, -1.0)[:, None]
    assert icc_within_groups(moved, high).agreement_single.value == pytest.approx(
        icc_within_groups(y, high).agreement_single.value
    )
    assert (icc(moved).agreement_single.value or 0) > 0.8


def mean_squares(y: np.ndarray) -> np.ndarray:
    """Of targets, raters and residual, in the two-way analysis of one group."""
    targets, raters = y.shape
    of_targets = raters * y.mean(axis=1).var(ddof=1)
    of_raters = targets * y.mean(axis=0).var(ddof=1)
    left = y - y.mean(axis=0) - y.mean(axis=1, keepdims=True) + y.mean()
    return np.array([of_targets, of_raters, (left**2).sum() / ((targets - 1) * (raters - 1))])


def test_within_groups_it_is_the_analysis_of_each_group_pooled() -> None:
    generator = np.random.default_rng(2)
    high = np.arange(16) < 8
    y = generator.normal(size=(16, 1)) + generator.normal(size=(16, 5)) + generator.normal(size=5)
    y[high] += 2 + generator.normal(size=5)
    msr, msc, mse = (mean_squares(y[high]) + mean_squares(y[~high])) / 2
    found = icc_within_groups(y, high)
    assert found.agreement_single.value == pytest.approx(
        (msr - mse) / (msr + 4 * mse + 5 / 8 * (msc - mse))
    )
    assert found.agreement_average.value == pytest.approx((msr - mse) / (msr + (msc - mse) / 8))
    # α of the covariance within groups, on 14 and 14 · 4 degrees of freedom.
    pooled = (np.cov(y[high].T) + np.cov(y[~high].T)) / 2
    alpha = 5 / 4 * (1 - np.trace(pooled) / pooled.sum())
    consistency = found.consistency_average
    assert consistency.value == pytest.approx(alpha)
    assert (consistency.low, consistency.high) == pytest.approx(
        tuple(1 - (1 - alpha) * f.ppf([0.975, 0.025], 14, 56))
    )


def test_perfect_agreement_and_perfect_consistency() -> None:
    levels = np.arange(8.0)[:, None]
    same = icc(np.tile(levels, (1, 4)))
    assert [(e.value, e.low, e.high) for e in same] == [(1.0, 1.0, 1.0)] * 3
    shifted = icc(levels + np.array([0.0, 1.0, 3.0]))
    assert shifted.consistency_average.low == 1.0
    # MSR 18, MSC 56/3, MSE 0, n = 8, k = 3.
    assert shifted.agreement_single.value == pytest.approx(18 / (18 + 3 / 8 * 56 / 3))
    assert (shifted.agreement_single.low or 1.0) < (shifted.agreement_single.value or 0.0)


def test_coefficients_without_a_value_say_why() -> None:
    generator = np.random.default_rng(0)
    high = np.array([True, False, False, False])
    missing = generator.normal(size=(4, 3))
    missing[1, 1] = np.nan
    for found, reason in [
        (icc(np.full((4, 3), 3.0)), "the values do not differ between targets"),
        (icc(np.tile([1.1, 2.2, 3.3], (4, 1))), "the values do not differ between targets"),
        (icc(np.ones((4, 1))), "fewer than 2 raters"),
        (icc(np.ones((1, 4))), "fewer than 2 targets"),
        (icc(missing), "1 of 12 values are missing"),
        (
            icc_within_groups(generator.normal(size=(4, 3)), high),
            "fewer than 2 targets in a group",
        ),
    ]:
        assert [(e.value, e.low, e.high, e.reason) for e in found] == [
            (None, None, None, reason)
        ] * 3


def test_an_average_that_the_residual_outweighs_has_no_value() -> None:
    # Two raters that contradict each other on every target.
    opposite = np.array([[1.0, 5.01], [5.0, 1.0], [1.0, 5.0], [5.0, 1.0]])
    found = icc(opposite)
    assert found.agreement_average.value is None
    assert found.agreement_average.reason == (
        "targets and raters together vary less than the residual"
    )
    assert (found.agreement_single.value or 0) < 0


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(targets, raters\)"):
        icc(np.ones(4))
    with pytest.raises(ValueError, match="a group for each target"):
        icc_within_groups(np.ones((4, 3)), np.array([True, False]))
