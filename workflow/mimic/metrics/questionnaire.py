"""The figures of one run's answers in one context."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mimic.metrics.answers import Answers
from mimic.metrics.settings import MetricsSettings
from mimic.stats.bootstrap import Draws, crossed_draws
from mimic.stats.fidelity import answer_fidelity, average_forms, trait_scores
from mimic.stats.intervals import Estimate, percentile_estimate, undefined, wilson
from mimic.stats.permutation import hit_counts, permutation_p
from mimic.stats.stability import Stability, more_stable, shrink, signal, spread
from mimic.traits import TRAITS

_CROSSED = "crossed bootstrap"
_ONE_FORM = "a single form has no spread over forms"
_FIXED = "neither item clusters nor instruction wordings can vary"


def questionnaire_figures(
    answers: Answers, base: Answers | None, settings: MetricsSettings
) -> dict[str, Any]:
    """All figures of one context.

    Parameters
    ----------
    answers
        The run's answers.
    base
        Those of its untrained model, of the same layout; None where the run is the base itself.
    settings
        Draws, permutations, cut and seed.
    """
    draws = crossed_draws(
        items=answers.items,
        forms=answers.forms,
        draws=settings.bootstrap_draws,
        seed=settings.seed,
    )
    normalised = answers.options / answers.options.sum(axis=-1, keepdims=True)
    return {
        "profiles": len(answers.profiles),
        "items": len(answers.items),
        "forms": [form._asdict() for form in answers.forms],
        "mass": {
            "mean": float(answers.mass.mean()),
            "share_below_half": float((answers.mass < 0.5).mean()),
        },
        "agreement_share": normalised.mean(axis=(0, 1, 2)).tolist(),
        **_fidelity(answers, draws, settings),
        "stability": _stability(answers, base, draws, settings),
        "acquiescence": acquiescence(answers),
        "order_asymmetry": order_asymmetry(answers),
        "notes": list(draws.notes),
    }


def exact_match(answers: Answers, *, cut: float) -> float:
    """Share of profile × form cells whose five decisions all fit."""
    scores = trait_scores(answers.y, answers.item_traits)[0]
    return float(((scores >= cut) == answers.targets[:, None]).all(axis=2).mean())


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


def _fidelity(answers: Answers, draws: Draws, settings: MetricsSettings) -> dict[str, Any]:
    targets, traits, cut = answers.targets, answers.item_traits, settings.cut
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
        return _crossed(value, of_draws, n=n, draws=draws)

    def proportion(value: float, of_draws: np.ndarray, n: int) -> Estimate:
        # With one form the cells are as independent as profiles are: the only use of Wilson here.
        if forms == 1:
            return wilson(hits=round(value * n), n=n)
        return estimate(value, of_draws, n)

    decisions = trait_scores(answers.y, traits)[0] >= cut
    blocks = np.repeat(np.arange(profiles), forms)
    counts = hit_counts(decisions.reshape(cells, len(TRAITS)), blocks, targets)
    p_value = permutation_p(counts, permutations=settings.permutations, seed=settings.seed)
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


def _stability(
    answers: Answers, base: Answers | None, draws: Draws, settings: MetricsSettings
) -> dict[str, Any]:
    one_form = _ONE_FORM if len(answers.forms) == 1 else None
    cells = len(answers.profiles) * len(answers.items)
    own, own_draws = _point_stability(answers.y, answers), _spread_draws(answers, draws)
    figures: dict[str, Any] = {
        "traits": {
            trait: {
                "spread": _finite(own.spread[t]),
                "signal": float(own.signal[t, t]),
                "crosstalk": {
                    other: float(own.signal[t, u]) for u, other in enumerate(TRAITS) if u != t
                },
                "noise_to_signal": _finite(own.noise_to_signal[t]),
            }
            for t, trait in enumerate(TRAITS)
        },
        "spread": _crossed(
            own.spread.mean(),
            own_draws,
            n=cells,
            draws=draws,
            reason=one_form,
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
    reduction = _crossed(
        float(_reduction(own.spread.mean(), other.spread.mean())),
        _reduction(own_draws, other_draws),
        n=cells,
        draws=draws,
        reason=one_form or "the base has no spread to reduce",
    )
    return figures | {
        "reduction": reduction.as_dict(),
        "shrunk_base": {
            "factor": factor,
            "spread": _finite(shrunk.spread.mean()),
            "reduction": _finite(_reduction(own.spread.mean(), shrunk.spread.mean())),
            "noise_to_signal": {
                trait: _finite(ratio)
                for trait, ratio in zip(TRAITS, shrunk.noise_to_signal, strict=True)
            },
        },
        "more_stable": {trait: bool(flag) for trait, flag in zip(TRAITS, both, strict=True)},
    }


def _crossed(
    value: float,
    of_draws: np.ndarray,
    *,
    n: int,
    draws: Draws,
    reason: str | None = None,
) -> Estimate:
    """A crossed-bootstrap estimate; `reason` says why it is undefined, if it is."""
    if not math.isfinite(value):
        return undefined(interval=_CROSSED, n=n, reason=reason or "undefined")
    if not draws.vary:
        return Estimate(
            value=float(value), low=None, high=None, interval=_CROSSED, n=n, reason=_FIXED
        )
    return percentile_estimate(value, of_draws, interval=_CROSSED, n=n)


def _point_stability(y: np.ndarray, answers: Answers) -> Stability:
    scores = average_forms(trait_scores(y, answers.item_traits))[0]
    return Stability(
        spread=spread(y, answers.item_traits)[0], signal=signal(scores, answers.design)
    )


def _spread_draws(answers: Answers, draws: Draws) -> np.ndarray:
    """S averaged over traits in each draw, shape (draws,)."""
    drawn = spread(
        answers.y, answers.item_traits, item_weights=draws.items, form_weights=draws.forms
    )
    return np.asarray(drawn.mean(axis=1))


def _reduction(run: np.ndarray | float, reference: np.ndarray | float) -> np.ndarray:
    """1 − S_run/S_reference; NaN where the reference has no spread."""
    run, reference = np.asarray(run), np.asarray(reference)
    ratio = np.full(reference.shape, math.nan)
    return np.asarray(1 - np.divide(run, reference, out=ratio, where=reference > 1e-9))


def _finite(value: float | np.ndarray) -> float | None:
    return float(value) if math.isfinite(value) else None
