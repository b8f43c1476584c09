"""Permutation tests: exact match against chance, paired contrasts, and two runs.

All p-values of a part of the permutations are ``(1 + b) / (1 + B)``, b of B permutations being at
least as extreme as what was observed (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9,
art. 39).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from scipy.stats import permutation_test

Alternative = Literal["greater", "less", "two-sided"]

# Permuted figures this close are the same but for rounding: they are rounded before they meet.
_DECIMALS = 9
# Permutations that are held in memory at once.
_BATCH = 1000


def hit_counts(decisions: np.ndarray, blocks: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """How many outputs of each block would fit each target.

    Parameters
    ----------
    decisions
        High (True) or low for each output and trait, shape (outputs, 5).
    blocks
        The profile that each output was made for, as a row of `targets`, shape (outputs,).
    targets
        The target vectors, boolean, shape (profiles, 5).

    Returns
    -------
    numpy.ndarray
        Counts, shape (profiles, profiles): row = block, column = target. The trace is the number
        of exact matches.
    """
    bits = 2 ** np.arange(targets.shape[1])
    fits = (decisions @ bits)[:, None] == (targets @ bits)[None, :]
    counts = np.zeros((len(targets), len(targets)), dtype=np.int64)
    np.add.at(counts, blocks, fits)
    return counts


def permutation_p(counts: np.ndarray, *, permutations: int = 9999, seed: int) -> float:
    """One-sided permutation p-value of the exact match.

    The target vectors are permuted over the blocks, so that all forms, items and texts of a
    profile move together.

    Parameters
    ----------
    counts
        What `hit_counts` gave, shape (profiles, profiles).
    permutations
        B, the number of permutations.
    seed
        Seed of the permutations.
    """
    hits = permuted_hits(counts, permutations=permutations, seed=seed)
    return float((1 + np.count_nonzero(hits >= np.trace(counts))) / (1 + permutations))


def permuted_hits(counts: np.ndarray, *, permutations: int, seed: int) -> np.ndarray:
    """The exact matches under permuted targets, shape (permutations,); see `permutation_p`."""
    rows = np.arange(len(counts))
    orders = np.random.default_rng(seed).permuted(np.tile(rows, (permutations, 1)), axis=1)
    return np.asarray(counts[rows, orders].sum(axis=1))


def sign_flip_p(
    contrasts: np.ndarray,
    *,
    alternative: Alternative = "two-sided",
    permutations: int = 9999,
    seed: int,
) -> float:
    """Sign-flip test of paired contrasts, such as aligned minus uncensored of one base.

    Where a contrast is as likely as its opposite, all patterns of signs are equally likely
    (Fisher's randomisation test for pairs). The statistic is the mean; all 2ⁿ patterns are taken
    where there are no more than `permutations`, otherwise that many at random.

    Parameters
    ----------
    contrasts
        One difference for each pair, shape (n,).
    alternative
        Whether the mean is above 0, below 0, or either.
    permutations
        B.
    seed
        Seed of random patterns.

    Returns
    -------
    float
        p; at least 2⁻ⁿ, or twice that if two-sided: six pairs can't give less than 1/32.

    Raises
    ------
    ValueError
        If there are fewer than two contrasts, or one is not a finite number.
    """
    contrasts = np.asarray(contrasts, dtype=np.float64)
    if contrasts.size < 2 or not np.isfinite(contrasts).all():
        raise ValueError(
            f"contrasts {contrasts.tolist()}: the sign-flip test needs at least two pairs, and a "
            "finite number for each; leave out pairs that were not run"
        )
    return _p(
        (contrasts,),
        lambda flipped, axis: np.round(flipped.mean(axis=axis), _DECIMALS),
        alternative=alternative,
        permutations=permutations,
        seed=seed,
    )


def run_swap_p(
    first: np.ndarray,
    second: np.ndarray,
    figure: Callable[[np.ndarray], np.ndarray],
    *,
    alternative: Alternative = "two-sided",
    permutations: int = 9999,
    seed: int,
) -> float:
    """Do two runs differ? Their labels are swapped within profiles.

    If the runs were alike, each profile's outputs could as well have come from the other run; all
    forms, items, texts and seeds of a profile move together. All 2ⁿ swaps are taken where there
    are no more than `permutations`, otherwise that many at random.

    Parameters
    ----------
    first, second
        What each run's figure is computed from, by profile, in the same order of profiles: shape
        (profiles, …), such as the share of hits of each profile, or
        `mimic.stats.stability.profile_parts`.
    figure
        The figure of runs put together from these, of shape (swaps, profiles, …) → (swaps,).
    alternative
        Whether the first run's figure is greater, less, or either.
    permutations
        B.
    seed
        Seed of random swaps.

    Raises
    ------
    ValueError
        If the runs have different shapes, or the figure of either is not a finite number.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"the runs have {first.shape} and {second.shape} values; labels can be swapped only "
            "between runs of the same profiles"
        )
    outputs = np.concatenate([first, second])
    own, other = float(figure(first[None])[0]), float(figure(second[None])[0])
    if not np.isfinite([own, other]).all():
        raise ValueError(f"the runs' figures are {own} and {other}; both must be finite")

    def difference(of_first: np.ndarray, of_second: np.ndarray, axis: int) -> np.ndarray:
        # scipy moves the numbers of profiles, these their outputs.
        chosen = [
            np.moveaxis(numbers, axis, -1).astype(np.intp) for numbers in (of_first, of_second)
        ]
        figures = [
            figure(outputs[numbers.reshape(-1, len(first))]).reshape(numbers.shape[:-1])
            for numbers in chosen
        ]
        return np.round(figures[0] - figures[1], _DECIMALS)

    numbers = np.arange(len(outputs))
    return _p(
        (numbers[: len(first)], numbers[len(first) :]),
        difference,
        alternative=alternative,
        permutations=permutations,
        seed=seed,
    )


def null_swap_p(
    run: np.ndarray,
    nulls: Sequence[np.ndarray],
    figure: Callable[[np.ndarray], np.ndarray],
    *,
    alternative: Alternative,
    permutations: int = 9999,
    seed: int,
) -> float:
    """Does a run differ from every one of its null adapters? The largest p of `run_swap_p`.

    Swapping labels within profiles asks whether two adapters behave alike, and two trainings on
    permuted labels needn't: pooled null adapters would let that pass for an effect of the labels.
    The largest p is small only where the run is beyond each of them (an intersection-union test,
    Berger 1982, Technometrics 24, 295-300).

    Parameters
    ----------
    run, nulls
        What figures are computed from, by profile, of the run and of each null adapter.
    figure, alternative, permutations, seed
        See `run_swap_p`.
    """
    return max(
        run_swap_p(run, null, figure, alternative=alternative, permutations=permutations, seed=seed)
        for null in nulls
    )


def _p(
    samples: tuple[np.ndarray, ...],
    statistic: Callable[..., np.ndarray],
    *,
    alternative: Alternative,
    permutations: int,
    seed: int,
) -> float:
    found = permutation_test(
        samples,
        statistic,
        permutation_type="samples",
        vectorized=True,
        n_resamples=permutations,
        batch=_BATCH,
        alternative=alternative,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)
