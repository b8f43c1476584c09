"""The figures of one run's answers in one context."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mimic.metrics.answers import Answers
from mimic.metrics.resampling import Resampling
from mimic.metrics.sensitivity import LEAST_MASS, published_figures, sensitivity_figures
from mimic.stats.bootstrap import Draws, crossed_draws
from mimic.stats.crossed import crossed_reduction, crossed_share, crossed_spread
from mimic.stats.fidelity import answer_fidelity, average_forms, trait_scores
from mimic.stats.intervals import Estimate, wilson
from mimic.stats.permutation import hit_counts, permutation_p
from mimic.stats.stability import Stability, more_stable, reduction, shrink, signal, spread
from mimic.traits import TRAITS

_ONE_FORM = "a single form has no spread over forms"


def questionnaire_figures(
    answers: Answers,
    base: Answers | None,
    *,
    cuts: Mapping[str, np.ndarray],
    resampling: Resampling,
) -> dict[str, Any]:
    """All figures of one context.

    Parameters
    ----------
    answers
        The run's answers.
    base
        Those of its untrained model, of the same layout; None where the run is the base itself.
    cuts
        By name, for each trait, shape (5,); the first is the primary one.
    resampling
        Draws, permutations and seed.
    """
    draws = crossed_draws(
        items=answers.items, forms=answers.forms, draws=resampling.draws, seed=resampling.seed
    )
    normalised = answers.options / answers.options.sum(axis=-1, keepdims=True)
    primary, *others = cuts
    return {
        "subjects": len(answers.subjects),
        "profiles": len(set(answers.profiles)),
        "items": len(answers.items),
        "forms": [form._asdict() for form in answers.forms],
        "reworded": float((answers.variants > 0).mean()),
        "mass": {
            "mean": float(answers.mass.mean()),
            "share_below_half": float((answers.mass < LEAST_MASS).mean()),
        },
        "agreement_share": normalised.mean(axis=(0, 1, 2)).tolist(),
        "cut": primary,
        **_fidelity(answers, draws, cuts[primary], resampling),
        "other_cuts": {name: _at_cut(answers, cuts[name], resampling) for name in others},
        "stability": _stability(answers, base, draws),
        "published_stability": published_figures(answers, base),
        "sensitivity": sensitivity_figures(answers, cut=cuts[primary]),
        "acquiescence": acquiescence(answers),
        "order_asymmetry": order_asymmetry(answers),
        "notes": list(draws.notes),
    }


def exact_match(answers: Answers, *, cut: np.ndarray) -> float:
    """Share of subject × form cells whose five decisions all fit."""
    fit = answer_fidelity(answers.y, answers.item_traits, answers.targets, cut=cut)
    return float(fit.exact_match[0])


def acquiescence(answers: Answers) -> float | None:
    """Mean raw agreement over keying-balanced item sets, from 1 to 5; 3 is neither way.

    The plus- and the minus-keyed items of a trait count the same, however many they are; traits
    without both are left out. None if no trait has both.
    """
    keyed_plus = np.array([item.keyed == "plus" for item in answers.items])
    by_item = answers.raw.mean(axis=(0, 1))
    balanced = []
    for trait in range(len(TRAITS)):
        own = answers.item_traits == trait
        plus, minus = by_item[own & keyed_plus], by_item[own & ~keyed_plus]
        if len(plus) and len(minus):
            balanced.append((plus.mean() + minus.mean()) / 2)
    return float(np.mean(balanced)) if balanced else None


def order_asymmetry(answers: Answers) -> float | None:
    """How far the order of the options moves the raw answer, in scale points.

    The mean over format × wording of |mean raw agreement in the published order − that in the
    reversed order|; None if no wording has both orders.
    """
    by_form = answers.raw.mean(axis=(0, 2))
    means = {
        (form.format, form.wording, form.order): mean
        for form, mean in zip(answers.forms, by_form, strict=True)
    }
    differences = [
        abs(mean - means[form_format, wording, "reversed"])
        for (form_format, wording, order), mean in means.items()
        if order == "published" and (form_format, wording, "reversed") in means
    ]
    return float(np.mean(differences)) if differences else None


def _at_cut(answers: Answers, cut: np.ndarray, resampling: Resampling) -> dict[str, Any]:
    """Exact match at another cut, without an interval."""
    scores = trait_scores(answers.y, answers.item_traits)[0]
    subjects, forms = scores.shape[:2]
    decisions = (scores >= cut).reshape(subjects * forms, len(TRAITS))
    counts = hit_counts(decisions, np.repeat(np.arange(subjects), forms), answers.targets)
    p_value = permutation_p(counts, permutations=resampling.permutations, seed=resampling.seed)
    return {
        "value": exact_match(answers, cut=cut),
        "hits": int(np.trace(counts)),
        "p_value": p_value,
    }


def _fidelity(
    answers: Answers, draws: Draws, cut: np.ndarray, resampling: Resampling
) -> dict[str, Any]:
    targets, traits = answers.targets, answers.item_traits
    point = answer_fidelity(answers.y, traits, targets, cut=cut)
    drawn = answer_fidelity(
        answers.y,
        traits,
        targets,
        cut=cut,
        item_weights=draws.items,
        form_weights=draws.forms,
    )
    profiles, forms = len(answers.profiles), len(answers.forms)
    cells = profiles * forms

    def estimate(value: float, of_draws: np.ndarray, n: int) -> Estimate:
        return crossed_share(value, of_draws, draws=draws, n=n, profiles=profiles)

    def proportion(value: float, of_draws: np.ndarray, n: int) -> Estimate:
        # With one form the cells are as independent as profiles are: the only use of Wilson here.
        if forms == 1:
            return wilson(hits=round(value * n), n=n)
        return estimate(value, of_draws, n)

    decisions = trait_scores(answers.y, traits)[0] >= cut
    blocks = np.repeat(np.arange(profiles), forms)
    counts = hit_counts(decisions.reshape(cells, len(TRAITS)), blocks, targets)
    p_value = permutation_p(counts, permutations=resampling.permutations, seed=resampling.seed)
    exact = proportion(point.exact_match[0], drawn.exact_match, cells)
    averaged = proportion(point.exact_match_averaged[0], drawn.exact_match_averaged, profiles)
    accuracy = {
        trait: proportion(point.accuracy[0, t], drawn.accuracy[:, t], cells)
        for t, trait in enumerate(TRAITS)
    }
    areas = {
        trait: estimate(point.auc[0, t], drawn.auc[:, t], profiles)
        for t, trait in enumerate(TRAITS)
    }
    mean_accuracy = estimate(point.accuracy[0].mean(), drawn.accuracy.mean(axis=1), cells)
    mean_area = estimate(point.auc[0].mean(), drawn.auc.mean(axis=1), profiles)
    hits = int(np.trace(counts))
    hits_averaged = round(point.exact_match_averaged[0] * profiles)
    return {
        "exact_match": exact.as_dict() | {"hits": hits, "cells": cells, "p_value": p_value},
        "exact_match_averaged": averaged.as_dict() | {"hits": hits_averaged},
        "accuracy": {trait: figure.as_dict() for trait, figure in accuracy.items()},
        "mean_accuracy": mean_accuracy.as_dict(),
        "auc": {trait: figure.as_dict() for trait, figure in areas.items()},
        "mean_auc": mean_area.as_dict(),
    }


def _stability(answers: Answers, base: Answers | None, draws: Draws) -> dict[str, Any]:
    one_form = len(answers.forms) == 1
    cells = len(answers.profiles) * len(answers.items)
    own, own_draws = _point_stability(answers.y, answers), _spread_draws(answers, draws)
    figures: dict[str, Any] = {
        "traits": {
            trait: {
                "spread": _finite(own.spread[t]),
                "signal": _finite(own.signal[t, t]),
                "crosstalk": {
                    other: _finite(own.signal[t, u]) for u, other in enumerate(TRAITS) if u != t
                },
                "noise_to_signal": _finite(own.noise_to_signal[t]),
            }
            for t, trait in enumerate(TRAITS)
        },
        "spread": crossed_spread(
            own.spread.mean(), own_draws, draws=draws, n=cells, reason=_ONE_FORM
        ).as_dict(),
        "reduction": None,
        "shrunk_base": None,
        "more_stable": None,
    }
    if base is None:
        return figures
    other, other_draws = _point_stability(base.y, base), _spread_draws(base, draws)
    factor, shrunk_y = shrink(base.y, answers.y)
    shrunk = _point_stability(shrunk_y, base)
    both = more_stable(own, other) & more_stable(own, shrunk)
    reduced = crossed_reduction(
        float(reduction(own.spread.mean(), other.spread.mean())),
        reduction(own_draws, other_draws),
        draws=draws,
        n=cells,
        reason=_ONE_FORM if one_form else "the base has no spread to reduce",
    )
    return figures | {
        "reduction": reduced.as_dict(),
        "shrunk_base": {
            "factor": factor,
            "spread": _finite(shrunk.spread.mean()),
            "reduction": _finite(reduction(own.spread.mean(), shrunk.spread.mean())),
            "noise_to_signal": {
                trait: _finite(ratio)
                for trait, ratio in zip(TRAITS, shrunk.noise_to_signal, strict=True)
            },
        },
        "more_stable": None
        if np.isnan(own.signal).any()
        else {trait: bool(flag) for trait, flag in zip(TRAITS, both, strict=True)},
    }


def _point_stability(y: np.ndarray, answers: Answers) -> Stability:
    """S and B; B is NaN where the subjects' profiles don't tell the traits apart (few essays)."""
    design = answers.design
    own = spread(y, answers.item_traits)[0]
    rank = np.linalg.matrix_rank(np.column_stack([np.ones(len(design)), design]))
    if rank <= len(TRAITS):
        return Stability(own, np.full((len(TRAITS), len(TRAITS)), math.nan))
    scores = average_forms(trait_scores(y, answers.item_traits))[0]
    return Stability(own, signal(scores, design))


def _spread_draws(answers: Answers, draws: Draws) -> np.ndarray:
    """S averaged over traits in each draw, shape (draws,)."""
    drawn = spread(
        answers.y, answers.item_traits, item_weights=draws.items, form_weights=draws.forms
    )
    return np.asarray(drawn.mean(axis=1))


def _finite(value: float | np.ndarray) -> float | None:
    return float(value) if math.isfinite(value) else None
