"""A run against its base, on synthetic respondents."""

import numpy as np
import pytest
from synthetic_answers import answers_of, at_random, constant, follows, noisy

from mimic.metrics.contrasts import contrast_figures
from mimic.metrics.resampling import Resampling

CUT = np.full(5, 3.0)
FAST = Resampling(draws=100, permutations=499, seed=1)


def test_a_run_that_follows_its_target_differs_from_one_that_does_not() -> None:
    found = contrast_figures(
        answers_of(follows(1)), answers_of(at_random(1)), cut=CUT, resampling=FAST
    )
    assert found["exact_match"]["difference"] > 0.8
    assert found["exact_match"]["p_value"] <= 0.01
    assert found["noise_to_signal"]["difference"] < 0
    assert found["noise_to_signal"]["p_value"] <= 0.01


def test_the_same_respondent_twice_does_not_differ() -> None:
    first, second = (answers_of(noisy(strength=0.5, sd=0.3, seed=seed)) for seed in (1, 2))
    found = contrast_figures(first, second, cut=CUT, resampling=FAST)
    assert found["exact_match"]["p_value"] > 0.05
    assert found["noise_to_signal"]["p_value"] > 0.05
    same = contrast_figures(first, first, cut=CUT, resampling=FAST)
    assert same["exact_match"] == {"difference": 0.0, "p_value": 1.0}


def test_without_a_signal_there_is_no_ratio_to_compare() -> None:
    found = contrast_figures(
        answers_of(constant(4)), answers_of(follows(1)), cut=CUT, resampling=FAST
    )
    assert found["noise_to_signal"]["p_value"] is None
    assert "no signal" in found["noise_to_signal"]["reason"]
    assert found["exact_match"]["difference"] == pytest.approx(-15 / 16)
