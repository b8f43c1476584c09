"""Whether permutation p-values are what they say, on respondents without any signal."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import kstest

from mimic.stats.permutation import hit_counts, permutation_p, permuted_hits
from mimic.traits import balanced_profiles, design_matrix


class Uniformity(NamedTuple):
    """Permutation p-values of respondents without any signal.

    Attributes
    ----------
    randomised
        p of the Kolmogorov-Smirnov test of the randomised p-values against the uniform
        distribution.
    share
        Share of p-values up to 0.05.
    """

    randomised: float
    share: float


def permutation_uniformity(
    *,
    profiles: int = 16,
    outputs: int = 12,
    simulations: int = 500,
    permutations: int = 999,
    seed: int = 1,
) -> Uniformity:
    """Whether p of random respondents is uniform.

    A respondent draws a decision for each profile and trait, and each of the profile's outputs
    deviates from it with a probability of one in ten. Exact matches are whole numbers, so that
    p-values come in steps; with ties counted by a random share of them they are exactly uniform if
    the test is right (Cox & Hinkley 1974, Theoretical statistics, 99-100).

    Parameters
    ----------
    profiles, outputs
        Profiles, and outputs of each.
    simulations, permutations
        Respondents, and permutations for each.
    seed
        Of all of them.
    """
    generator = np.random.default_rng(seed)
    targets = design_matrix(balanced_profiles(profiles)) > 0
    blocks = np.repeat(np.arange(profiles), outputs)
    found, randomised = np.empty(simulations), np.empty(simulations)
    for n in range(simulations):
        own = generator.random(targets.shape) < 0.5
        decisions = own[blocks] ^ (generator.random((len(blocks), targets.shape[1])) < 0.1)
        counts = hit_counts(decisions, blocks, targets)
        found[n] = permutation_p(counts, permutations=permutations, seed=n)
        hits = permuted_hits(counts, permutations=permutations, seed=n)
        more, ties = (hits > np.trace(counts)).sum(), (hits == np.trace(counts)).sum()
        randomised[n] = (more + generator.random() * (1 + ties)) / (1 + permutations)
    return Uniformity(
        randomised=float(kstest(randomised, "uniform").pvalue), share=float((found <= 0.05).mean())
    )


def constant_p(*, profiles: int = 16, permutations: int = 999, seed: int = 1) -> np.ndarray:
    """Permutation p of each of the 32 respondents that always decide alike, shape (32,)."""
    targets = design_matrix(balanced_profiles(profiles)) > 0
    every = design_matrix(balanced_profiles(32)) > 0
    counts = [
        hit_counts(np.tile(row, (profiles, 1)), np.arange(profiles), targets) for row in every
    ]
    return np.array([permutation_p(one, permutations=permutations, seed=seed) for one in counts])
