"""Intervals against published values and their own coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from mimic.stats.intervals import (
    Estimate,
    percentile_bounds,
    percentile_estimate,
    score_bounds,
    text_share,
    wilson,
    wilson_of_trials,
)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_newcombes_published_bounds(
    hits: int, n: int, low: float, high: float
) -> None:
    found = wilson(hits=hits, n=n)
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)
    assert found.value == hits / n


def test_wilson_bounds_enclose_the_value_at_both_ends() -> None:
    none, all_of_them = wilson(hits=0, n=16), wilson(hits=16, n=16)
    assert none.low == 0.0
    assert all_of_them.high == 1.0


def test_wilson_coverage_is_near_its_level() -> None:
    n, covered = 32, []
    for p in np.linspace(0.03, 0.97, 48):
        inside = [(e.low, e.high) for e in (wilson(hits=h, n=n) for h in range(n + 1))]
        covered.append(
            sum(binom.pmf(h, n, p) for h, (low, high) in enumerate(inside) if low <= p <= high)
        )
    assert 0.93 < np.mean(covered) < 0.98


def test_wilson_without_observations_has_a_reason() -> None:
    found = wilson(hits=0, n=0).as_dict()
    assert found["value"] is None
    assert found["reason"] == "no observations"


def test_wilson_refuses_more_hits_than_trials() -> None:
    with pytest.raises(ValueError, match="5 hits of 4 trials"):
        wilson(hits=5, n=4)


def test_reason_is_left_out_of_the_json_where_there_is_none() -> None:
    found = Estimate(value=0.5, low=0.4, high=0.6, interval="wilson", n=9).as_dict()
    assert found == {"value": 0.5, "low": 0.4, "high": 0.6, "interval": "wilson", "n": 9}


def test_percentile_bounds_leave_out_few_undefined_draws_but_not_many() -> None:
    draws = np.linspace(0, 1, 1001)
    assert percentile_bounds(draws) == pytest.approx((0.025, 0.975))
    draws[::40] = np.nan
    assert percentile_bounds(draws) == pytest.approx((0.025, 0.975), abs=0.002)
    draws[::4] = np.nan
    assert percentile_bounds(draws) == (None, None)
    found = percentile_estimate(0.5, draws, interval="text bootstrap", n=3)
    assert found.value == 0.5
    assert found.reason is not None


def test_score_bounds_take_fractions_of_trials() -> None:
    whole = wilson(hits=15, n=148)
    assert score_bounds(15 / 148, size=148) == pytest.approx((whole.low, whole.high))
    narrower = score_bounds(15 / 148, size=148.5)
    assert whole.low is not None and whole.high is not None
    assert whole.low < narrower[0] < narrower[1] < whole.high
    # Far fewer trials than one still make an interval within 0 and 1.
    low, high = score_bounds(0.3, size=0.01)
    assert 0 <= low < 0.01 and 0.99 < high <= 1


def test_wilson_of_trials_names_its_trials() -> None:
    found = wilson_of_trials(0.0, trials=20, unit="profiles", n=480)
    assert found.interval == "wilson of 20 profiles"
    assert (found.low, found.n) == (0.0, 480)
    assert found.high == pytest.approx(0.1611, abs=5e-5)


def test_texts_without_repeated_hits_have_nearly_wilsons_interval() -> None:
    # Draws with the binomial variance of 40 trials.
    draws = np.random.default_rng(1).normal(0.3, np.sqrt(0.3 * 0.7 / 40), 200_000)
    found, expected = text_share(0.3, draws, n=64), wilson(hits=12, n=40)
    assert found.interval == "text bootstrap"
    assert found.n == 64
    assert found.low == pytest.approx(expected.low, abs=0.002)
    assert found.high == pytest.approx(expected.high, abs=0.002)


@pytest.mark.parametrize("hits", [0, 64, 2])
def test_texts_that_no_draw_changes_have_wilsons_interval_of_all(hits: int) -> None:
    # Two hits in one cell: every draw has both.
    found, expected = text_share(hits / 64, np.full(100, hits / 64), n=64), wilson(hits=hits, n=64)
    assert found.interval == "wilson of 64 texts"
    assert (found.low, found.high) == (expected.low, expected.high)
    assert found.low is not None and found.high is not None and found.high > found.low


def test_texts_undefined_in_many_draws_have_no_interval() -> None:
    draws = np.linspace(0.4, 0.6, 100)
    draws[::50] = np.nan
    assert text_share(0.5, draws, n=9).low is not None
    draws[::4] = np.nan
    found = text_share(0.5, draws, n=9)
    assert (found.value, found.low) == (0.5, None)
    assert "too many" in str(found.reason)
