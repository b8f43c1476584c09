"""How well answers and texts fit their target profile: exact match, accuracy, AUC."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

# Scores are rounded before they meet a cut or each other: a mean that is 3 in exact arithmetic
# must count as 3, and equal answers as ties.
_DECIMALS = 9


class AnswerFidelity(NamedTuple):
    """Fit of questionnaire answers to the target in each draw.

    Attributes
    ----------
    exact_match
        Share of profile × form cells whose five decisions all fit, shape (draws,).
    exact_match_averaged
        Share of profiles whose five decisions fit with T averaged over forms, shape (draws,).
    accuracy
        Share of cells whose decision on a trait fits, shape (draws, 5).
    auc
        Separation of high and low profiles by T averaged over forms, shape (draws, 5); NaN
        without one of them, or where a profile has no T.
    """

    exact_match: np.ndarray
    exact_match_averaged: np.ndarray
    accuracy: np.ndarray
    auc: np.ndarray


class TextFidelity(NamedTuple):
    """Fit of texts to the target in each draw: the same with texts for cells.

    Attributes
    ----------
    exact_match
        Shape (draws,).
    accuracy, auc
        Shape (draws, 5).
    """

    exact_match: np.ndarray
    accuracy: np.ndarray
    auc: np.ndarray


def trait_scores(
    y: np.ndarray, item_traits: np.ndarray, *, item_weights: np.ndarray | None = None
) -> np.ndarray:
    """T = Σ w y / Σ w over a trait's items.

    Parameters
    ----------
    y
        Item scores from 1 to 5, NaN for no answer, which is left out, shape (profiles, forms,
        items).
    item_traits
        Each item's trait, 0 to 4, shape (items,).
    item_weights
        Weights, not negative, shape (draws, items); without them every item counts once.

    Returns
    -------
    numpy.ndarray
        T, shape (draws, profiles, forms, 5), rounded to nine decimals; NaN for a trait without
        answers.
    """
    weights = np.ones((1, y.shape[2])) if item_weights is None else item_weights
    answered = ~np.isnan(y)
    columns = []
    for trait in range(5):
        own = item_traits == trait
        if answered[:, :, own].all():
            mean = weights[:, own] / weights[:, own].sum(axis=1, keepdims=True)
            column = y[:, :, own] @ mean.T
        else:
            total = np.nan_to_num(y[:, :, own]) @ weights[:, own].T
            column = _shares(total, answered[:, :, own] @ weights[:, own].T)
        columns.append(np.moveaxis(column, -1, 0))
    return np.round(np.stack(columns, axis=-1), _DECIMALS)


def average_forms(scores: np.ndarray, *, form_weights: np.ndarray | None = None) -> np.ndarray:
    """T averaged over forms, shape (draws, profiles, 5); NaN where no form has one.

    Parameters
    ----------
    scores
        T, shape (draws, profiles, forms, 5); NaN, which is left out, for a trait without answers.
    form_weights
        Weights, not negative, shape (draws, forms); without them every form counts once.
    """
    weights = np.ones((len(scores), scores.shape[2])) if form_weights is None else form_weights
    mean = weights / weights.sum(axis=1, keepdims=True)
    known = ~np.isnan(scores)
    averaged: np.ndarray = np.einsum("dpft,df->dpt", np.nan_to_num(scores), mean, optimize=True)
    if not known.all():
        averaged = _shares(averaged, np.einsum("dpft,df->dpt", known, mean, optimize=True))
    return np.round(averaged, _DECIMALS)


def _shares(totals: np.ndarray, of: np.ndarray) -> np.ndarray:
    """The one divided by the other; NaN by 0."""
    return np.divide(totals, of, out=np.full(totals.shape, math.nan), where=of > 0)


def auc(scores: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Area under the ROC curve: P(high > low) + ½ P(high = low).

    The Mann-Whitney statistic over its maximum (Hanley & McNeil 1982, Radiology 143, 29-36).

    Parameters
    ----------
    scores
        Shape (draws, outputs).
    high
        Whether an output's target is high, boolean, shape (outputs,).

    Returns
    -------
    numpy.ndarray
        Shape (draws,); NaN if all targets are high or all are low, or an output has no score.
    """
    if high.all() or not high.any():
        return np.full(len(scores), math.nan)
    difference = scores[:, high][:, :, None] - scores[:, ~high][:, None, :]
    return np.asarray((np.sign(difference).mean(axis=(1, 2)) + 1) / 2)


def answer_fidelity(
    y: np.ndarray,
    item_traits: np.ndarray,
    targets: np.ndarray,
    *,
    cut: float | np.ndarray,
    item_weights: np.ndarray | None = None,
    form_weights: np.ndarray | None = None,
) -> AnswerFidelity:
    """Fit of questionnaire answers: a decision is high where T ≥ `cut`.

    Exact match and accuracy are shares of profile × form cells; the AUC is that of T averaged
    over forms, high against low profiles. A trait without answers has no decision, which never
    fits.

    Parameters
    ----------
    y
        Item scores from 1 to 5, NaN for no answer, shape (profiles, forms, items).
    item_traits
        Each item's trait, 0 to 4, shape (items,).
    targets
        High (True) or low, shape (profiles, 5).
    cut
        On the scale of y; one for all traits, or one for each, shape (5,).
    item_weights, form_weights
        Weights, not negative, shapes (draws, items) and (draws, forms); without them all count
        once.
    """
    profiles, forms, items = y.shape
    item_weights = np.ones((1, items)) if item_weights is None else item_weights
    form_weights = np.ones((1, forms)) if form_weights is None else form_weights
    # In parts, so that the array of all draws' scores need not fit into memory.
    part = max(1, 2_000_000 // (profiles * forms * 5))
    parts = []
    for start in range(0, len(item_weights), part):
        chosen = slice(start, start + part)
        scores = trait_scores(y, item_traits, item_weights=item_weights[chosen])
        weights = form_weights[chosen]
        share = weights / weights.sum(axis=1, keepdims=True)
        of_cells = fits(scores, cut, targets[:, None, :])
        averaged = average_forms(scores, form_weights=weights)
        of_profiles = fits(averaged, cut, targets)
        parts.append(
            AnswerFidelity(
                exact_match=(of_cells.all(axis=3).mean(axis=1) * share).sum(axis=1),
                exact_match_averaged=of_profiles.all(axis=2).mean(axis=1),
                accuracy=(of_cells.mean(axis=1) * share[:, :, None]).sum(axis=1),
                auc=np.stack([auc(averaged[:, :, t], targets[:, t]) for t in range(5)], axis=1),
            )
        )
    return AnswerFidelity(*(np.concatenate(field) for field in zip(*parts, strict=True)))


def fits(scores: np.ndarray, cut: float | np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Whether each decision, high where T ≥ `cut`, is that of the target; no decision never is.

    Parameters
    ----------
    scores
        T, NaN for no decision, shape (…, 5).
    cut
        One for all traits, or one for each, shape (5,).
    targets
        High (True) or low, of a shape that broadcasts with that of the scores.
    """
    return np.asarray(((scores >= cut) == targets) & ~np.isnan(scores))


def text_fidelity(
    probabilities: np.ndarray, targets: np.ndarray, *, weights: np.ndarray | None = None
) -> TextFidelity:
    """Fit of texts as a judge reads them: a decision is high where its probability is ≥ 0.5.

    Parameters
    ----------
    probabilities
        The judge's probability of high, shape (texts, 5).
    targets
        High (True) or low for each text and trait, shape (texts, 5).
    weights
        Weights, not negative, shape (draws, texts); without them every text counts once. The AUC
        compares texts with a high target with texts with a low one.
    """
    weights = np.ones((1, len(probabilities))) if weights is None else weights
    share = weights / weights.sum(axis=1, keepdims=True)
    fits = (probabilities >= 0.5) == targets
    areas = np.stack(
        [_weighted_auc(probabilities[:, t], targets[:, t], weights) for t in range(5)], axis=1
    )
    return TextFidelity(exact_match=share @ fits.all(axis=1), accuracy=share @ fits, auc=areas)


def _weighted_auc(scores: np.ndarray, high: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`auc` of the same scores, shape (outputs,), under the weights of each draw."""
    if high.all() or not high.any():
        return np.full(len(weights), math.nan)
    wins = (np.sign(scores[high][:, None] - scores[~high][None, :]) + 1) / 2
    of_high, of_low = weights[:, high], weights[:, ~high]
    won = ((of_high @ wins) * of_low).sum(axis=1)
    pairs = of_high.sum(axis=1) * of_low.sum(axis=1)
    undefined = np.full(len(weights), math.nan)
    return np.asarray(np.divide(won, pairs, out=undefined, where=pairs > 0))
