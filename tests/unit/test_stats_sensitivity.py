"""Other rules of scoring, on respondents for whom they are known."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_answers import answers_of, follows, noisy

from mimic.metrics.answers import Answers
from mimic.metrics.questionnaire import acquiescence
from mimic.stats.sensitivity import agreement_index, argmax_scores, corrected_for_agreement


def keyed_plus(answers: Answers) -> np.ndarray:
    return np.array([item.keyed == "plus" for item in answers.items])


def test_the_most_probable_option_counts_alone() -> None:
    options = np.zeros((1, 1, 4, 5))
    options[0, 0, :] = [0.3, 0.0, 0.1, 0.2, 0.05]
    options[0, 0, 2] = [0.1, 0.1, 0.1, 0.3, 0.3]
    options[0, 0, 3] = 0.2
    found = argmax_scores(options, np.array([True, False, True, False]))
    assert found.tolist() == [[[1.0, 5.0, 4.5, 3.0]]]


def test_argmax_equals_the_mean_where_one_option_has_all() -> None:
    answers = answers_of(follows(2))
    assert np.array_equal(argmax_scores(answers.options, keyed_plus(answers)), answers.y)


def test_agreement_is_found_in_its_cell_and_taken_out() -> None:
    answers = answers_of(noisy(strength=0.6, sd=0.3, seed=1))
    plus, traits = keyed_plus(answers), answers.item_traits
    shift = np.random.default_rng(1).normal(0, 0.5, (16, 12, 1))
    before = agreement_index(answers.raw, traits, plus)
    assert agreement_index(answers.raw + shift, traits, plus) == pytest.approx(
        before + shift[..., 0]
    )
    corrected = corrected_for_agreement(answers.raw + shift, traits, plus)
    assert corrected == pytest.approx(corrected_for_agreement(answers.raw, traits, plus))
    raw = np.where(plus, corrected, 6 - corrected)
    assert agreement_index(raw, traits, plus) == pytest.approx(np.full((16, 12), 3.0))


def test_the_target_is_no_agreement_however_many_items_have_a_keying() -> None:
    answers = answers_of(follows(1), per_trait=5)
    plus, traits = keyed_plus(answers), answers.item_traits
    assert agreement_index(answers.raw, traits, plus) == pytest.approx(np.full((16, 12), 3.0))
    assert corrected_for_agreement(answers.raw, traits, plus) == pytest.approx(answers.y)


def test_its_mean_is_the_run_s_index() -> None:
    answers = answers_of(noisy(strength=0.6, sd=0.3, seed=2), per_trait=5)
    found = agreement_index(answers.raw, answers.item_traits, keyed_plus(answers))
    assert found.mean() == pytest.approx(acquiescence(answers))


def test_traits_of_one_keying_are_corrected_but_do_not_define_it() -> None:
    plus = np.array([True, False, True, True])
    traits = np.array([0, 0, 1, 1])
    raw = np.array([[[4.0, 3.0, 5.0, 5.0]]])
    assert agreement_index(raw, traits, plus).tolist() == [[3.5]]
    assert corrected_for_agreement(raw, traits, plus).tolist() == [[[3.5, 3.5, 4.5, 4.5]]]
    with pytest.raises(ValueError, match="no trait has items of both keyings"):
        agreement_index(raw, traits, np.ones(4, dtype=bool))
