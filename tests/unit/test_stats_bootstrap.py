"""The crossed bootstrap: what moves together, and its figures against a slow loop."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_answers import answers_of, layout, noisy

from mimic.stats.bootstrap import STEP, Form, crossed_draws, resample_within
from mimic.stats.fidelity import answer_fidelity
from mimic.stats.stability import spread


def weights_of(units: int, *, draws: int, seed: int) -> np.ndarray:
    return resample_within(
        range(units), [0] * units, draws=draws, generator=np.random.default_rng(seed)
    )


@pytest.mark.parametrize("units", [2, 3, 5, 12])
def test_rescaled_weights_have_mean_and_variance_one(units: int) -> None:
    weights = weights_of(units, draws=40_000, seed=1)
    assert (weights >= 0).all()
    assert weights.sum(axis=1) == pytest.approx(np.full(40_000, units))
    assert weights.mean(axis=0) == pytest.approx(np.ones(units), abs=0.03)
    expected = np.full((units, units), -1 / (units - 1))
    np.fill_diagonal(expected, 1)
    assert np.cov(weights.T) == pytest.approx(expected, abs=0.07)


@pytest.mark.parametrize("units", [2, 4])
def test_the_variance_of_a_mean_is_the_unbiased_estimate(units: int) -> None:
    values = np.random.default_rng(3).normal(size=units)
    means = weights_of(units, draws=40_000, seed=2) @ values / units
    # n draws of n would give (n - 1)/n of it: half with two units.
    assert means.var() == pytest.approx(values.var(ddof=1) / units, rel=0.04)


def own_wordings(forms: tuple[Form, ...]) -> tuple[Form, ...]:
    """The same forms with wordings of its own in each format."""
    return tuple(form._replace(wording=f"{form.format}-{form.wording}") for form in forms)


def test_crossed_weights_are_moved_by_the_step_and_blocks_share_them() -> None:
    forms, items = layout(per_trait=6, wordings=4)
    draws = crossed_draws(items=items, forms=forms, draws=200, seed=1)
    assert draws.blocks == (("items",), ("forms",), ("items", "forms"))
    assert (draws.items[200:400] == 1).all()
    assert (draws.forms[:200] == 1).all()
    assert np.array_equal(draws.items[:200], draws.items[400:])
    assert np.array_equal(draws.forms[200:400], draws.forms[400:])
    assert np.array_equal(draws.alone("items"), draws.items[:200])
    assert np.array_equal(draws.alone("forms"), draws.forms[200:400])
    # Three units: two draws of three, times 3/2.
    possible = 1 + STEP * (np.array([0, 1.5, 3]) - 1)
    assert np.unique(draws.items[:200]) == pytest.approx(possible)
    for trait, keyed in {(item.trait, item.keyed) for item in items}:
        own = [n for n, item in enumerate(items) if (item.trait, item.keyed) == (trait, keyed)]
        assert draws.items[:, own].sum(axis=1) == pytest.approx(np.full(600, 3))
    for name in ("digits", "letters"):
        own = [n for n, form in enumerate(forms) if form.format == name]
        assert draws.forms[:, own].sum(axis=1) == pytest.approx(np.full(600, 8))
    assert draws.vary
    assert draws.wordings == 4
    assert draws.notes == ()


def test_strata_name_one_column_for_each_unit() -> None:
    forms, items = layout(per_trait=4, wordings=3)
    draws = crossed_draws(items=items, forms=forms, draws=5, seed=1)
    assert len(draws.strata["items"]) == 10
    assert draws.strata["items"][0] == (0, 2)
    # Both orders of a wording, and all formats, are one unit.
    assert draws.strata["forms"] == ((0, 2, 4),)
    assert draws.strata["seeds"] == ()
    nested = crossed_draws(items=items, forms=own_wordings(forms), draws=5, seed=1)
    assert nested.strata["forms"] == ((0, 2, 4), (6, 8, 10))


def test_seeds_vary_from_five_up() -> None:
    forms, items = layout()
    few = crossed_draws(items=items, forms=forms, seeds=4, draws=20, seed=1)
    assert (few.seeds == 1).all() and few.seeds.shape == (60, 4)
    assert few.notes == ("4 training seeds, which do not vary: 5 are needed",)
    enough = crossed_draws(items=items, forms=forms, seeds=5, draws=20, seed=1)
    assert enough.blocks[3:] == (("seeds",), ("items", "forms", "seeds"))
    assert (enough.seeds[:60] == 1).all()
    assert np.array_equal(enough.seeds[60:80], enough.seeds[80:])
    assert (enough.items[60:80] == 1).all() and (enough.forms[60:80] == 1).all()
    assert np.array_equal(enough.items[80:], enough.items[:20])
    assert enough.notes == ()
    # The other factors' draws do not depend on the number of seeds.
    assert np.array_equal(few.items, enough.items[:60])


def test_orders_of_a_wording_and_items_of_a_cluster_move_together() -> None:
    forms, items = layout(per_trait=8)
    items = tuple(
        item._replace(cluster=f"{item.trait}-{n % 8 // 2}") for n, item in enumerate(items)
    )
    draws = crossed_draws(items=items, forms=forms, draws=100, seed=1)
    assert np.array_equal(draws.forms[:, 0::2], draws.forms[:, 1::2])
    # Neighbours hold both keyings and are still one cluster.
    assert np.array_equal(draws.items[:, 0::2], draws.items[:, 1::2])
    assert len(np.unique(draws.items)) > 2


def test_a_wording_that_stands_in_all_formats_is_drawn_once_for_all() -> None:
    forms, items = layout()
    draws = crossed_draws(items=items, forms=forms, draws=50, seed=1)
    assert np.array_equal(draws.forms[:, :6], draws.forms[:, 6:])
    assert len(np.unique(draws.forms)) > 2
    assert draws.wordings == 3


def test_wordings_that_do_not_are_drawn_within_their_format() -> None:
    forms, items = layout()
    nested = crossed_draws(items=items, forms=own_wordings(forms), draws=50, seed=1)
    assert not np.array_equal(nested.forms[:, :6], nested.forms[:, 6:])
    assert nested.wordings == 6
    # One wording stands in one of the formats only.
    fewer = crossed_draws(items=items, forms=forms[:-2], draws=50, seed=1)
    assert not np.array_equal(fewer.forms[:, :4], fewer.forms[:, 6:])
    assert fewer.strata["forms"] == ((0, 2, 4), (6, 8))
    assert fewer.wordings == 3


def test_one_wording_has_the_draws_that_it_always_had() -> None:
    """So the default study's figures are those of earlier releases."""
    forms, items = layout(wordings=1)
    draws = crossed_draws(items=items, forms=forms, draws=20, seed=1)
    assert (draws.forms == 1).all()
    assert draws.strata["forms"] == ()
    assert draws.wordings == 0
    assert draws.notes == tuple(
        f"format {name} has one instruction wording, which cannot vary"
        for name in ("digits", "letters")
    )


def test_the_layout_and_seed_alone_decide_the_draws() -> None:
    forms, items = layout()
    one, same, other = (
        crossed_draws(items=items, forms=forms, draws=50, seed=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(one.items, same.items)
    assert np.array_equal(one.forms, same.forms)
    assert not np.array_equal(one.items, other.items)


def test_what_cannot_vary_is_noted() -> None:
    forms, items = layout(per_trait=2, wordings=1)
    draws = crossed_draws(items=items, forms=forms, draws=20, seed=1)
    assert not draws.vary
    assert draws.notes[0] == "format digits has one instruction wording, which cannot vary"
    assert "openness plus" in draws.notes[2]
    assert len(draws.notes) == 3


def test_a_lone_stratum_is_always_drawn_once() -> None:
    weights = resample_within(
        ["a", "b", "b", "c"], [1, 2, 2, 2], draws=500, generator=np.random.default_rng(1)
    )
    assert (weights[:, 0] == 1).all()
    assert weights[:, 1].mean() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("profiles", [16, 32])
def test_weighted_figures_equal_numpys(profiles: int) -> None:
    answers = answers_of(noisy(strength=0.3, sd=0.8, seed=4), profiles=profiles)
    draws = crossed_draws(items=answers.items, forms=answers.forms, draws=4, seed=5)
    traits, targets = answers.item_traits, answers.targets
    fast = answer_fidelity(
        answers.y, traits, targets, cut=3.0, item_weights=draws.items, form_weights=draws.forms
    )
    fast_spread = spread(answers.y, traits, item_weights=draws.items, form_weights=draws.forms)
    for n, (of_items, of_forms) in enumerate(zip(draws.items, draws.forms, strict=True)):
        scores = np.stack(
            [
                np.average(answers.y[:, :, traits == t], axis=2, weights=of_items[traits == t])
                for t in range(5)
            ],
            axis=2,
        )
        fits = (scores >= 3) == targets[:, None]
        mean_fits = (np.average(scores, axis=1, weights=of_forms) >= 3) == targets
        by_form = fits.all(axis=2).mean(axis=0)
        assert fast.exact_match[n] == pytest.approx(np.average(by_form, weights=of_forms))
        assert fast.exact_match_averaged[n] == pytest.approx(mean_fits.all(axis=1).mean())
        accuracy = np.average(fits.mean(axis=0), axis=0, weights=of_forms)
        assert fast.accuracy[n] == pytest.approx(accuracy)
        for t in range(5):
            own = np.flatnonzero(traits == t)
            variances = [
                [np.cov(answers.y[p, :, i], aweights=of_forms) for i in own]
                for p in range(profiles)
            ]
            expected = np.average(np.mean(variances, axis=0), weights=of_items[own])
            assert fast_spread[n, t] == pytest.approx(np.sqrt(expected))


def test_a_form_of_weight_zero_does_not_count() -> None:
    answers = answers_of(noisy(strength=0.3, sd=0.8, seed=4))
    traits, targets = answers.item_traits, answers.targets
    weights = np.ones((1, 12))
    weights[0, [2, 7]] = 0
    kept = np.delete(answers.y, [2, 7], axis=1)
    disturbed = answers.y.copy()
    disturbed[:, [2, 7]] = 1.0
    assert spread(disturbed, traits, form_weights=weights) == pytest.approx(spread(kept, traits))
    for found, expected in zip(
        answer_fidelity(disturbed, traits, targets, cut=3.0, form_weights=weights),
        answer_fidelity(kept, traits, targets, cut=3.0),
        strict=True,
    ):
        assert found == pytest.approx(expected)


def test_a_trait_keying_with_one_cluster_is_named() -> None:
    forms, items = layout()
    items = tuple(i for i in items if i.item != "openness3")
    draws = crossed_draws(items=items, forms=forms, draws=20, seed=1)
    assert draws.notes == ("one item cluster each, which cannot vary: openness minus",)
