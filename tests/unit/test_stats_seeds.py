"""Runs of several training seeds, taken together."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_answers import answers_of, noisy

from mimic.stats.bootstrap import crossed_draws
from mimic.stats.fidelity import answer_fidelity
from mimic.stats.seeds import fidelity_over_seeds, spread_over_seeds
from mimic.stats.stability import spread

ANSWERS = [answers_of(noisy(strength=0.3, sd=0.4 + 0.1 * seed, seed=seed)) for seed in range(5)]
TRAITS, TARGETS = ANSWERS[0].item_traits, ANSWERS[0].targets
Y = np.stack([answers.y for answers in ANSWERS])


def test_unweighted_figures_are_means_over_seeds() -> None:
    squares = [spread(y, TRAITS)[0] ** 2 for y in Y]
    assert spread_over_seeds(Y, TRAITS)[0] == pytest.approx(np.sqrt(np.mean(squares, axis=0)))
    found = fidelity_over_seeds(Y, TRAITS, TARGETS, cut=3.0)
    each = [answer_fidelity(y, TRAITS, TARGETS, cut=3.0) for y in Y]
    assert found.exact_match == pytest.approx(np.mean([e.exact_match for e in each], axis=0))
    assert found.auc == pytest.approx(np.mean([e.auc for e in each], axis=0))


def test_a_single_seed_is_the_run_itself() -> None:
    assert spread_over_seeds(Y[:1], TRAITS) == pytest.approx(spread(Y[0], TRAITS))
    found = fidelity_over_seeds(Y[:1], TRAITS, TARGETS, cut=3.0)
    assert found.accuracy == pytest.approx(answer_fidelity(Y[0], TRAITS, TARGETS, cut=3.0).accuracy)


def test_weights_of_all_factors_meet_in_each_row() -> None:
    answers = ANSWERS[0]
    draws = crossed_draws(items=answers.items, forms=answers.forms, seeds=5, draws=3, seed=1)
    found = spread_over_seeds(
        Y, TRAITS, item_weights=draws.items, form_weights=draws.forms, seed_weights=draws.seeds
    )
    fidelity = fidelity_over_seeds(
        Y,
        TRAITS,
        TARGETS,
        cut=3.0,
        item_weights=draws.items,
        form_weights=draws.forms,
        seed_weights=draws.seeds,
    )
    assert found.shape == (15, 5)
    for row in (0, 4, 8, 10, 14):
        one = {
            "item_weights": draws.items[[row]],
            "form_weights": draws.forms[[row]],
        }
        squares = [spread(y, TRAITS, **one)[0] ** 2 for y in Y]
        expected = np.sqrt(np.average(squares, axis=0, weights=draws.seeds[row]))
        assert found[row] == pytest.approx(expected)
        each = [answer_fidelity(y, TRAITS, TARGETS, cut=3.0, **one).auc[0] for y in Y]
        assert fidelity.auc[row] == pytest.approx(
            np.average(each, axis=0, weights=draws.seeds[row])
        )


def test_a_seed_of_weight_zero_does_not_count() -> None:
    weights = np.array([[1.0, 1, 0, 1, 1]])
    disturbed = Y.copy()
    disturbed[2] = 1.0
    expected = spread_over_seeds(np.delete(Y, 2, axis=0), TRAITS)
    assert spread_over_seeds(disturbed, TRAITS, seed_weights=weights) == pytest.approx(expected)
