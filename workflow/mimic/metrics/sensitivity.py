"""The main figures under other choices: cuts, argmax, agreement taken out, low mass left out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mimic.metrics.answers import Answers
from mimic.stats.coherence import togetherness, trait_correlations, trait_residuals
from mimic.stats.fidelity import auc, average_forms, trait_scores
from mimic.stats.published import relative_reduction, sd_over_items, sd_over_profiles
from mimic.stats.sensitivity import argmax_scores, corrected_for_agreement
from mimic.traits import TRAITS

LEAST_MASS = 0.5


def sensitivity_figures(answers: Answers, *, cut: np.ndarray) -> dict[str, Any]:
    """Exact match and mean AUC with scores made otherwise; None with a reason where it can't be.

    Parameters
    ----------
    answers
        A run's answers in one context.
    cut
        Of each trait, shape (5,).
    """
    keyed = np.array([item.keyed == "plus" for item in answers.items])
    figures = {"argmax": _fit(argmax_scores(answers.options, keyed), answers, cut)}
    try:
        corrected = corrected_for_agreement(answers.raw, answers.item_traits, keyed)
    except ValueError as error:
        figures["agreement_corrected"] = {"reason": str(error)}
    else:
        figures["agreement_corrected"] = _fit(corrected, answers, cut)
    low = answers.mass < LEAST_MASS
    figures["low_mass_left_out"] = {"left_out": float(low.mean())}
    if not low.any():
        figures["low_mass_left_out"] |= _fit(answers.y, answers, cut)
    elif _all_traits_left(~low, answers):
        figures["low_mass_left_out"] |= _fit(np.where(low, np.nan, answers.y), answers, cut)
    else:
        figures["low_mass_left_out"]["reason"] = "a trait would be left without answers"
    return figures


def published_figures(answers: Answers, base: Answers | None) -> dict[str, Any]:
    """The reference study's spreads under their own names, and their reductions from the base."""
    own, other = _published(answers), None if base is None else _published(base)
    return {
        name: {
            "spread": dict(zip(TRAITS, values.tolist(), strict=True)),
            "reduction": None
            if other is None
            else {
                trait: _finite(value)
                for trait, value in zip(
                    TRAITS, relative_reduction(values, other[name]).tolist(), strict=True
                )
            },
        }
        for name, values in own.items()
    }


def coherence_figures(answers: Answers, *, cut: np.ndarray) -> dict[str, Any]:
    """Whether a profile hangs together.

    Parameters
    ----------
    answers
        A run's answers for targets.
    cut
        Of each trait, shape (5,).
    """
    scores = trait_scores(answers.y, answers.item_traits)[0]
    fits = (scores >= cut) == answers.targets[:, None]
    together = togetherness(fits)
    raw = trait_correlations(scores.mean(axis=1))
    residual = trait_correlations(trait_residuals(scores, answers.design))
    return {
        "observed": float(together.observed),
        "independent": float(together.independent),
        "correlations": [[_finite(r) for r in row] for row in raw.tolist()],
        "residual_correlations": [[_finite(r) for r in row] for row in residual.tolist()],
    }


def _published(answers: Answers) -> dict[str, np.ndarray]:
    scores = trait_scores(answers.y, answers.item_traits)[0]
    return {
        "sd_over_profiles": sd_over_profiles(scores),
        "sd_over_items": sd_over_items(answers.y, answers.item_traits),
    }


def _fit(y: np.ndarray, answers: Answers, cut: np.ndarray) -> dict[str, Any]:
    """Exact match and mean AUC of item scores; a NaN is left out of its trait's mean."""
    traits = answers.item_traits
    scores = np.stack([np.nanmean(y[:, :, traits == t], axis=2) for t in range(5)], axis=2)
    scores = np.round(scores, 9)
    averaged = average_forms(scores[None])[0]
    areas = [auc(averaged[None, :, t], answers.targets[:, t])[0] for t in range(5)]
    match = ((scores >= cut) == answers.targets[:, None]).all(axis=2).mean()
    return {"exact_match": float(match), "mean_auc": _finite(float(np.mean(areas)))}


def _all_traits_left(kept: np.ndarray, answers: Answers) -> bool:
    traits = answers.item_traits
    return all(bool(kept[:, :, traits == t].any(axis=2).all()) for t in range(5))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
