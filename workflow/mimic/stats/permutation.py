"""Is an exact match better than chance? The targets are permuted over the blocks of outputs."""

from __future__ import annotations

import numpy as np


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
    profile move together; ``p = (1 + b) / (1 + B)``, b being the number of permutations with at
    least the observed hits (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9, art. 39).

    Parameters
    ----------
    counts
        What `hit_counts` gave, shape (profiles, profiles).
    permutations
        B, the number of permutations.
    seed
        Seed of the permutations.
    """
    rows = np.arange(len(counts))
    orders = np.random.default_rng(seed).permuted(np.tile(rows, (permutations, 1)), axis=1)
    hits = counts[rows, orders].sum(axis=1)
    return float((1 + np.count_nonzero(hits >= np.trace(counts))) / (1 + permutations))
