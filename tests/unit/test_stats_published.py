"""The published standard deviations, on respondents for whom they are known."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_answers import answers_of, constant, follows, noisy

from mimic.stats.fidelity import trait_scores
from mimic.stats.published import relative_reduction, sd_over_items, sd_over_profiles
from mimic.stats.stability import spread


@pytest.mark.parametrize("profiles", [16, 32])
def test_responding_to_the_target_is_spread_over_profiles(profiles: int) -> None:
    answers = answers_of(follows(1.5), profiles=profiles)
    found = sd_over_profiles(trait_scores(answers.y, answers.item_traits)[0])
    # ±1.5, half of each.
    assert found == pytest.approx(np.full(5, 1.5 * np.sqrt(profiles / (profiles - 1))))
    assert spread(answers.y, answers.item_traits)[0] == pytest.approx(np.zeros(5), abs=1e-9)


def test_a_respondent_that_heeds_no_target_looks_stable_by_the_code() -> None:
    base, run = answers_of(follows(1.0)), answers_of(constant(4))
    of_base, of_run = (sd_over_profiles(trait_scores(a.y, a.item_traits)[0]) for a in (base, run))
    assert relative_reduction(of_run, of_base) == pytest.approx(np.ones(5))
    assert np.isnan(relative_reduction(of_base, of_run)).all()


def test_differences_between_items_are_spread_over_items() -> None:
    answers = answers_of(follows(0), per_trait=4)
    y = answers.y + np.tile([0.0, 1.0, 2.0, 3.0], 5)
    assert sd_over_items(y, answers.item_traits) == pytest.approx(
        np.full(5, np.std(range(4), ddof=1))
    )
    assert sd_over_items(3 + 0.8 * (y - 3), answers.item_traits) == pytest.approx(
        0.8 * sd_over_items(y, answers.item_traits)
    )


def test_it_is_the_mean_of_the_standard_deviations_of_profiles_and_forms() -> None:
    answers = answers_of(noisy(strength=0.5, sd=0.4, seed=1))
    own = answers.y[:, :, answers.item_traits == 3]
    expected = np.mean([[np.std(cell, ddof=1) for cell in profile] for profile in own])
    assert sd_over_items(answers.y, answers.item_traits)[3] == pytest.approx(expected)


def test_a_single_item_has_no_spread_over_items() -> None:
    found = sd_over_items(np.zeros((16, 2, 6)), np.array([0, 0, 1, 2, 3, 4]))
    assert found[0] == 0
    assert np.isnan(found[1:]).all()
