"""The variance of crossed draws against analysis of variance, and the intervals made from it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t
from synthetic_answers import layout

from mimic.stats.bootstrap import Draws, Form, Item, crossed_draws
from mimic.stats.crossed import (
    crossed_reduction,
    crossed_share,
    crossed_spread,
    uncertainty,
)
from mimic.stats.intervals import wilson


def one_stratum(items: int, forms: int, *, draws: int = 4000, seeds: int = 1) -> Draws:
    return crossed_draws(
        items=[Item(f"i{n}", "openness", "plus", f"c{n}") for n in range(items)],
        forms=[Form(f"f{n}", "digits", f"w{n}", "published") for n in range(forms)],
        seeds=seeds,
        draws=draws,
        seed=1,
    )


def means(table: np.ndarray, draws: Draws) -> np.ndarray:
    """The weighted mean of a table of items × forms in each row."""
    items = draws.items / draws.items.sum(axis=1, keepdims=True)
    forms = draws.forms / draws.forms.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("ri,if,rf->r", items, table, forms, optimize=True))


@pytest.mark.parametrize(
    ("item", "form", "noise"), [(1.0, 0.5, 0.8), (0.0, 0.0, 1.0), (1.0, 0.0, 0.3), (0.2, 1.0, 3.0)]
)
def test_variance_of_a_mean_is_that_of_two_way_analysis_of_variance(
    item: float, form: float, noise: float
) -> None:
    generator = np.random.default_rng(4)
    n, m = 12, 8
    table = (
        item * generator.normal(size=(n, 1))
        + form * generator.normal(size=(1, m))
        + noise * generator.normal(size=(n, m))
    )
    draws = one_stratum(n, m)
    found = uncertainty(means(table, draws), draws, scale=lambda mean: 1.0)
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    left = table - rows[:, None] - columns + table.mean()
    of_items, of_forms = rows.var(ddof=1) * m, columns.var(ddof=1) * n
    of_noise = (left**2).sum() / ((n - 1) * (m - 1))
    expected = (of_items + of_forms - of_noise) / (n * m)
    # An interaction larger than the smaller factor is cut there.
    expected = max(expected, of_items / (n * m), of_forms / (n * m))
    assert found is not None
    assert found.variance == pytest.approx(expected, rel=0.1)
    squares = of_items**2 / (n - 1) + of_forms**2 / (m - 1)
    assert found.freedom == pytest.approx((of_items + of_forms) ** 2 / squares, rel=0.15)


def test_freedom_counts_the_strata_that_a_figure_rests_on() -> None:
    forms, items = layout(per_trait=8, wordings=1)
    draws = crossed_draws(items=items, forms=forms, draws=20_000, seed=1)
    values = np.random.default_rng(2).normal(size=len(items))

    def freedom(own: list[int]) -> float:
        weights = draws.items[:, own]
        found = uncertainty(
            weights @ values[own] / weights.sum(axis=1), draws, scale=lambda mean: 1.0
        )
        assert found is not None
        return found.freedom

    # One trait has two strata of four items: three to six degrees of freedom; all have thirty.
    assert 3 <= freedom(list(range(8))) <= 6.1
    assert freedom(list(range(40))) > 10


def test_seeds_are_joined_as_a_third_factor() -> None:
    draws = one_stratum(10, 8, seeds=6)
    generator = np.random.default_rng(5)
    of_seeds, of_items = generator.normal(size=6), generator.normal(size=10)
    figure = draws.items @ of_items / draws.items.sum(
        axis=1
    ) + draws.seeds @ of_seeds / draws.seeds.sum(axis=1)
    found = uncertainty(figure, draws, scale=lambda mean: 1.0)
    assert found is not None
    expected = of_items.var(ddof=1) / 10 + of_seeds.var(ddof=1) / 6
    assert found.variance == pytest.approx(expected, rel=0.06)


def test_a_share_has_wilsons_interval_of_its_effective_size() -> None:
    draws = one_stratum(40, 30)
    generator = np.random.default_rng(6)
    # Items are hit or not, whatever the form: 40 trials but for one degree of freedom.
    table = np.repeat((generator.random((40, 1)) < 0.3).astype(float), 30, axis=1)
    value = float(table.mean())
    found = crossed_share(value, means(table, draws), draws=draws, n=1200, profiles=16)
    expected = wilson(hits=round(value * 40), n=40)
    assert found.interval == "crossed bootstrap"
    assert found.n == 1200
    assert found.low == pytest.approx(expected.low, abs=0.01)
    assert found.high == pytest.approx(expected.high, abs=0.01)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.25])
def test_draws_that_are_alike_leave_wilson_of_the_profiles(value: float) -> None:
    draws = one_stratum(4, 3, draws=50)
    # The last bits of a weighted mean differ from draw to draw.
    alike = np.full(150, value) + 1e-17 * np.arange(150)
    found = crossed_share(value, alike, draws=draws, n=480, profiles=16)
    expected = wilson(hits=round(16 * value), n=16)
    assert found.interval == "wilson of 16 profiles"
    assert (found.low, found.high, found.n) == (expected.low, expected.high, 480)
    assert found.low is not None and found.high is not None and found.high - found.low > 0.15


def test_no_hit_in_the_sample_is_not_an_interval_of_zero() -> None:
    draws = one_stratum(4, 3, draws=50)
    varied = np.where(np.arange(150) % 3 == 0, 0.02, 0.0)
    found = crossed_share(0.0, varied, draws=draws, n=480, profiles=16)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(0.1936, abs=1e-4)


def test_a_spread_has_a_symmetric_interval_of_its_logarithm() -> None:
    draws = one_stratum(9, 8, draws=20_000)
    values = 1 + 0.05 * np.random.default_rng(1).normal(size=(9, 1)) @ np.ones((1, 8))
    value = float(values.mean())
    found = crossed_spread(value, means(values, draws), draws=draws, n=1)
    width = t.ppf(0.975, 8) * values[:, 0].std(ddof=1) / math.sqrt(9) / value
    assert found.low == pytest.approx(value * math.exp(-width), rel=0.002)
    assert found.high == pytest.approx(value * math.exp(width), rel=0.002)
    wider = crossed_spread(value, means(values, draws), draws=draws, n=1, level=0.99)
    assert wider.low is not None and found.low is not None and wider.low < found.low


def test_a_reduction_is_one_minus_its_ratio() -> None:
    draws = one_stratum(9, 8)
    ratio = 0.7 + 0.1 * np.random.default_rng(1).normal(size=(9, 1)) @ np.ones((1, 8))
    of_draws = means(ratio, draws)
    value = float(ratio.mean())
    of_ratio = crossed_spread(value, of_draws, draws=draws, n=3)
    found = crossed_reduction(1 - value, 1 - of_draws, draws=draws, n=3)
    assert of_ratio.high is not None and of_ratio.low is not None
    assert found.value == pytest.approx(1 - value)
    assert found.low == pytest.approx(1 - of_ratio.high)
    assert found.high == pytest.approx(1 - of_ratio.low)
    assert found.n == 3


def test_what_has_no_interval_says_why() -> None:
    forms, items = layout(per_trait=2, wordings=1)
    fixed = crossed_draws(items=items, forms=forms, draws=20, seed=1)
    found = crossed_share(0.5, np.full(60, 0.5), draws=fixed, n=1, profiles=16)
    assert (found.value, found.low) == (0.5, None)
    assert found.reason == "neither item clusters nor instruction wordings can vary"
    draws = one_stratum(4, 3, draws=40)
    undefined = crossed_reduction(math.nan, np.ones(120), draws=draws, n=1, reason="no spread")
    assert (undefined.value, undefined.reason) == (None, "no spread")
    holes = np.random.default_rng(1).normal(1, 0.1, 120)
    few, many = holes.copy(), holes.copy()
    few[0], many[:3] = math.nan, math.nan
    assert crossed_spread(1.0, few, draws=draws, n=1).low is not None
    assert crossed_spread(1.0, many, draws=draws, n=1).low is None
    assert "too many" in str(crossed_spread(1.0, many, draws=draws, n=1).reason)


def test_two_wordings_in_all_give_no_interval_of_a_spread_but_of_a_share() -> None:
    of_draws = np.random.default_rng(1).normal(0.5, 0.05, 300)
    forms, items = layout(wordings=2)
    # In one format, in two, and in two with a third that has one of them.
    odd = Form("odd", "odd", "w0", "published")
    for draws in (
        one_stratum(6, 2, draws=100),
        crossed_draws(items=items, forms=forms, draws=100, seed=1),
        crossed_draws(items=items, forms=(*forms, odd), draws=100, seed=1),
    ):
        assert crossed_share(0.5, of_draws, draws=draws, n=1, profiles=16).low is not None
        found = crossed_spread(0.5, of_draws, draws=draws, n=1)
        assert (found.value, found.low) == (0.5, None)
        assert "two instruction wordings" in str(found.reason)
    own = tuple(form._replace(wording=f"{form.format}{form.wording}") for form in forms)
    four = crossed_draws(items=items, forms=own, draws=100, seed=1)
    assert crossed_spread(0.5, of_draws, draws=four, n=1).low is not None


def test_the_same_in_every_draw_is_an_interval_without_width_for_a_reduction() -> None:
    draws = one_stratum(6, 4, draws=100)
    found = crossed_reduction(0.3, np.full(300, 0.3), draws=draws, n=1)
    assert found.low == pytest.approx(0.3) == found.high
