"""Spread, signal and the rule of more stable, on respondents whose figures are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from synthetic_answers import answers_of, at_random, constant, follows, noisy

from mimic.metrics.answers import Answers
from mimic.stats.fidelity import average_forms, trait_scores
from mimic.stats.stability import (
    Stability,
    mean_noise_to_signal,
    more_stable,
    profile_parts,
    reduction,
    shrink,
    signal,
    spread,
)
from mimic.traits import ALL_PROFILES, design_matrix


def stability(answers: Answers, y: np.ndarray | None = None) -> Stability:
    y = answers.y if y is None else y
    scores = average_forms(trait_scores(y, answers.item_traits))[0]
    return Stability(spread(y, answers.item_traits)[0], signal(scores, answers.design))


@pytest.mark.parametrize("sd", [0.1, 0.5, 1.0])
def test_noise_of_known_sd_over_forms_is_recovered(sd: float) -> None:
    answers = answers_of(noisy(strength=1, sd=sd, seed=2), profiles=32)
    assert stability(answers).spread == pytest.approx(np.full(5, sd), rel=0.06)


def test_spread_uses_ddof_one() -> None:
    y = np.zeros((1, 2, 5))
    y[0, 1] = 1.0
    # Two forms, 0 and 1: variance 1/4 with ddof 0, 1/2 with ddof 1.
    assert spread(y, np.arange(5))[0] == pytest.approx(np.full(5, math.sqrt(0.5)))


def test_a_single_form_has_no_spread() -> None:
    assert np.isnan(spread(np.zeros((16, 1, 5)), np.arange(5))).all()


@pytest.mark.parametrize("profiles", [16, 32])
def test_signal_of_perfect_and_inverted_respondents(profiles: int) -> None:
    perfect = stability(answers_of(follows(2), profiles=profiles))
    inverted = stability(answers_of(follows(-2), profiles=profiles))
    assert perfect.signal == pytest.approx(2 * np.eye(5), abs=1e-9)
    assert inverted.signal == pytest.approx(-2 * np.eye(5), abs=1e-9)
    assert perfect.noise_to_signal == pytest.approx(np.zeros(5), abs=1e-9)


@pytest.mark.parametrize("profiles", [16, 32])
def test_signal_and_crosstalk_equal_ols(profiles: int) -> None:
    answers = answers_of(at_random(8), profiles=profiles)
    scores = average_forms(trait_scores(answers.y, answers.item_traits))[0]
    found = signal(scores, answers.design)
    for t in range(5):
        fit = sm.OLS(scores[:, t], sm.add_constant(answers.design)).fit()
        assert found[t] == pytest.approx(fit.params[1:])


def test_a_single_form_of_weight_has_no_spread() -> None:
    y = np.random.default_rng(1).normal(size=(4, 3, 5))
    found = spread(y, np.arange(5), form_weights=np.array([[0, 2.0, 0], [0.5, 2.0, 0]]))
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()


def test_reduction_is_undefined_where_nothing_can_be_reduced() -> None:
    found = reduction(np.array([0.2, 0.3, 0.1]), np.array([0.4, 0.2, 0.0]))
    assert found[:2] == pytest.approx([0.5, -0.5])
    assert np.isnan(found[2])


@pytest.mark.parametrize("profiles", [16, 32])
def test_parts_of_profiles_give_spread_and_signal(profiles: int) -> None:
    answers = answers_of(noisy(strength=0.4, sd=0.5, seed=6), profiles=profiles)
    parts = profile_parts(answers.y, answers.item_traits)
    assert parts.shape == (profiles, 2, 5)
    found = stability(answers)
    assert np.sqrt(parts[:, 0].mean(axis=0)) == pytest.approx(found.spread)
    expected = found.spread.mean() / np.abs(np.diag(found.signal)).mean()
    assert mean_noise_to_signal(parts, answers.design) == pytest.approx(expected)
    several = mean_noise_to_signal(np.stack([parts, parts * [[2], [1]]]), answers.design)
    assert several == pytest.approx(expected * np.array([1, math.sqrt(2)]))


def test_mean_noise_to_signal_is_infinite_without_signal() -> None:
    answers = answers_of(constant(4))
    parts = profile_parts(answers.y, answers.item_traits)
    assert np.isinf(mean_noise_to_signal(parts, answers.design))
    with pytest.raises(ValueError, match="do not separate"):
        mean_noise_to_signal(parts[:8], design_matrix(ALL_PROFILES[:8]))


def test_a_halo_is_crosstalk() -> None:
    answers = answers_of(follows(1), profiles=32)
    # Agreeableness is answered with openness' level.
    y = answers.y.copy()
    y[:, :, answers.item_traits == 3] += 0.5 * answers.design[:, 0][:, None, None]
    found = stability(answers, y).signal
    assert found[3, 0] == pytest.approx(0.5)
    assert found[0, 3] == pytest.approx(0, abs=1e-9)


def test_profiles_that_do_not_separate_the_traits_are_refused() -> None:
    with pytest.raises(ValueError, match="do not separate"):
        signal(np.zeros((8, 5)), design_matrix(ALL_PROFILES[:8]))


def test_a_shrunk_respondent_spreads_less_but_is_not_more_stable() -> None:
    base = answers_of(noisy(strength=0.5, sd=0.4, seed=3))
    run = 3 + 0.6 * (base.y - 3)
    before, after = stability(base), stability(base, run)
    assert after.spread == pytest.approx(0.6 * before.spread)
    assert after.noise_to_signal == pytest.approx(before.noise_to_signal)
    assert not more_stable(after, before).any()
    factor, shrunk = shrink(base.y, run)
    assert factor == pytest.approx(0.6)
    assert shrunk == pytest.approx(run)


def test_a_run_of_more_extreme_answers_is_compared_with_the_base_as_it_is() -> None:
    base = answers_of(noisy(strength=0.5, sd=0.4, seed=3))
    # Half the noise and the same signal, but high on every item.
    run = answers_of(noisy(strength=0.5, sd=0.2, seed=4)).y + 1.2
    assert np.abs(run - 3).mean() > 2 * np.abs(base.y - 3).mean()
    factor, shrunk = shrink(base.y, run)
    assert factor == 1.0
    assert shrunk == pytest.approx(base.y)
    assert more_stable(stability(base, run), stability(base, shrunk)).all()


def test_less_noise_at_the_same_signal_is_more_stable() -> None:
    noisier, steadier = (
        stability(answers_of(noisy(strength=0.5, sd=sd, seed=3))) for sd in (0.4, 0.2)
    )
    assert more_stable(steadier, noisier).all()
    assert not more_stable(noisier, steadier).any()


def test_a_lost_or_inverted_signal_is_not_more_stable() -> None:
    base = stability(answers_of(noisy(strength=0.5, sd=0.4, seed=3)))
    # Less noise for its signal, but the signal is 80 % of the base's.
    weaker = stability(answers_of(noisy(strength=0.4, sd=0.01, seed=3)))
    inverted = stability(answers_of(noisy(strength=-0.5, sd=0.01, seed=3)))
    assert (weaker.noise_to_signal < base.noise_to_signal).all()
    assert not more_stable(weaker, base).any()
    assert not more_stable(inverted, inverted._replace(spread=2 * inverted.spread)).any()


def test_a_constant_respondent_has_infinite_noise_to_signal_and_is_not_more_stable() -> None:
    flat, base = (stability(answers_of(r)) for r in (constant(4), follows(1)))
    assert np.isinf(flat.noise_to_signal).all()
    assert not more_stable(flat, base).any()
    answers = answers_of(constant(3))
    assert shrink(answers.y, answers.y)[0] == 1.0
