"""The main figures under other choices: argmax, agreement taken out, low mass left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from mimic.metrics.answers import Answers
from mimic.metrics.stability import by_trait, finite, signal_of
from mimic.stats.coherence import (
    PEOPLE,
    congruence,
    togetherness,
    trait_correlations,
    trait_residuals,
)
from mimic.stats.fidelity import auc, average_forms, fits, trait_scores
from mimic.stats.published import relative_reduction, sd_over_items, sd_over_profiles
from mimic.stats.sensitivity import (
    LEAST_MASS,
    argmax_scores,
    corrected_for_agreement,
    spread_of_present,
)
from mimic.stats.stability import Stability
from mimic.traits import TRAITS


def sensitivity_figures(answers: Answers, *, cut: np.ndarray) -> dict[str, Any]:
    """Exact match, mean AUC, S, B and S/|B| with scores made otherwise, or why they can't be.

    An answer without any mass decides nothing, as in the main figures.

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
            "spread": {
                trait: finite(value) for trait, value in zip(TRAITS, values.tolist(), strict=True)
            },
            "reduction": None
            if other is None
            else {
                trait: finite(value)
                for trait, value in zip(
                    TRAITS, relative_reduction(values, other[name]).tolist(), strict=True
                )
            },
        }
        for name, values in own.items()
    }


def coherence_figures(answers: Answers, *, cut: np.ndarray) -> dict[str, Any]:
    """Whether a profile hangs together, and whether its traits go together as people's do.

    Parameters
    ----------
    answers
        A run's answers for targets.
    cut
        Of each trait, shape (5,).
    """
    decided = trait_scores(answers.decided, answers.item_traits)[0]
    together = togetherness(fits(decided, cut, answers.targets[:, None]))
    scores = trait_scores(answers.y, answers.item_traits)[0]
    raw = trait_correlations(scores.mean(axis=1))
    residual = trait_correlations(trait_residuals(scores, answers.design))
    return {
        "observed": float(together.observed),
        "independent": float(together.independent),
        "correlations": [[finite(r) for r in row] for row in raw.tolist()],
        "residual_correlations": [[finite(r) for r in row] for row in residual.tolist()],
        "congruence": finite(congruence(raw, PEOPLE)),
        "residual_congruence": finite(congruence(residual, PEOPLE)),
    }


def _published(answers: Answers) -> dict[str, np.ndarray]:
    scores = trait_scores(answers.y, answers.item_traits)[0]
    return {
        "sd_over_profiles": sd_over_profiles(scores),
        "sd_over_items": sd_over_items(answers.y, answers.item_traits),
    }


def _fit(y: np.ndarray, answers: Answers, cut: np.ndarray) -> dict[str, Any]:
    """The figures of item scores; a NaN is left out of its trait's mean and of S.

    As in the main figures, an answer without any mass has no part in decisions and AUC, and is
    the middle in S and B.
    """
    traits = answers.item_traits
    decided = trait_scores(answers.as_decided(y), traits)
    areas = [auc(average_forms(decided)[:, :, t], answers.targets[:, t])[0] for t in range(5)]
    match = fits(decided[0], cut, answers.targets[:, None]).all(axis=2).mean()
    averaged = average_forms(trait_scores(y, traits))[0]
    found = Stability(spread_of_present(y, traits), signal_of(averaged, answers))
    return {
        "exact_match": float(match),
        "mean_auc": finite(float(np.mean(areas))),
        "stability": by_trait(found),
    }


def _all_traits_left(kept: np.ndarray, answers: Answers) -> bool:
    traits = answers.item_traits
    return all(bool(kept[:, :, traits == t].any(axis=2).all()) for t in range(5))
