"""Logistic regressions of the five traits, and the cross-validation that chooses among them.

All folds keep a cluster of essays (one author, near-duplicates) together. Terms are weighted anew
within each training part, and the figure that is reported comes from nested cross-validation: in
each outer fold the choice of features and C, and the calibration, are made again without it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from mimic.judge.features import Matrix, inverse_document_frequency, weigh_terms
from mimic.judge.settings import Features, JudgeSettings
from mimic.traits import TRAITS

# With fewer essays Platt's two parameters are noisier than the miscalibration that they mend.
CALIBRATION_ESSAYS = 200


@dataclass(frozen=True)
class Corpus:
    """Essays that a judge learns from.

    Attributes
    ----------
    features
        By kind: ``tfidf`` has counts of terms, shape (essays, terms); ``minilm`` has embeddings,
        shape (essays, 384).
    high
        Labels, boolean, shape (essays, 5).
    clusters
        Cluster of each essay, shape (essays,).
    """

    features: Mapping[Features, Matrix]
    high: np.ndarray
    clusters: np.ndarray

    def rows(self, chosen: np.ndarray) -> Corpus:
        """The essays that `chosen` (a mask or indices) names."""
        features = {kind: matrix[chosen] for kind, matrix in self.features.items()}
        return Corpus(features, self.high[chosen], self.clusters[chosen])


class Candidate(NamedTuple):
    """Features and C with their cross-validated accuracy, mean over traits."""

    features: Features
    c: float
    mean_accuracy: float


@dataclass(frozen=True)
class Classifier:
    """A fitted classifier of the five traits.

    Attributes
    ----------
    features, c
        What was chosen.
    idf
        Weight of each term, shape (terms,); empty for embeddings.
    coefficients, intercepts
        Shapes (5, columns) and (5,); the calibration is folded into them.
    calibrated
        For each trait, whether Platt's calibration was used.
    selection
        All candidates, with the accuracy that the choice was made by (it is optimistic).
    """

    features: Features
    c: float
    idf: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray
    calibrated: tuple[bool, ...]
    selection: tuple[Candidate, ...]

    def probabilities(self, matrix: Matrix) -> np.ndarray:
        """Probability of high, shape (texts, 5), from counts of terms or embeddings."""
        weighted = _weigh(matrix, self.idf)
        return np.asarray(expit(weighted @ self.coefficients.T + self.intercepts))


def train_classifier(corpus: Corpus, settings: JudgeSettings) -> Classifier:
    """Choose features and C by grouped cross-validation in `corpus` and fit them on all of it.

    Equal accuracies go to the smaller C, then to the features that the settings name first. With at
    least 200 essays each trait's log-odds are calibrated on its out-of-fold scores (Platt 1999),
    unless their slope isn't positive.

    Raises
    ------
    ValueError
        If no term is shared by two essays.
    """
    folds = assign_folds(corpus, settings)
    grid = list(itertools.product(sorted(settings.c_values), settings.features))
    scores = {
        (c, kind): values
        for kind in settings.features
        for c, values in _out_of_fold(corpus, folds, kind, settings.c_values).items()
    }
    selection = tuple(
        Candidate(kind, c, float(np.mean((scores[c, kind] >= 0) == corpus.high)))
        for c, kind in grid
    )
    best = max(selection, key=lambda candidate: candidate.mean_accuracy)

    matrix = corpus.features[best.features]
    idf = _idf(matrix)
    coefficients, intercepts = _fit(_weigh(matrix, idf), corpus.high, best.c)
    calibrated = []
    for trait in range(len(TRAITS)):
        slope, offset = 1.0, 0.0
        if len(corpus.high) >= CALIBRATION_ESSAYS:
            slope, offset = platt(scores[best.c, best.features][:, trait], corpus.high[:, trait])
        calibrated.append((slope, offset) != (1.0, 0.0))
        coefficients[trait] *= slope
        intercepts[trait] = slope * intercepts[trait] + offset
    return Classifier(
        best.features, best.c, idf, coefficients, intercepts, tuple(calibrated), selection
    )


def nested_probabilities(corpus: Corpus, settings: JudgeSettings) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of each essay by a classifier chosen and trained without its fold.

    Returns
    -------
    tuple
        Probabilities of high, shape (essays, 5), and the outer fold of each essay, shape (essays,).

    Raises
    ------
    ValueError
        If a trait has fewer than two clusters of a level.
    """
    check_levels(corpus)
    folds = assign_folds(corpus, settings)
    probabilities = np.empty(corpus.high.shape)
    for fold in np.unique(folds):
        classifier = train_classifier(corpus.rows(folds != fold), settings)
        held_out = corpus.features[classifier.features][folds == fold]
        probabilities[folds == fold] = classifier.probabilities(held_out)
    return probabilities, folds


def check_levels(corpus: Corpus) -> None:
    """Raise ValueError unless each trait has at least two clusters of either level."""
    for trait, high in zip(TRAITS, corpus.high.T, strict=True):
        for level, chosen in (("high", high), ("low", ~high)):
            count = len(np.unique(corpus.clusters[chosen]))
            if count < 2:
                raise ValueError(
                    f"the judge's {len(high)} training essays (role E) have {count} cluster(s) of "
                    f"{level} {trait}; it needs at least 2 of either level. Use a larger corpus, "
                    "or another seed for the split of the essays"
                )


def assign_folds(corpus: Corpus, settings: JudgeSettings) -> np.ndarray:
    """A fold for each essay, shape (essays,): clusters whole, the levels of all traits balanced.

    Clusters go, the largest first and otherwise in an order drawn from the seed, to the fold where
    their levels are rarest so far. There are as many folds as the settings say, or as the rarest
    level has clusters, but at least two.
    """
    names, cluster = np.unique(corpus.clusters, return_inverse=True)
    levels = np.hstack([corpus.high, ~corpus.high]).astype(float)
    content = np.zeros((len(names), levels.shape[1]))
    np.add.at(content, cluster, levels)
    total = content.sum(axis=0)
    present = (content > 0).sum(axis=0)[total > 0]
    count = max(2, min(settings.folds, int(present.min())))

    order = np.random.default_rng(settings.seed).permutation(len(names))
    order = order[np.argsort(-content[order].sum(axis=1), kind="stable")]
    load = np.zeros((count, content.shape[1]))
    fold = np.zeros(len(names), dtype=int)
    for index in order:
        crowding = (load / np.maximum(total, 1)) @ content[index]
        # Rounded, so that the order of a sum does not decide between equals.
        fold[index] = np.lexsort((load.sum(axis=1), crowding.round(9)))[0]
        load[fold[index]] += content[index]
    return fold[cluster]


def platt(scores: np.ndarray, high: np.ndarray) -> tuple[float, float]:
    """Slope and offset that calibrate log-odds (Platt 1999), from out-of-fold `scores`.

    Scores and labels have shape (essays,). (1, 0) where the scores are constant or their slope is
    not positive: calibration must not turn a judge round.
    """
    spread = float(scores.std())
    if spread < 1e-9 or high.all() or not high.any():
        return 1.0, 0.0
    # The light penalty keeps the slope finite where the scores separate the levels.
    model = LogisticRegression(C=1.0).fit(scores[:, None] / spread, high)
    slope = float(model.coef_[0, 0]) / spread
    return (slope, float(model.intercept_[0])) if slope > 0 else (1.0, 0.0)


def deletion_probabilities(deleted: np.ndarray, high: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Out-of-fold probabilities, shape (essays, 5), from the number of masked words alone."""
    probabilities = np.empty(high.shape)
    for fold in np.unique(folds):
        train = folds != fold
        spread = deleted[train].std()
        column = (deleted - deleted[train].mean())[:, None] / (spread if spread > 0 else 1.0)
        coefficients, intercepts = _fit(column[train], high[train], 1.0)
        probabilities[~train] = expit(column[~train] @ coefficients.T + intercepts)
    return probabilities


def _out_of_fold(
    corpus: Corpus, folds: np.ndarray, kind: Features, c_values: tuple[float, ...]
) -> dict[float, np.ndarray]:
    """For each C, the log-odds of each essay by a fit without its fold, shape (essays, 5)."""
    scores = {c: np.empty(corpus.high.shape) for c in c_values}
    matrix = corpus.features[kind]
    for fold in np.unique(folds):
        train = folds != fold
        weighted = _weigh(matrix, _idf(matrix[train]))
        for c in c_values:
            coefficients, intercepts = _fit(weighted[train], corpus.high[train], c)
            scores[c][~train] = weighted[~train] @ coefficients.T + intercepts
    return scores


def _fit(matrix: Matrix, high: np.ndarray, c: float) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients, shape (5, columns), and intercepts, shape (5,)."""
    # Terms without weight cost time and learn nothing.
    sparse = isinstance(matrix, csr_matrix)
    used = np.flatnonzero(matrix.getnnz(axis=0)) if sparse else np.arange(matrix.shape[1])
    columns = matrix[:, used]
    coefficients = np.zeros((len(TRAITS), matrix.shape[1]))
    intercepts = np.zeros(len(TRAITS))
    # Threads cost more than they save on matrices this small, and change the last digits.
    with threadpool_limits(limits=1):
        for trait, levels in enumerate(high.T):
            if levels.all() or not levels.any():
                # A small training part may lack a level: Laplace's rule of succession then.
                intercepts[trait] = np.log(len(levels) + 1) * (1 if levels.all() else -1)
                continue
            model = LogisticRegression(C=c, max_iter=1000).fit(columns, levels)
            coefficients[trait, used] = model.coef_[0]
            intercepts[trait] = model.intercept_[0]
    return coefficients, intercepts


def _idf(matrix: Matrix) -> np.ndarray:
    return inverse_document_frequency(matrix) if isinstance(matrix, csr_matrix) else np.empty(0)


def _weigh(matrix: Matrix, idf: np.ndarray) -> Matrix:
    return weigh_terms(matrix, idf) if isinstance(matrix, csr_matrix) else matrix
