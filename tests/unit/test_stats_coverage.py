"""Simulated respondents are what they say, and intervals hold the truth as often as they should."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mimic.questionnaire.instruments import load_instrument
from mimic.report.words_limits import COVERED
from mimic.stats import coverage
from mimic.stats.bootstrap import Item, crossed_draws
from mimic.stats.coverage import (
    DEFAULT,
    POPULATION,
    SMALL,
    TEXTS,
    answer_coverage,
    text_coverage,
)
from mimic.stats.fidelity import text_fidelity
from mimic.stats.simulate import (
    Layout,
    Population,
    cell_deviations,
    simulate_answers,
    simulate_texts,
)
from mimic.stats.stability import signal, spread
from mimic.stats.uniformity import constant_p, permutation_uniformity
from mimic.study import load_study, read_settings
from mimic.traits import TRAITS

MANY_FORMATS = Layout(per_trait=4, formats=5, wordings=4)


def population(**effects: float) -> Population:
    none = dict.fromkeys(
        ("signal", "item", "profile_item", "wording", "item_wording", "residual", "uneven"), 0.0
    )
    return Population(**(none | effects))


def test_simulated_answers_have_the_effects_that_they_were_given() -> None:
    layout = Layout(per_trait=60, formats=4, wordings=30, profiles=16)
    generator = np.random.default_rng(1)
    for name, axes in (
        ("item", (0, 1)),
        ("profile_item", (1,)),
        ("wording", (0, 2)),
        ("item_wording", (0,)),
        ("residual", ()),
    ):
        y = simulate_answers(population(**{name: 0.5}), layout, generator=generator).run
        # The effect is the same along these axes, and its standard deviation is known.
        if axes:
            assert np.ptp(y, axis=axes).max() < 1e-9
        else:
            # No two answers have anything in common.
            assert len(np.unique(y)) == y.size
        assert y.std() == pytest.approx(0.5, rel=0.15)
    y = simulate_answers(population(signal=0.7), layout, generator=generator).run
    scores = np.stack([y[:, 0, layout.item_traits == t].mean(axis=1) for t in range(5)], axis=1)
    assert signal(scores, layout.design) == pytest.approx(0.7 * np.eye(5), abs=1e-9)


def test_their_spread_and_reduction_are_those_of_the_population() -> None:
    layout = Layout(per_trait=40, formats=2, wordings=60)
    found = simulate_answers(POPULATION, layout, reduction=0.4, generator=np.random.default_rng(2))
    run, reference = (spread(y, layout.item_traits).mean() for y in found)
    assert reference == pytest.approx(POPULATION.spread(layout), rel=0.06)
    assert run == pytest.approx(0.6 * POPULATION.spread(layout), rel=0.06)
    # Half of what forms cause is common to both runs: √0.5² = 0.5 of the variance.
    main = [
        y.mean(axis=(0, 2))
        for y in simulate_answers(
            population(wording=1.0), layout, generator=np.random.default_rng(3)
        )
    ]
    assert np.corrcoef(*main)[0, 1] == pytest.approx(0.5, abs=0.15)


def test_what_formats_share_is_the_same_in_each_of_them() -> None:
    layout = Layout(per_trait=40, formats=4, wordings=60)
    for name in ("wording", "item_wording"):
        for shared in (0.0, 0.5, 1.0):
            y = simulate_answers(
                population(**{name: 0.5, "shared": shared}),
                layout,
                generator=np.random.default_rng(5),
            ).run
            assert y.std() == pytest.approx(0.5, rel=0.15)
            of_formats = y[0].reshape(4, 60, -1) - 3
            found = np.corrcoef(of_formats[0].ravel(), of_formats[3].ravel())[0, 1]
            assert found == pytest.approx(shared, abs=0.2)
    y = simulate_answers(
        population(residual=0.5, uneven=0.6, shared=1.0), layout, generator=np.random.default_rng(6)
    ).run
    of_forms = np.log(y.std(axis=(0, 2))).reshape(4, 60)
    assert np.corrcoef(of_forms)[0, 1:] == pytest.approx(np.ones(3), abs=0.1)


def test_both_orders_share_what_a_wording_does_and_not_the_single_answers() -> None:
    layout = Layout(per_trait=40, formats=2, wordings=1, orders=2)
    assert [form.order for form in layout.forms] == ["published", "reversed"] * 2
    generator = np.random.default_rng(9)
    for name in ("wording", "item_wording"):
        y = simulate_answers(population(**{name: 0.5}), layout, generator=generator).run
        assert np.array_equal(y[:, 0], y[:, 1])
        assert not np.array_equal(y[:, 1], y[:, 2])
    y = simulate_answers(population(residual=0.5), layout, generator=generator).run
    assert abs(np.corrcoef(y[:, 0].ravel(), y[:, 1].ravel())[0, 1]) < 0.1


def test_the_default_layout_is_that_of_the_default_study(project: Path) -> None:
    source = project / "config/config.yaml"
    settings = load_study(read_settings(source), source=str(source)).settings
    asked = settings.questionnaire
    instrument = load_instrument(project / f"config/instruments/{asked.instrument}.yaml")
    items = sorted(
        (Item(i.id, i.trait, i.keyed, i.cluster) for i in instrument.items),
        key=lambda item: TRAITS.index(item.trait),
    )
    assert Counter((item.trait, item.keyed) for item in DEFAULT.items) == Counter(
        (item.trait, item.keyed) for item in items
    )
    drawn, simulated = (
        crossed_draws(items=own, forms=DEFAULT.forms, draws=1, seed=1)
        for own in (items, DEFAULT.items)
    )
    # What can't vary, in words, and how many units each stratum has.
    assert simulated.notes == drawn.notes
    sizes = [sorted(map(len, one.strata["items"])) for one in (simulated, drawn)]
    assert sizes[0] == sizes[1]
    assert (DEFAULT.formats, DEFAULT.wordings, DEFAULT.orders, DEFAULT.profiles) == (
        len(settings.forms.formats),
        settings.forms.wordings,
        2,
        asked.profiles,
    )


@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("orders", [1, 2])
def test_the_spread_over_forms_that_share_wordings_is_smaller(shared: float, orders: int) -> None:
    layout = Layout(per_trait=4, formats=3, wordings=2, orders=orders)
    effects = population(wording=0.4, item_wording=0.5, residual=0.3, shared=shared)
    generator = np.random.default_rng(7)
    squares = [
        (spread(answers.run, layout.item_traits) ** 2).mean()
        for answers in (simulate_answers(effects, layout, generator=generator) for _ in range(600))
    ]
    assert np.sqrt(np.mean(squares)) == pytest.approx(effects.spread(layout), rel=0.04)


def test_unevenness_keeps_the_mean_square() -> None:
    layout = Layout(per_trait=80, formats=5, wordings=60)
    y = simulate_answers(
        population(residual=0.5, uneven=0.3), layout, generator=np.random.default_rng(4)
    ).run
    assert np.sqrt(((y - 3) ** 2).mean()) == pytest.approx(0.5, rel=0.05)
    of_items = y.std(axis=(0, 1))
    assert np.log(of_items).std() == pytest.approx(0.3, rel=0.15)


def test_the_true_exact_match_of_texts_is_that_of_many() -> None:
    (truth,) = (c.truth for c in text_coverage(TEXTS, simulations=2) if c.figure == "exact match")
    generator = np.random.default_rng(1)
    deviations = cell_deviations(TEXTS, generator=generator)
    drawn = [
        text_fidelity(
            simulate_texts(TEXTS, deviations, generator=generator), TEXTS.targets
        ).exact_match[0]
        for _ in range(300)
    ]
    assert np.mean(drawn) == pytest.approx(truth, abs=4 * np.std(drawn) / np.sqrt(300))


def by_figure(found: list[coverage.Coverage]) -> dict[str, float]:
    return {one.figure: one.share for one in found}


def test_intervals_of_few_items_and_wordings_hold_the_truth() -> None:
    found = answer_coverage(POPULATION, SMALL, simulations=120, draws=60)
    assert len(found) == 9
    for one in found:
        assert one.covered + one.below + one.above == one.simulations == 120
        # 4 standard errors below 95 %.
        assert one.share > 0.87, one
    assert sum(one.share for one in found) / 9 < 0.985


@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_wordings_that_stand_in_all_formats_are_drawn_once_for_all(shared: float) -> None:
    effects = replace(POPULATION, shared=shared)
    for one in answer_coverage(effects, MANY_FORMATS, simulations=100, draws=60):
        assert one.share > 0.86, one


def test_drawn_within_formats_what_they_share_would_be_missed() -> None:
    nested = replace(MANY_FORMATS, nested=True)
    found = answer_coverage(replace(POPULATION, shared=1.0), nested, simulations=60, draws=60)
    assert by_figure(found)["S, mean"] < 0.86
    # Where each format has wordings, and effects, of its own, that is right.
    apart, nested = replace(POPULATION, shared=0.0), replace(SMALL, nested=True)
    found = answer_coverage(apart, nested, simulations=100, draws=60)
    assert min(by_figure(found).values()) > 0.86


def test_two_wordings_in_all_formats_give_no_interval_of_a_spread() -> None:
    layout = Layout(per_trait=4, formats=2, wordings=2)
    by_name = {one.figure: one for one in answer_coverage(POPULATION, layout, simulations=5)}
    for figure in ("S, one trait", "S, mean", "reduction"):
        one = by_name[figure]
        assert one.covered + one.below + one.above == 0
        assert np.isnan(one.width)
    assert by_name["accuracy, mean"].covered >= 3


def test_percentiles_do_not_which_is_why_they_were_given_up() -> None:
    apart, nested = replace(POPULATION, shared=0.0), replace(SMALL, nested=True)
    former = by_figure(answer_coverage(apart, nested, method="former", simulations=60))
    assert former["S, mean"] < 0.8
    rescaled = answer_coverage(
        replace(apart, signal=0.3), nested, method="percentiles", simulations=60
    )
    assert by_figure(rescaled)["exact match"] < 0.85
    assert by_figure(rescaled)["AUC, mean"] < 0.6


@pytest.mark.slow
def test_intervals_of_texts_hold_the_truth() -> None:
    for texts in (TEXTS, replace(TEXTS, signal=0.0), replace(TEXTS, cell=1.5)):
        for one in text_coverage(texts, simulations=120, draws=150):
            assert 0.87 < one.share <= 0.995, one


@pytest.mark.slow
def test_the_page_says_how_often_intervals_of_the_default_study_hold_the_truth() -> None:
    """Not as often as asked for: S and its reduction far too seldom, which the page must say."""
    found = {one.figure: 100 * one.share for one in answer_coverage(POPULATION, DEFAULT)}
    # Another processor may round otherwise, which moves a study or two.
    assert found == pytest.approx(COVERED, abs=1)


def test_the_same_seed_gives_the_same_counts() -> None:
    once, again = (answer_coverage(POPULATION, SMALL, simulations=3, seed=5) for _ in range(2))
    assert once == again


@pytest.mark.parametrize("profiles", [16, 32])
def test_random_respondents_have_uniform_p_and_constant_ones_p_of_one(profiles: int) -> None:
    found = permutation_uniformity(profiles=profiles, simulations=200, permutations=499)
    assert found.randomised > 0.001
    assert 0.005 <= found.share <= 0.1
    assert (constant_p(profiles=profiles, permutations=99) == 1).all()
