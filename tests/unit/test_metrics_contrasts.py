"""A run against its base, on synthetic respondents."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from synthetic_answers import answers_of, at_random, constant, follows, noisy

from mimic.metrics.contrasts import contrast_figures, text_contrast
from mimic.metrics.resampling import Resampling
from mimic.metrics.texts import text_exact_match
from mimic.traits import TRAITS, balanced_profiles

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


def texts_of(*, fits: int, copied: int = 0) -> pd.DataFrame:
    """Three texts of each of 16 profiles, of which some fit and some are copies."""
    rows = []
    for profile, sample in product(balanced_profiles(16), range(3)):
        levels = np.array(profile.levels) == (sample < fits)
        probabilities = dict(zip(TRAITS, np.where(levels, 0.8, 0.3), strict=True))
        rows.append({"profile": str(profile), "copied": int(sample < copied), **probabilities})
    return pd.DataFrame(rows)


def test_texts_that_fit_differ_from_texts_that_do_not() -> None:
    found = text_contrast(texts_of(fits=2), texts_of(fits=0), FAST)["exact_match"]
    assert found["difference"] == pytest.approx(2 / 3)
    assert found["p_value"] <= 0.01
    same = text_contrast(texts_of(fits=2), texts_of(fits=2), FAST)["exact_match"]
    assert same == {"difference": 0.0, "p_value": 1.0}


def test_copied_texts_are_left_out_of_the_contrast() -> None:
    run, base = texts_of(fits=2, copied=1), texts_of(fits=2)
    found = text_contrast(run, base, FAST)["exact_match"]
    expected = text_exact_match(run) - text_exact_match(base)
    assert found["difference"] == pytest.approx(expected) == pytest.approx(1 / 2 - 2 / 3)
    # A profile with nothing but copies is left out of both.
    run.loc[run["profile"] == run["profile"][0], "copied"] = 1
    assert text_contrast(run, base, FAST)["exact_match"]["difference"] == pytest.approx(-1 / 6)
    nothing = text_contrast(run.assign(copied=1), base, FAST)["exact_match"]
    assert (nothing["difference"], nothing["p_value"]) == (None, None)
    assert "not copied" in nothing["reason"]
