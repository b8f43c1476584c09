"""The figures of a run over its training seeds, taken together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mimic.metrics.answers import Answers
from mimic.metrics.questionnaire import match_counts
from mimic.metrics.resampling import Resampling
from mimic.metrics.stability import finite, signal_of
from mimic.metrics.texts import match_counts as text_match_counts
from mimic.metrics.texts import text_targets
from mimic.stats.bootstrap import FEWEST_SEEDS, crossed_draws, resample_within
from mimic.stats.crossed import crossed_reduction, crossed_share, crossed_spread
from mimic.stats.fidelity import average_forms, text_fidelity, trait_scores
from mimic.stats.intervals import TEXTS, Estimate, text_share, undefined
from mimic.stats.permutation import permutation_p
from mimic.stats.seeds import fidelity_over_seeds, spread_over_seeds
from mimic.stats.stability import Stability, more_stable, reduction, shrink, spread
from mimic.traits import TRAITS

_ONE_FORM = "a single form has no spread over forms"
_LONE = "one text for each seed, profile and situation: resampling cannot vary it"
_NO_SPREAD = "the base has no spread to reduce"


def answers_over_seeds(
    runs: Sequence[Answers], base: Answers, *, cut: np.ndarray, resampling: Resampling
) -> dict[str, Any]:
    """Exact match with its p, AUC, S, its reduction and the rule of "more stable", over seeds.

    The intervals are those of the crossed bootstrap of item clusters and wordings, and of seeds
    where there are at least five; ``notes`` says where they aren't. A permutation of the targets
    moves the answers of all seeds together. B is that of T averaged over seeds.

    Parameters
    ----------
    runs
        Answers of one layout, one for each seed, in one context with a target.
    base
        Those of the untrained model, which has no seed.
    cut
        Of each trait, shape (5,).
    resampling
        Draws, permutations and seed.
    """
    first, y = runs[0], np.stack([run.y for run in runs])
    decided = np.stack([run.decided for run in runs])
    traits, targets = first.item_traits, first.targets
    draws = crossed_draws(
        items=first.items,
        forms=first.forms,
        seeds=len(runs),
        draws=resampling.draws,
        seed=resampling.seed,
    )
    weights = {"item_weights": draws.items, "form_weights": draws.forms}
    point = fidelity_over_seeds(decided, traits, targets, cut=cut)
    drawn = fidelity_over_seeds(
        decided, traits, targets, cut=cut, seed_weights=draws.seeds, **weights
    )
    profiles = len(first.subjects)
    cells = len(runs) * profiles * len(first.forms)

    def share(value: float, of_draws: np.ndarray, n: int) -> dict[str, Any]:
        return crossed_share(value, of_draws, draws=draws, n=n, profiles=profiles).as_dict()

    spreads_drawn = spread_over_seeds(y, traits, seed_weights=draws.seeds, **weights)
    base_spreads, base_drawn = spread(base.y, traits)[0], spread(base.y, traits, **weights)
    own = stability_over_seeds(runs)
    spreads = own.spread
    reduced = reduction(spreads.mean(), base_spreads.mean())
    n = len(runs) * profiles * len(first.items)
    return {
        "exact_match": share(point.exact_match[0], drawn.exact_match, cells)
        | {"cells": cells}
        | _tested(match_counts(runs, cut=cut), resampling),
        "exact_match_averaged": share(
            point.exact_match_averaged[0], drawn.exact_match_averaged, len(runs) * profiles
        ),
        "mean_auc": share(point.auc[0].mean(), drawn.auc.mean(axis=1), len(runs) * profiles),
        "spread": crossed_spread(
            spreads.mean(), spreads_drawn.mean(axis=1), draws=draws, n=n, reason=_ONE_FORM
        ).as_dict(),
        "reduction": crossed_reduction(
            float(reduced),
            reduction(spreads_drawn.mean(axis=1), base_drawn.mean(axis=1)),
            draws=draws,
            n=n,
            reason=_ONE_FORM if len(first.forms) == 1 else _NO_SPREAD,
        ).as_dict(),
        "traits": {
            trait: {
                "signal": finite(own.signal[t, t]),
                "noise_to_signal": finite(own.noise_to_signal[t]),
            }
            for t, trait in enumerate(TRAITS)
        },
        "more_stable": _more_stable(own, y, base),
        "notes": list(draws.notes),
    }


def texts_over_seeds(runs: Sequence[pd.DataFrame], resampling: Resampling) -> dict[str, Any]:
    """Exact match and mean AUC of the texts of all seeds; copied texts are left out.

    From five seeds on whole seeds are drawn, with fewer texts within seed × profile × situation.
    A permutation of the targets moves the texts of all seeds together.

    Parameters
    ----------
    runs
        What `mimic.metrics.texts.load_probabilities` gave, one for each seed.
    resampling
        Draws, permutations and seed.
    """
    texts = pd.concat([run.assign(seed=n) for n, run in enumerate(runs)], ignore_index=True)
    texts = texts[texts["copied"] == 0]
    count = len(texts)
    if not count:
        nothing = undefined(interval=TEXTS, n=0, reason="no texts").as_dict()
        return {"exact_match": nothing | {"hits": 0, "p_value": None}, "mean_auc": nothing}
    probabilities = texts[list(TRAITS)].to_numpy(dtype=np.float64)
    targets = text_targets(texts)
    generator = np.random.default_rng(resampling.seed)
    cells = list(zip(texts["seed"], texts["profile"], texts["situation"], strict=True))
    freedom = math.inf
    units: list[int]
    strata: list[Any]
    if len(runs) >= FEWEST_SEEDS:
        units, strata = texts["seed"].tolist(), [0] * count
        freedom = texts["seed"].nunique() - 1
    else:
        units, strata = list(range(count)), cells
    weights = resample_within(units, strata, draws=resampling.draws, generator=generator)
    point = text_fidelity(probabilities, targets)
    drawn = text_fidelity(probabilities, targets, weights=weights)

    def share(value: float, of_draws: np.ndarray) -> dict[str, Any]:
        if not np.isfinite(value):
            reason = "high or low targets are missing"
            return undefined(interval=TEXTS, n=count, reason=reason).as_dict()
        if (weights == 1).all():
            return Estimate(
                value=float(value), low=None, high=None, interval=TEXTS, n=count, reason=_LONE
            ).as_dict()
        return text_share(float(value), of_draws, n=count, freedom=freedom).as_dict()

    return {
        "exact_match": share(point.exact_match[0], drawn.exact_match)
        | _tested(text_match_counts(texts), resampling),
        "mean_auc": share(point.auc[0].mean(), drawn.auc.mean(axis=1)),
    }


def stability_over_seeds(runs: Sequence[Answers]) -> Stability:
    """S and B of runs of one layout: S² and T are averaged over them."""
    first = runs[0]
    scores = [average_forms(trait_scores(run.y, first.item_traits))[0] for run in runs]
    spreads = spread_over_seeds(np.stack([run.y for run in runs]), first.item_traits)[0]
    return Stability(spreads, signal_of(np.mean(scores, axis=0), first))


def _tested(counts: np.ndarray, resampling: Resampling) -> dict[str, Any]:
    """Exact matches of all seeds, and how often permuted targets have as many."""
    return {
        "hits": int(np.trace(counts)),
        "p_value": permutation_p(
            counts, permutations=resampling.permutations, seed=resampling.seed
        ),
    }


def _more_stable(own: Stability, y: np.ndarray, base: Answers) -> dict[str, bool] | None:
    if np.isnan(own.signal).any():
        return None
    traits = base.item_traits
    verdicts = []
    for scores in (base.y, shrink(base.y, y)[1]):
        averaged = average_forms(trait_scores(scores, traits))[0]
        other = Stability(spread(scores, traits)[0], signal_of(averaged, base))
        verdicts.append(more_stable(own, other))
    return {t: bool(a and b) for t, a, b in zip(TRAITS, *verdicts, strict=True)}
