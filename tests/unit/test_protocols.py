"""Scoring under the three protocols, on the items of real instruments."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from mimic.questionnaire.instruments import load_instrument
from mimic.questionnaire.protocols import (
    PROTOCOLS,
    decisions,
    exact_match,
    item_scores,
    protocol_figures,
    trait_scores,
)
from mimic.traits import ALL_PROFILES, TRAITS

TARGETS = np.array([profile.levels for profile in ALL_PROFILES])


@pytest.fixture(scope="module", params=["ipip_neo_120", "mini_ipip"])
def items(request, project):
    return load_instrument(project / f"config/instruments/{request.param}.yaml").items


def keys_of(items):
    keyed_plus = np.array([item.keyed == "plus" for item in items])
    return keyed_plus, np.array([TRAITS.index(item.trait) for item in items])


def perfect(items):
    """Answers just as the profile says, in two forms: 1 is most like me."""
    keyed_plus, item_traits = keys_of(items)
    agrees = TARGETS[:, item_traits] == keyed_plus
    return np.repeat(np.where(agrees, 1, 5)[:, None, :], 2, axis=1)


def figures(option, items, protocol, cut=3.0):
    keyed_plus, item_traits = keys_of(items)
    y = item_scores(option, keyed_plus, protocol=protocol)
    return protocol_figures(y, item_traits, TARGETS, cut=cut, protocol=protocol)


def plain_loops(option, items, protocol, cut=3.0):
    """The same, written down once more as measuring says, answer by answer."""
    hits, right, undecided = 0, dict.fromkeys(TRAITS, 0), 0
    for p, profile in enumerate(ALL_PROFILES):
        for f in range(option.shape[1]):
            fitting = 0
            for trait, high in zip(TRAITS, profile.levels, strict=True):
                scores = []
                for i, item in enumerate(items):
                    answer = int(option[p, f, i])
                    if item.trait != trait or answer == 0:
                        continue
                    value = (
                        answer if protocol == "released" else {1: 5, 2: 4, 3: 3, 4: 2, 5: 1}[answer]
                    )
                    scores.append(value if item.keyed == "plus" else 6 - value)
                if scores:
                    decision = "high" if sum(scores) / len(scores) >= cut else "low"
                elif protocol == "released":
                    decision = "low"
                else:
                    decision = "none"
                    undecided += 1
                if decision == ("high" if high else "low"):
                    fitting += 1
                    right[trait] += 1
            hits += fitting == 5
    return hits, right, undecided


def test_a_perfect_respondent(items):
    released, corrected = (figures(perfect(items), items, p) for p in ("released", "corrected"))
    assert (released.hits, released.cells, released.exact_match) == (0, 64, 0.0)
    assert (corrected.hits, corrected.cells, corrected.exact_match) == (64, 64, 1.0)
    assert released.accuracy.tolist() == [0.0] * 5
    assert corrected.accuracy.tolist() == [1.0] * 5


def test_an_inverted_respondent(items):
    option = 6 - perfect(items)
    assert figures(option, items, "released").hits == 64
    assert figures(option, items, "corrected").hits == 0


@pytest.mark.parametrize("constant", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("protocol", ["released", "corrected"])
def test_a_constant_respondent_fits_one_profile_in_32(items, constant, protocol):
    found = figures(np.full((32, 1, len(items)), constant), items, protocol)
    assert (found.hits, found.cells) == (1, 32)
    assert found.accuracy.tolist() == [0.5] * 5
    assert (found.parsed, found.undecided) == (1.0, 0.0)


def test_nothing_parsed_is_low_under_released_and_no_decision_under_corrected(items):
    option = np.zeros((32, 3, len(items)), dtype=int)
    keyed_plus, item_traits = keys_of(items)
    found = figures(option, items, "released")
    assert (found.hits, found.cells, found.parsed, found.undecided) == (3, 96, 0.0, 0.0)
    y = item_scores(option, keyed_plus, protocol="released")
    scores = trait_scores(y, item_traits, protocol="released")
    assert (scores == 0).all()
    decided = decisions(scores, cut=3.0, protocol="released")
    matched = exact_match(decided, TARGETS)
    assert [str(p) for p, hit in zip(ALL_PROFILES, matched[:, 0], strict=True) if hit] == [
        "O-C-E-A-N-"
    ]
    found = figures(option, items, "corrected")
    assert (found.hits, found.cells, found.parsed, found.undecided) == (0, 96, 0.0, 1.0)
    assert found.accuracy.tolist() == [0.0] * 5
    y = item_scores(option, keyed_plus, protocol="corrected")
    assert np.isnan(trait_scores(y, item_traits, protocol="corrected")).all()


@pytest.mark.parametrize("protocol", ["released", "corrected"])
@pytest.mark.parametrize("lost", [0.0, 0.3, 0.97])
@pytest.mark.parametrize("cut", [3.0, 3.4])
def test_agrees_with_plain_loops(items, protocol, lost, cut):
    rng = np.random.default_rng(5)
    # Perfect now and then, else random, so that hits are neither none nor all.
    shape = (32, 2, len(items))
    option = np.where(rng.random(shape) < 0.3, perfect(items), rng.integers(1, 6, shape))
    if protocol == "released":
        option = 6 - option
    option = np.where(rng.random(shape) < lost, 0, option)
    hits, right, undecided = plain_loops(option, items, protocol, cut)
    found = figures(option, items, protocol, cut)
    assert found.hits == hits
    assert found.exact_match == pytest.approx(hits / 64)
    assert (found.accuracy * 64).round(9).tolist() == [right[trait] for trait in TRAITS]
    assert found.parsed == pytest.approx((option > 0).mean())
    assert found.undecided == pytest.approx(undecided / 320)
    if lost < 0.5:
        assert 0 < hits < 64
    if lost > 0.9:
        assert (undecided > 0) == (protocol == "corrected")


@pytest.mark.parametrize("protocol", ["released", "corrected"])
def test_a_random_respondent_stays_inside_the_binomial_band(items, protocol):
    option = np.random.default_rng(1).integers(1, 6, (32, 30, len(items)))
    found = figures(option, items, protocol)
    low, high = binom.interval(0.999, found.cells, 1 / 32)
    assert found.cells == 960
    assert low <= found.hits <= high


def test_corrected_is_six_minus_released_so_both_cannot_be_high():
    option = np.random.default_rng(2).integers(0, 6, (4, 3, 7))
    keyed_plus = np.array([True, False, True, True, False, False, True])
    released = item_scores(option, keyed_plus, protocol="released")
    corrected = item_scores(option, keyed_plus, protocol="corrected")
    assert np.array_equal(corrected, 6 - released, equal_nan=True)
    assert np.array_equal(np.isnan(released), option == 0)


def test_a_score_at_the_cut_is_high_and_each_trait_can_have_its_own():
    scores = np.array([[[3.0, 2.999, 3.6, 3.6, math.nan]]])
    decided = decisions(scores, cut=3.0, protocol="corrected")
    assert decided.dtype == np.int8
    assert decided.tolist() == [[[1, 0, 1, 1, -1]]]
    cut = np.array([3.1, 2.9, 3.6, 3.7, 1.0])
    assert decisions(scores, cut=cut, protocol="likelihood").tolist() == [[[0, 1, 1, 0, -1]]]


def test_a_mean_of_three_under_rounding_counts_as_three():
    y = np.array([3.3, 1.9, 4.2, 2.6, 3.0, 3.0, 3.0, 3.0]).reshape(1, 1, 8)
    item_traits = np.array([0, 0, 0, 0, 1, 2, 3, 4])
    assert y[0, 0, :4].sum() / 4 < 3
    scores = trait_scores(y, item_traits, protocol="likelihood")
    assert decisions(scores, cut=3.0, protocol="likelihood").tolist() == [[[1, 1, 1, 1, 1]]]


def test_likelihood_begins_at_the_trait_scores(items):
    keyed_plus, item_traits = keys_of(items)
    option = perfect(items)
    y = item_scores(option, keyed_plus, protocol="corrected")
    found = protocol_figures(y, item_traits, TARGETS, cut=3.0, protocol="likelihood")
    assert (found.hits, found.cells) == (64, 64)
    with pytest.raises(ValueError, match="'likelihood' scores no options"):
        item_scores(option, keyed_plus, protocol="likelihood")


def test_wrong_values_are_refused():
    assert PROTOCOLS == ("released", "corrected", "likelihood")
    keyed_plus = np.array([True, True])
    for wrong in (6, -1):
        with pytest.raises(ValueError, match=rf"option {wrong} at .* \(0, 1, 1\); allowed are 1"):
            item_scores(np.array([[[1, 2], [3, wrong]]]), keyed_plus, protocol="released")
    scores = np.full((1, 1, 5), math.nan)
    with pytest.raises(ValueError, match="under released a trait without answers scores 0"):
        decisions(scores, cut=3.0, protocol="released")
    with pytest.raises(ValueError, match="'published' is no protocol; allowed are released"):
        trait_scores(np.ones((1, 1, 5)), np.arange(5), protocol="published")
