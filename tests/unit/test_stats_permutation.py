"""Targets permuted over blocks of outputs, signs of contrasts, labels of runs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import kstest, permutation_test

from mimic.stats.permutation import (
    Alternative,
    hit_counts,
    null_swap_p,
    permutation_p,
    permuted_hits,
    run_swap_p,
    sign_flip_p,
)
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


def test_permuted_hits_are_those_that_p_counts() -> None:
    counts = np.random.default_rng(2).integers(0, 4, (16, 16))
    hits = permuted_hits(counts, permutations=499, seed=1)
    assert hits.mean() == pytest.approx(counts.sum() / 16, rel=0.05)
    expected = (1 + (hits >= np.trace(counts)).sum()) / 500
    assert permutation_p(counts, permutations=499, seed=1) == expected


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


def every_sign(n: int) -> np.ndarray:
    return np.array(list(itertools.product((1, -1), repeat=n)))


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_sign_flips_are_exact_where_they_are_few(alternative: Alternative) -> None:
    contrasts = np.random.default_rng(4).normal(0.4, 1, 9)
    means = every_sign(9) @ contrasts / 9
    above, below = (means >= contrasts.mean() - 1e-12), (means <= contrasts.mean() + 1e-12)
    expected = {
        "greater": above.mean(),
        "less": below.mean(),
        "two-sided": 2 * min(above.mean(), below.mean()),
    }[alternative]
    assert sign_flip_p(contrasts, alternative=alternative, seed=1) == pytest.approx(expected)


def test_known_sign_flip_p_of_fishers_data_on_darwins_plants() -> None:
    # Fisher 1935, The design of experiments, section 21: 863 of 32,768 sums are as large in one
    # direction, 1,726 in both (differences in eighths of an inch).
    differences = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48.0])
    exact = sign_flip_p(differences, permutations=2**15, seed=1)
    assert exact == pytest.approx(1726 / 32768)
    drawn = sign_flip_p(differences, permutations=9999, seed=1)
    assert drawn == pytest.approx(exact, abs=0.008)
    # (1 + b) / (1 + B)
    assert drawn * 10_000 == pytest.approx(round(drawn * 10_000))


def test_the_least_sign_flip_p_is_not_zero() -> None:
    assert sign_flip_p(np.ones(6), alternative="greater", seed=1) == 1 / 64
    assert sign_flip_p(np.ones(30), alternative="greater", permutations=99, seed=1) == 1 / 100
    assert sign_flip_p(np.zeros(6), seed=1) == 1.0


@pytest.mark.parametrize("contrasts", [[], [0.3], [0.3, math.nan]])
def test_contrasts_that_are_none_are_refused(contrasts: list[float]) -> None:
    with pytest.raises(ValueError, match="at least two pairs"):
        sign_flip_p(np.array(contrasts), seed=1)


def test_swapping_runs_is_the_sign_flip_of_a_mean_over_profiles() -> None:
    generator = np.random.default_rng(5)
    first, second = generator.random((2, 10, 7))
    found = run_swap_p(first, second, lambda shares: shares.mean(axis=(-2, -1)), seed=1)
    assert found == pytest.approx(sign_flip_p((first - second).mean(axis=1), seed=1))


def test_swapping_runs_equals_scipys_test_and_enumeration_for_a_ratio() -> None:
    # S/|B| isn't a mean over profiles: each swap needs it anew.
    wanted = design_matrix(balanced_profiles(16))[:8, :1]
    generator = np.random.default_rng(6)
    first, second = (
        np.column_stack([generator.gamma(4, scale, 8), wanted[:, 0] + generator.normal(0, 1, 8)])
        for scale in (0.1, 0.2)
    )

    def ratio(parts: np.ndarray) -> np.ndarray:
        noise = np.sqrt(parts[..., 0].mean(axis=-1))
        return np.asarray(noise / np.abs((parts[..., 1] * wanted[:, 0]).mean(axis=-1)))

    observed = ratio(first) - ratio(second)
    swapped = []
    for signs in every_sign(8) > 0:
        one, other = (np.where(s[:, None], first, second) for s in (signs, ~signs))
        swapped.append(ratio(one) - ratio(other))
    expected = np.mean(np.array(swapped) <= observed + 1e-9)
    assert run_swap_p(first, second, ratio, alternative="less", seed=1) == expected
    by_scipy = permutation_test(
        (np.arange(8), np.arange(8, 16)),
        lambda a, b: ratio(np.vstack([first, second])[a]) - ratio(np.vstack([first, second])[b]),
        permutation_type="samples",
        vectorized=False,
        alternative="less",
    )
    assert by_scipy.pvalue == expected
    drawn = run_swap_p(first, second, ratio, alternative="less", permutations=200, seed=1)
    assert drawn == pytest.approx(expected, abs=0.12)
    assert drawn * 201 == pytest.approx(round(drawn * 201))


def test_outputs_of_a_profile_move_together() -> None:
    # Twenty outputs of four profiles all differ, but there are only four swaps to be had.
    first, second = np.ones((4, 20)), np.zeros((4, 20))
    found = run_swap_p(
        first, second, lambda shares: shares.mean(axis=(-2, -1)), alternative="greater", seed=1
    )
    assert found == 1 / 16


def test_runs_that_are_alike_have_p_of_one() -> None:
    shares = np.random.default_rng(7).random((16, 3))
    assert run_swap_p(shares, shares, lambda s: s.mean(axis=(-2, -1)), seed=1) == 1.0


def test_runs_that_cannot_be_swapped_are_refused() -> None:
    def mean(shares: np.ndarray) -> np.ndarray:
        return np.asarray(shares.mean(axis=-1))

    with pytest.raises(ValueError, match=r"\(16,\) and \(8,\).*same profiles"):
        run_swap_p(np.ones(16), np.ones(8), mean, seed=1)
    with pytest.raises(ValueError, match="inf"):
        run_swap_p(np.ones(4), np.full(4, math.inf), mean, seed=1)


def test_p_values_are_uniform_when_runs_are_alike() -> None:
    generator = np.random.default_rng(8)
    found = []
    for n in range(300):
        # Outputs of a profile resemble each other in both runs.
        both = generator.normal(size=(32, 1)) + generator.normal(size=(2, 32, 5))
        found.append(run_swap_p(*both, lambda s: s.mean(axis=(-2, -1)), permutations=199, seed=n))
    assert kstest(found, "uniform").pvalue > 0.001
    assert 0.015 < np.mean(np.array(found) <= 0.05) < 0.1


def mean_share(shares: np.ndarray) -> np.ndarray:
    return np.asarray(shares.mean(axis=-1))


def against_nulls(run: np.ndarray, nulls: np.ndarray, *, seed: int) -> float:
    return null_swap_p(
        run, list(nulls), mean_share, alternative="greater", permutations=199, seed=seed
    )


def test_a_run_must_be_beyond_every_one_of_its_null_adapters() -> None:
    generator = np.random.default_rng(3)
    nulls = generator.uniform(0, 0.2, (5, 16))
    run = nulls.mean(axis=0) + 0.5
    assert against_nulls(run, nulls, seed=1) <= 0.01
    # One null adapter that does as well as the run says that labels aren't needed for it.
    nulls[3] = run + generator.normal(0, 0.01, 16)
    assert against_nulls(run, nulls, seed=1) > 0.1
    # The p is one-sided: a run that is worse has no small one.
    assert against_nulls(run - 1, nulls, seed=1) > 0.9


def test_adapters_that_differ_for_no_reason_pass_as_seldom_as_one_is_the_best_of_six() -> None:
    # Each adapter has a level of its own in all profiles; the run is one more of them.
    largest, pooled = [], []
    for n in range(300):
        generator = np.random.default_rng(n)
        shares = generator.normal(0.3, 0.1, (6, 1)) + generator.normal(0, 0.05, (6, 16))
        run, nulls = shares[0], shares[1:]
        largest.append(against_nulls(run, nulls, seed=n))
        pooled.append(
            run_swap_p(
                run,
                nulls.mean(axis=0),
                mean_share,
                alternative="greater",
                permutations=199,
                seed=n,
            )
        )
    assert np.mean(np.array(largest) <= 0.05) < 1 / 6 + 3 * math.sqrt(5 / 36 / 300)
    # Against their mean, chance differences of adapters would pass for an effect of the labels.
    assert np.mean(np.array(pooled) <= 0.05) > 0.35
