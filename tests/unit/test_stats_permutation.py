"""The permutation of targets over blocks of outputs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from mimic.stats.permutation import hit_counts, permutation_p
from mimic.traits import balanced_profiles, design_matrix


def targets(profiles: int) -> np.ndarray:
    return design_matrix(balanced_profiles(profiles)) > 0


@pytest.mark.parametrize("profiles", [16, 32])
def test_perfect_decisions_have_the_smallest_p(profiles: int) -> None:
    wanted = targets(profiles)
    counts = hit_counts(np.repeat(wanted, 3, axis=0), np.repeat(np.arange(profiles), 3), wanted)
    assert np.array_equal(counts, 3 * np.eye(profiles, dtype=int))
    assert permutation_p(counts, seed=1) == 1 / 10_000


@pytest.mark.parametrize("profiles", [16, 32])
def test_constant_decisions_have_p_of_one(profiles: int) -> None:
    wanted = targets(profiles)
    for row in wanted:
        counts = hit_counts(np.tile(row, (profiles, 1)), np.arange(profiles), wanted)
        assert np.trace(counts) == 1
        assert permutation_p(counts, permutations=99, seed=1) == 1.0


def test_inverted_decisions_have_p_of_one() -> None:
    wanted = targets(32)
    counts = hit_counts(~wanted, np.arange(32), wanted)
    assert np.trace(counts) == 0
    assert permutation_p(counts, seed=1) == 1.0


def test_p_agrees_with_a_slow_permutation_of_the_targets() -> None:
    generator = np.random.default_rng(3)
    wanted = targets(16)
    decisions = np.repeat(wanted, 4, axis=0) ^ (generator.random((64, 5)) < 0.4)
    blocks = np.repeat(np.arange(16), 4)
    observed = (decisions == wanted[blocks]).all(axis=1).sum()
    slow = [
        (decisions == wanted[generator.permutation(16)][blocks]).all(axis=1).sum() >= observed
        for _ in range(4000)
    ]
    found = permutation_p(hit_counts(decisions, blocks, wanted), seed=1)
    assert found == pytest.approx(np.mean(slow), abs=0.03)


def test_p_of_random_respondents_is_uniform_although_forms_agree() -> None:
    # All 20 forms of a block repeat its decisions but for some noise: taking them for
    # independent would make small p-values far too common.
    generator = np.random.default_rng(7)
    wanted, blocks = targets(32), np.repeat(np.arange(32), 20)
    found = []
    for n in range(300):
        own = generator.random((32, 5)) < 0.5
        decisions = own[blocks] ^ (generator.random((640, 5)) < 0.05)
        counts = hit_counts(decisions, blocks, wanted)
        found.append(permutation_p(counts, permutations=499, seed=n))
    p = np.array(found)
    assert kstest(p, "uniform").pvalue > 0.001
    assert (p <= 0.05).mean() < 0.09
