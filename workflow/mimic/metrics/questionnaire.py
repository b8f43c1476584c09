"""The figures of one run's answers in one context."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mimic.metrics.answers import Answers
from mimic.metrics.resampling import Resampling
from mimic.metrics.sensitivity import published_figures, sensitivity_figures
from mimic.metrics.stability import stability_figures
from mimic.metrics.withheld import withheld_answers
from mimic.stats.bootstrap import Draws, crossed_draws
from mimic.stats.crossed import crossed_share
from mimic.stats.fidelity import answer_fidelity, trait_scores
from mimic.stats.intervals import Estimate, wilson
from mimic.stats.permutation import hit_counts, permutation_p
from mimic.stats.sensitivity import LEAST_MASS, agreement_index
from mimic.traits import TRAITS


def questionnaire_figures(
    answers: Answers,
    base: Answers | None,
    *,
    cuts: Mapping[str, np.ndarray],
    resampling: Resampling,
    unit: str = "profiles",
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
    unit
        What the subjects are, in the plural.
    """
    draws = crossed_draws(
        items=answers.items, forms=answers.forms, draws=resampling.draws, seed=resampling.seed
    )
    # A cell without any mass has no shares; it is flagged by its mass.
    on_options = answers.options[answers.options.sum(axis=-1) > 0]
    shares = on_options / on_options.sum(axis=-1, keepdims=True)
    primary, *others = cuts
    is_told = unit == "profiles"
    return {
        "subjects": len(answers.subjects),
        "profiles": len(set(answers.profiles)),
        "items": len(answers.items),
        "forms": [form._asdict() for form in answers.forms],
        "reworded": float((answers.variants > 0).mean()),
        "mass": {
            "mean": float(answers.mass.mean()),
            "share_below_half": float((answers.mass < LEAST_MASS).mean()),
            "share_without": float((answers.mass <= 0).mean()),
        },
        "agreement_share": shares.mean(axis=0).tolist() if len(shares) else None,
        "cut": primary,
        **_fidelity(answers, draws, cuts[primary], resampling, unit=unit),
        "withheld": withheld_answers(answers, draws, cut=cuts[primary]) if is_told else None,
        "other_cuts": {
            name: _at_cut(answers, draws, cuts[name], resampling, unit=unit) for name in others
        },
        "stability": stability_figures(answers, base, draws),
        "published_stability": published_figures(answers, base),
        "sensitivity": sensitivity_figures(answers, cut=cuts[primary]),
        "acquiescence": acquiescence(answers),
        "order_asymmetry": order_asymmetry(answers),
        "notes": list(draws.notes),
    }


def exact_match(answers: Answers, *, cut: np.ndarray) -> float:
    """Share of subject × form cells whose five decisions all fit."""
    fit = answer_fidelity(answers.decided, answers.item_traits, answers.targets, cut=cut)
    return float(fit.exact_match[0])


def match_counts(runs: Sequence[Answers], *, cut: np.ndarray) -> np.ndarray:
    """How many answers of each target would fit each other one, over runs of one layout.

    See `mimic.stats.permutation.hit_counts`. The runs' counts are summed, so that a permutation of
    the targets moves all of them together.
    """
    return np.sum([_match_counts(run, cut) for run in runs], axis=0)


def acquiescence(answers: Answers) -> float | None:
    """Mean over subjects and forms of `agreement_index`; None if no trait has both keyings."""
    keyed_plus = np.array([item.keyed == "plus" for item in answers.items])
    try:
        return float(agreement_index(answers.raw, answers.item_traits, keyed_plus).mean())
    except ValueError:
        return None


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


def _at_cut(
    answers: Answers, draws: Draws, cut: np.ndarray, resampling: Resampling, *, unit: str
) -> dict[str, Any]:
    """Exact match at another cut."""
    drawn = answer_fidelity(
        answers.decided,
        answers.item_traits,
        answers.targets,
        cut=cut,
        item_weights=draws.items,
        form_weights=draws.forms,
    )
    cells = len(answers.profiles) * len(answers.forms)
    found = _proportion(
        exact_match(answers, cut=cut), drawn.exact_match, cells, answers, draws, unit=unit
    )
    return found.as_dict() | _matches(answers, cut, resampling)


def _matches(answers: Answers, cut: np.ndarray, resampling: Resampling) -> dict[str, Any]:
    """Cells whose five decisions all fit, of how many, and the p-value of their share."""
    counts = match_counts([answers], cut=cut)
    p_value = permutation_p(counts, permutations=resampling.permutations, seed=resampling.seed)
    cells = len(answers.profiles) * len(answers.forms)
    return {"hits": int(np.trace(counts)), "cells": cells, "p_value": p_value}


def _estimate(
    value: float, of_draws: np.ndarray, n: int, answers: Answers, draws: Draws, *, unit: str
) -> Estimate:
    found = crossed_share(value, of_draws, draws=draws, n=n, profiles=len(answers.profiles))
    # Wilson's trials, where the draws say nothing.
    return dataclasses.replace(found, interval=found.interval.replace("profiles", unit))


def _proportion(
    value: float, of_draws: np.ndarray, n: int, answers: Answers, draws: Draws, *, unit: str
) -> Estimate:
    # With one form the cells are as independent as profiles are: the only use of Wilson here.
    if len(answers.forms) == 1:
        return wilson(hits=round(value * n), n=n)
    return _estimate(value, of_draws, n, answers, draws, unit=unit)


def _match_counts(answers: Answers, cut: np.ndarray) -> np.ndarray:
    scores = trait_scores(answers.decided, answers.item_traits)[0]
    subjects, forms = scores.shape[:2]
    scores = scores.reshape(subjects * forms, len(TRAITS))
    # Without a decision on each trait a cell fits no target.
    whole = ~np.isnan(scores).any(axis=1)
    blocks = np.repeat(np.arange(subjects), forms)
    return hit_counts(scores[whole] >= cut, blocks[whole], answers.targets)


def _fidelity(
    answers: Answers, draws: Draws, cut: np.ndarray, resampling: Resampling, *, unit: str
) -> dict[str, Any]:
    targets, traits = answers.targets, answers.item_traits
    point = answer_fidelity(answers.decided, traits, targets, cut=cut)
    drawn = answer_fidelity(
        answers.decided,
        traits,
        targets,
        cut=cut,
        item_weights=draws.items,
        form_weights=draws.forms,
    )
    profiles = len(answers.profiles)
    cells = profiles * len(answers.forms)
    estimate = partial(_estimate, answers=answers, draws=draws, unit=unit)
    proportion = partial(_proportion, answers=answers, draws=draws, unit=unit)
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
    hits_averaged = round(point.exact_match_averaged[0] * profiles)
    return {
        "exact_match": exact.as_dict() | _matches(answers, cut, resampling),
        "exact_match_averaged": averaged.as_dict() | {"hits": hits_averaged},
        "accuracy": {trait: figure.as_dict() for trait, figure in accuracy.items()},
        "mean_accuracy": mean_accuracy.as_dict(),
        "auc": {trait: figure.as_dict() for trait, figure in areas.items()},
        "mean_auc": mean_area.as_dict(),
    }
