"""Fit to the target, on respondents whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import roc_auc_score
from synthetic_answers import answers_of, at_random, constant, follows, noisy

from mimic.metrics.answers import Answers
from mimic.stats.fidelity import AnswerFidelity, answer_fidelity, auc, text_fidelity


def fidelity(answers: Answers) -> AnswerFidelity:
    return answer_fidelity(answers.y, answers.item_traits, answers.targets, cut=3.0)


@pytest.mark.parametrize("profiles", [16, 32])
@pytest.mark.parametrize(("strength", "expected"), [(2.0, 1.0), (-2.0, 0.0)])
def test_perfect_and_inverted(profiles: int, strength: float, expected: float) -> None:
    found = fidelity(answers_of(follows(strength), profiles=profiles))
    for figure in found:
        assert figure == pytest.approx(np.full(figure.shape, expected))


@pytest.mark.parametrize("option", [1, 2, 3, 4, 5])
def test_a_constant_respondent_fits_one_of_32_profiles_at_any_option(option: int) -> None:
    found = fidelity(answers_of(constant(option), profiles=32))
    assert found.exact_match[0] == pytest.approx(1 / 32)
    assert found.exact_match_averaged[0] == 1 / 32
    assert found.accuracy[0] == pytest.approx(np.full(5, 0.5))
    assert found.auc[0] == pytest.approx(np.full(5, 0.5))


def test_a_mean_that_is_the_cut_but_for_rounding_is_high() -> None:
    # Every trait averages to 3; each score is a last bit below, as sums of floats may be.
    y = np.tile(np.array([2.9, 3.1, 2.7, 3.3, 3.0, 3.0]), (16, 2, 5))
    answers = answers_of(constant(3))
    found = answer_fidelity(
        np.nextafter(y, 0), np.repeat(np.arange(5), 6), answers.targets, cut=3.0
    )
    assert found.exact_match[0] == pytest.approx(1 / 16)


@pytest.mark.parametrize("seed", range(8))
def test_random_respondents_stay_inside_the_exact_band(seed: int) -> None:
    answers = answers_of(at_random(seed), profiles=32)
    hits = fidelity(answers).exact_match[0] * 32 * len(answers.forms)
    low, high = binom.interval(0.999, 32 * len(answers.forms), 1 / 32)
    assert low <= hits <= high


def test_a_respondent_right_on_one_trait_has_that_traits_accuracy() -> None:
    answers = answers_of(constant(4), profiles=32)
    y = answers.y.copy()
    own = answers.item_traits == 2
    y[:, :, own] = 3 + np.where(answers.targets[:, 2], 1, -1)[:, None, None]
    found = answer_fidelity(y, answers.item_traits, answers.targets, cut=3.0)
    assert found.accuracy[0] == pytest.approx([0.5, 0.5, 1, 0.5, 0.5])
    assert found.auc[0] == pytest.approx([0.5, 0.5, 1, 0.5, 0.5])
    assert found.exact_match[0] == pytest.approx(2 / 32)


def test_averaging_forms_first_is_another_figure() -> None:
    found = fidelity(answers_of(noisy(strength=0.4, sd=1.0, seed=1), profiles=32))
    assert found.exact_match_averaged[0] > found.exact_match[0] + 0.1


def test_auc_equals_sklearns_with_ties() -> None:
    generator = np.random.default_rng(1)
    high = generator.random(32) < 0.5
    scores = generator.integers(0, 6, (20, 32)).astype(float)
    expected = [roc_auc_score(high, row) for row in scores]
    assert auc(scores, high) == pytest.approx(expected)


def test_auc_without_one_of_the_groups_is_undefined() -> None:
    assert np.isnan(auc(np.zeros((3, 4)), np.ones(4, dtype=bool))).all()


def test_weighted_text_figures_equal_those_of_repeated_texts() -> None:
    generator = np.random.default_rng(2)
    targets = generator.random((40, 5)) < 0.5
    probabilities = np.round(np.clip(generator.normal(0.4 + 0.2 * targets, 0.3), 0, 1), 1)
    weights = generator.integers(0, 3, (10, 40)).astype(float)
    found = text_fidelity(probabilities, targets, weights=weights)
    for n in range(10):
        rows = np.repeat(np.arange(40), weights[n].astype(int))
        fits = (probabilities[rows] >= 0.5) == targets[rows]
        assert found.exact_match[n] == pytest.approx(fits.all(axis=1).mean())
        assert found.accuracy[n] == pytest.approx(fits.mean(axis=0))
        expected = [roc_auc_score(targets[rows, t], probabilities[rows, t]) for t in range(5)]
        assert found.auc[n] == pytest.approx(expected)
