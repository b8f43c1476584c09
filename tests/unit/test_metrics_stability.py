"""Stability by trait, and what becomes of it where items or answers are few."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from synthetic_answers import answers_of, at_random, follows, noisy

from mimic.metrics.answers import Answers
from mimic.metrics.questionnaire import questionnaire_figures
from mimic.metrics.reliability import reliability_figures
from mimic.metrics.resampling import Resampling
from mimic.metrics.sensitivity import coherence_figures
from mimic.questionnaire.protocols import protocol_figures
from mimic.stats.coherence import PEOPLE
from mimic.stats.sensitivity import corrected_for_agreement, spread_of_present
from mimic.stats.stability import spread
from mimic.traits import TRAITS

FAST = Resampling(draws=200, permutations=99, seed=1)
CUTS = {"3.0, as published": np.full(5, 3.0)}


def figures(answers: Answers, base: Answers | None = None, **more: Any) -> dict[str, Any]:
    found = questionnaire_figures(answers, base, cuts=CUTS, resampling=FAST, **more)
    json.dumps(found, allow_nan=False)
    return found


def with_items(answers: Answers, kept: np.ndarray) -> Answers:
    """The same answers to some of the items."""
    return dataclasses.replace(
        answers,
        items=tuple(item for item, keep in zip(answers.items, kept, strict=True) if keep),
        variants=answers.variants[:, kept],
        options=answers.options[:, :, kept],
        mass=answers.mass[:, :, kept],
        raw=answers.raw[:, :, kept],
        y=answers.y[:, :, kept],
    )


def test_each_trait_has_its_spread_and_reduction_with_intervals() -> None:
    base = answers_of(noisy(strength=0.5, sd=0.4, seed=1))
    y = answers_of(noisy(strength=0.5, sd=0.2, seed=2)).y
    # Openness is as noisy as the base's.
    y[:, :, base.item_traits == 0] = base.y[:, :, base.item_traits == 0]
    found = figures(dataclasses.replace(base, y=y), base)["stability"]["traits"]
    assert found["openness"]["reduction"]["value"] == pytest.approx(0)
    for trait in TRAITS[1:]:
        whole = found[trait]["spread"]
        assert whole["low"] < whole["value"] < whole["high"]
        assert whole["value"] == pytest.approx(0.2, abs=0.02)
        assert whole["n"] == 16 * 4
        reduced = found[trait]["reduction"]
        assert reduced["value"] == pytest.approx(0.5, abs=0.05)
        assert reduced["low"] < reduced["value"] < reduced["high"]
    assert figures(base)["stability"]["traits"]["openness"]["reduction"] is None


def test_a_trait_that_cannot_vary_has_no_interval_and_says_why() -> None:
    def lone(answers: Answers) -> Answers:
        items = tuple(
            item._replace(cluster=item.keyed) if item.trait == "openness" else item
            for item in answers.items
        )
        return dataclasses.replace(answers, items=items)

    run, base = (lone(answers_of(noisy(strength=0.5, sd=0.3, seed=s), wordings=1)) for s in (1, 2))
    found = figures(run, base)["stability"]["traits"]
    for estimate in (found["openness"]["spread"], found["openness"]["reduction"]):
        assert estimate["value"] is not None
        assert (estimate["low"], estimate["high"]) == (None, None)
        assert estimate["reason"].startswith("neither this trait's item clusters")
    assert found["neuroticism"]["spread"]["low"] < found["neuroticism"]["spread"]["value"]


def test_the_shrunk_base_has_spread_and_signal_of_each_trait() -> None:
    base = answers_of(noisy(strength=0.5, sd=0.4, seed=1))
    run = dataclasses.replace(base, y=3 + 0.7 * (base.y - 3))
    found = figures(run, base)["stability"]
    for trait in TRAITS:
        shrunk, own = found["shrunk_base"]["traits"][trait], found["traits"][trait]
        assert shrunk["spread"] == pytest.approx(own["spread"]["value"])
        assert shrunk["signal"] == pytest.approx(own["signal"])
    extreme = figures(dataclasses.replace(base, y=3 + 2 * (base.y - 3)), base)["stability"]
    assert extreme["shrunk_base"]["factor"] == 1.0
    expected = figures(base)["stability"]["spread"]["value"]
    assert extreme["shrunk_base"]["spread"] == pytest.approx(expected)


def test_a_trait_of_one_item_has_no_spread_over_items() -> None:
    answers = answers_of(noisy(strength=0.5, sd=0.4, seed=1))
    one = with_items(answers, (answers.item_traits != 2) | (np.arange(20) == 8))
    found = figures(one, one) | reliability_figures(one)
    found["coherence"] = coherence_figures(one, cut=CUTS["3.0, as published"])
    json.dumps(found, allow_nan=False)
    over_items = found["published_stability"]["sd_over_items"]
    assert over_items["spread"]["extraversion"] is None
    assert over_items["reduction"]["extraversion"] is None
    assert over_items["spread"]["openness"] > 0
    assert found["stability"]["traits"]["extraversion"]["spread"]["value"] > 0


def test_residuals_that_follow_people_are_congruent_with_them() -> None:
    answers = answers_of(noisy(strength=0.5, sd=0.1, seed=1))
    profiles, forms, _ = answers.y.shape
    drawn = np.random.default_rng(5).multivariate_normal(np.zeros(5), PEOPLE, (profiles, forms))
    of_people = dataclasses.replace(answers, y=answers.y + 0.5 * drawn[..., answers.item_traits])
    found = coherence_figures(of_people, cut=CUTS["3.0, as published"])
    assert found["residual_congruence"] > 0.9
    turned = np.array([1, 1, 1, 1, -1])[answers.item_traits]
    opposed = dataclasses.replace(
        answers, y=answers.y + 0.5 * (drawn[..., answers.item_traits] * turned)
    )
    found = coherence_figures(opposed, cut=CUTS["3.0, as published"])
    assert found["residual_congruence"] < 0.6


def test_sensitivity_holds_spread_and_signal_without_answers_of_low_mass() -> None:
    answers = answers_of(noisy(strength=0.5, sd=0.2, seed=1))
    low = np.random.default_rng(1).random(answers.y.shape) < 0.2
    y = np.where(low, np.random.default_rng(2).uniform(1, 5, answers.y.shape), answers.y)
    wild = dataclasses.replace(answers, y=y, mass=np.where(low, 0.1, 1.0))
    found = figures(wild)
    with_them = found["stability"]["traits"]["openness"]
    without = found["sensitivity"]["low_mass_left_out"]["stability"]["openness"]
    assert with_them["spread"]["value"] > 0.45
    assert without["spread"] == pytest.approx(0.2, abs=0.02)
    assert without["signal"] == pytest.approx(0.5, abs=0.03)
    assert without["noise_to_signal"] == pytest.approx(without["spread"] / without["signal"])
    # A perfect respondent's likeliest option is its answer.
    argmax = figures(answers_of(follows(2)))["sensitivity"]["argmax"]["stability"]["openness"]
    assert argmax == pytest.approx({"spread": 0, "signal": 2, "noise_to_signal": 0})


def without_mass(answers: Answers, lost: np.ndarray) -> Answers:
    """The answers, some of them as an answers file has them where no option has any mass."""
    return dataclasses.replace(
        answers,
        options=np.where(lost[..., None], 0.0, answers.options),
        mass=np.where(lost, 0.0, answers.mass),
        raw=np.where(lost, 3.0, answers.raw),
        y=np.where(lost, 3.0, answers.y),
    )


def matches(answers: Answers) -> dict[str, float]:
    """Exact match in each way of scoring that leaves no answer out by choice."""
    found = figures(answers)
    return {
        "main": found["exact_match"]["value"],
        "argmax": found["sensitivity"]["argmax"]["exact_match"],
        "agreement_corrected": found["sensitivity"]["agreement_corrected"]["exact_match"],
        "coherence": coherence_figures(answers, cut=CUTS["3.0, as published"])["observed"],
    }


def test_without_mass_no_way_of_scoring_decides_anything() -> None:
    answers = answers_of(follows(2), profiles=32)
    assert set(matches(answers).values()) == {1}
    silent = without_mass(answers, np.ones(answers.y.shape, dtype=bool))
    # The middle, which would be high in all traits, is the answer of none.
    assert matches(silent) == dict.fromkeys(matches(answers), 0)
    found = figures(silent)["sensitivity"]
    assert found["argmax"]["mean_auc"] is found["agreement_corrected"]["mean_auc"] is None
    # S and B have the middle there, as in the main figures.
    of_trait = found["argmax"]["stability"]["openness"]
    assert (of_trait["spread"], of_trait["signal"]) == pytest.approx((0, 0))
    assert found["low_mass_left_out"]["reason"] == "a trait would be left without answers"


def test_with_mass_on_half_of_the_items_each_way_of_scoring_decides_by_that_half() -> None:
    def whole_numbers(levels: np.ndarray, keys: np.ndarray, size: tuple[int, int, int]) -> Any:
        return np.clip(np.round(at_random(6)(levels, keys, size) + levels * keys), 1, 5)

    answers = answers_of(whole_numbers, profiles=32)
    lost = np.broadcast_to(np.arange(20) % 4 < 2, answers.y.shape).copy()
    # One trait of some cells whole.
    lost[:, ::3, answers.item_traits == 2] = True
    half = without_mass(answers, lost)
    keyed = np.array([item.keyed == "plus" for item in answers.items])
    corrected = corrected_for_agreement(half.raw, half.item_traits, keyed)

    def expected(y: np.ndarray) -> float:
        given = (np.where(lost, np.nan, y), half.item_traits, half.targets)
        found = protocol_figures(*given, cut=3.0, protocol="likelihood")
        assert 0 < found.undecided < 0.1 < found.exact_match
        return found.exact_match

    found = matches(half)
    # Every answer is one option's, so the likeliest one is the score.
    for name in ("main", "argmax", "coherence"):
        assert found[name] == pytest.approx(expected(answers.y)), name
    assert found["agreement_corrected"] == pytest.approx(expected(corrected))


def test_spread_of_present_answers() -> None:
    y = np.random.default_rng(1).normal(size=(4, 6, 10))
    traits = np.arange(10) % 5
    assert spread_of_present(y, traits) == pytest.approx(spread(y, traits)[0])
    missing = y.copy()
    # Of one profile × item a single form is left, of another none: neither counts.
    missing[0, 1:, 0] = missing[1, :, 0] = np.nan
    missing[:, :, traits == 4] = np.nan
    found = spread_of_present(missing, traits)
    kept = np.concatenate([y[2:, :, 0].var(axis=1, ddof=1), y[:, :, 5].var(axis=1, ddof=1)])
    assert found[0] == pytest.approx(np.sqrt(kept.mean()))
    assert found[1] == pytest.approx(spread(y, traits)[0][1])
    assert np.isnan(found[4])


def test_intervals_name_what_was_taken_for_independent() -> None:
    perfect = answers_of(follows(2))
    assert figures(perfect)["mean_auc"]["interval"] == "wilson of 16 profiles"
    assert figures(perfect, unit="essays")["mean_auc"]["interval"] == "wilson of 16 essays"
