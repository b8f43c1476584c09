"""The crossed bootstrap: what moves together, and its figures against a slow loop."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_answers import answers_of, at_random, layout, noisy

from mimic.stats.bootstrap import crossed_draws, resample_within
from mimic.stats.fidelity import answer_fidelity
from mimic.stats.stability import spread


def test_draws_keep_the_size_of_every_trait_keying_and_format() -> None:
    forms, items = layout(per_trait=6, wordings=4)
    draws = crossed_draws(items=items, forms=forms, draws=200, seed=1)
    for trait, keyed in {(item.trait, item.keyed) for item in items}:
        own = [n for n, item in enumerate(items) if (item.trait, item.keyed) == (trait, keyed)]
        assert (draws.items[:, own].sum(axis=1) == 3).all()
    for name in ("digits", "letters"):
        own = [n for n, form in enumerate(forms) if form.format == name]
        assert (draws.forms[:, own].sum(axis=1) == 8).all()
    assert draws.vary
    assert draws.notes == ()


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


def test_the_same_wording_name_in_two_formats_is_drawn_for_each() -> None:
    forms, items = layout()
    draws = crossed_draws(items=items, forms=forms, draws=50, seed=1)
    assert not np.array_equal(draws.forms[:, :6], draws.forms[:, 6:])


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
def test_weighted_figures_equal_those_of_repeated_rows(profiles: int) -> None:
    answers = answers_of(noisy(strength=0.3, sd=0.8, seed=4), profiles=profiles)
    draws = crossed_draws(items=answers.items, forms=answers.forms, draws=12, seed=5)
    traits, targets = answers.item_traits, answers.targets
    fast = answer_fidelity(
        answers.y, traits, targets, cut=3.0, item_weights=draws.items, form_weights=draws.forms
    )
    fast_spread = spread(answers.y, traits, item_weights=draws.items, form_weights=draws.forms)
    for n in range(12):
        rows = np.repeat(np.arange(len(traits)), draws.items[n].astype(int))
        forms = np.repeat(np.arange(len(answers.forms)), draws.forms[n].astype(int))
        y, own = answers.y[:, forms][:, :, rows], traits[rows]
        scores = np.stack([y[:, :, own == t].mean(axis=2) for t in range(5)], axis=2)
        fits = (scores >= 3) == targets[:, None]
        mean_fits = (scores.mean(axis=1) >= 3) == targets
        assert fast.exact_match[n] == pytest.approx(fits.all(axis=2).mean())
        assert fast.exact_match_averaged[n] == pytest.approx(mean_fits.all(axis=1).mean())
        assert fast.accuracy[n] == pytest.approx(fits.mean(axis=(0, 1)))
        for t in range(5):
            slow = [
                y[p, :, i].std(ddof=1) ** 2
                for p in range(profiles)
                for i in np.flatnonzero(own == t)
            ]
            assert fast_spread[n, t] == pytest.approx(np.sqrt(np.mean(slow)))


def test_interval_agrees_with_an_independently_drawn_slow_loop() -> None:
    answers = answers_of(at_random(11), wordings=5, per_trait=8)
    traits = answers.item_traits
    draws = crossed_draws(items=answers.items, forms=answers.forms, draws=2000, seed=5)
    fast = spread(answers.y, traits, item_weights=draws.items, form_weights=draws.forms)
    generator = np.random.default_rng(99)
    slow = []
    for _ in range(400):
        rows: list[int] = []
        for trait in range(5):
            for keyed in ("plus", "minus"):
                pool = [
                    n
                    for n, item in enumerate(answers.items)
                    if traits[n] == trait and item.keyed == keyed
                ]
                rows += [pool[k] for k in generator.integers(len(pool), size=len(pool))]
        forms: list[int] = []
        for name in ("digits", "letters"):
            for wording in generator.integers(5, size=5):
                forms += [
                    n
                    for n, form in enumerate(answers.forms)
                    if form.format == name and form.wording == f"w{wording}"
                ]
        variance = answers.y[:, forms][:, :, rows].var(axis=1, ddof=1).mean(axis=0)
        own = traits[rows]
        slow.append(np.mean([np.sqrt(variance[own == t].mean()) for t in range(5)]))
    quantiles = [0.025, 0.5, 0.975]
    drawn = fast.mean(axis=1)
    assert np.quantile(drawn, quantiles) == pytest.approx(
        np.quantile(slow, quantiles), abs=0.35 * np.std(slow)
    )


def test_a_trait_keying_with_one_cluster_is_named() -> None:
    forms, items = layout()
    items = tuple(i for i in items if i.item != "openness3")
    draws = crossed_draws(items=items, forms=forms, draws=20, seed=1)
    assert draws.notes == ("one item cluster each, which cannot vary: openness minus",)
