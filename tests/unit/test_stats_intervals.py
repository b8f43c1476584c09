"""Intervals against published values and their own coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from mimic.stats.intervals import Estimate, percentile_bounds, percentile_estimate, wilson


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
