"""How well a judge reads essays whose profiles are known.

The intervals take the judge as given: they say what other essays would have done to the figure, not
what a judge trained on other essays would have done.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from mimic.stats.bootstrap import resample_within
from mimic.stats.intervals import Estimate, drawn_share, wilson
from mimic.traits import TRAITS

DRAWS = 2000


def reading_figure(
    *,
    high: np.ndarray,
    probabilities: np.ndarray,
    clusters: np.ndarray,
    folds: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    """Accuracy, AUC and exact match, as JSON values.

    Parameters
    ----------
    high
        Labels, boolean, shape (essays, 5).
    probabilities
        The judge's probabilities of high, shape (essays, 5); high is decided from 0.5 up.
    clusters
        Cluster of each essay, shape (essays,).
    folds
        Which judge read an essay, shape (essays,). AUC compares only essays read by one judge.
    seed
        Of the bootstrap of `mean_accuracy`.
    """
    hits = (probabilities >= 0.5) == high
    return {
        "accuracy": {
            trait: wilson(hits=int(right.sum()), n=len(right)).as_dict()
            for trait, right in zip(TRAITS, hits.T, strict=True)
        },
        "mean_accuracy": mean_accuracy(hits, clusters, seed=seed).as_dict(),
        "auc": {
            trait: auc(high[:, index], probabilities[:, index], folds).as_dict()
            for index, trait in enumerate(TRAITS)
        },
        "exact_match": wilson(hits=int(hits.all(axis=1).sum()), n=len(hits)).as_dict(),
    }


def mean_accuracy(hits: np.ndarray, clusters: np.ndarray, *, seed: int) -> Estimate:
    """Share of right decisions over all traits; rescaled bootstrap of whole clusters.

    Wilson's interval would take the five decisions about one essay for independent. The draws give
    a variance, and the interval is `drawn_share`'s (decision 0007); where all clusters have the
    same share right, it is Wilson's with clusters as trials.

    Parameters
    ----------
    hits
        Whether a decision is right, shape (essays, 5).
    clusters
        Cluster of each essay, shape (essays,).
    seed
        Of the 2,000 draws.
    """
    names, cluster = np.unique(clusters, return_inverse=True)
    right = np.bincount(cluster, weights=hits.mean(axis=1))
    size = np.bincount(cluster)
    weights = resample_within(
        range(len(names)),
        [0] * len(names),
        draws=DRAWS,
        generator=np.random.default_rng(seed),
    )
    return drawn_share(
        float(hits.mean()),
        weights @ right / (weights @ size),
        n=len(hits),
        trials=len(names),
        unit="clusters",
        interval="cluster bootstrap",
        freedom=max(len(names) - 1, 1),
    )


def majority_accuracy(learned: np.ndarray, read: np.ndarray) -> dict[str, float]:
    """Accuracy, by trait, of always saying the more frequent label.

    Parameters
    ----------
    learned
        Labels that say which one is more frequent, boolean, shape (essays, 5); a tie says high.
    read
        Labels that are guessed, boolean, shape (essays, 5).
    """
    said = learned.mean(axis=0) >= 0.5
    return dict(zip(TRAITS, (read == said).mean(axis=0).tolist(), strict=True))


def auc(
    high: np.ndarray, scores: np.ndarray, folds: np.ndarray, *, level: float = 0.95
) -> Estimate:
    """Chance that a high essay scores above a low one of the same fold, ties counting half.

    Pairs from different folds are left out: their judges had different intercepts, which pulls the
    AUC of pooled folds below 0.5 where there is no signal. The interval is method 5 of Newcombe
    (2006, Statistics in Medicine 25, 559-573), a score interval on the variance of Hanley and
    McNeil (1982), with folds as independent strata weighted by their pairs.

    Parameters
    ----------
    high, scores, folds
        Shape (essays,).
    level
        Coverage of the interval.

    Returns
    -------
    Estimate
        Its value is None, with a reason, where no fold has both levels.
    """
    won, pairs, sizes = 0.0, 0, []
    for fold in np.unique(folds):
        above, below = scores[high & (folds == fold)], scores[~high & (folds == fold)]
        difference = above[:, None] - below[None, :]
        won += float((difference > 0).sum() + 0.5 * (difference == 0).sum())
        pairs += difference.size
        if difference.size:
            sizes.append((len(above), len(below)))
    if pairs == 0:
        return Estimate(
            value=None,
            low=None,
            high=None,
            interval="newcombe",
            n=len(high),
            reason="no high and low essays to compare",
        )
    value = won / pairs
    z = float(norm.ppf(0.5 + level / 2))
    return Estimate(
        value=value,
        low=_score_bound(value, sizes, z),
        high=1 - _score_bound(1 - value, sizes, z),
        interval="newcombe",
        n=len(high),
    )


def _score_bound(value: float, sizes: list[tuple[int, int]], z: float) -> float:
    """The θ below `value` with value − θ = z SE(θ)."""
    if value <= 0:
        return 0.0
    pairs = sum(m * n for m, n in sizes)

    def excess(theta: float) -> float:
        shape = (1 - theta) / (2 - theta) + theta / (1 + theta)
        # Each stratum's variance times its squared weight m n / pairs.
        factor = sum(m * n * (1 + ((m + n) / 2 - 1) * shape) for m, n in sizes) / pairs**2
        return value - theta - z * float(np.sqrt(theta * (1 - theta) * factor))

    # At 1 the standard error is 0, so that 1 itself would pass for the bound.
    return float(brentq(excess, 0.0, min(value, 1 - 1e-9)))
