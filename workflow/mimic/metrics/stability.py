"""Spread, signal and the rule of "more stable" of one run in one context."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from mimic.metrics.answers import Answers
from mimic.stats.bootstrap import Draws
from mimic.stats.crossed import CROSSED, crossed_reduction, crossed_spread
from mimic.stats.fidelity import average_forms, trait_scores
from mimic.stats.intervals import Estimate
from mimic.stats.stability import Stability, more_stable, reduction, shrink, signal, spread
from mimic.traits import TRAITS

_ONE_FORM = "a single form has no spread over forms"
_NO_SPREAD = "the base has no spread to reduce"
_FIXED = "neither this trait's item clusters nor instruction wordings can vary"


class _Measured(NamedTuple):
    """A run's S and B, and S of each trait in each draw, shape (draws, 5)."""

    point: Stability
    drawn: np.ndarray


def stability_figures(answers: Answers, base: Answers | None, draws: Draws) -> dict[str, Any]:
    """S, B, the reduction of S and the rule, for each trait and as means over traits.

    Parameters
    ----------
    answers
        The run's answers.
    base
        Those of its untrained model, of the same layout; None where the run is the base itself.
    draws
        Of the crossed bootstrap; the same serve both.
    """
    measured = _measure(answers, draws)
    own, drawn = measured
    figures: dict[str, Any] = {
        "traits": {
            trait: {
                "spread": _of_trait(answers, draws, t, own.spread[t], drawn[:, t]).as_dict(),
                "reduction": None,
                "signal": finite(own.signal[t, t]),
                "crosstalk": {
                    other: finite(own.signal[t, u]) for u, other in enumerate(TRAITS) if u != t
                },
                "noise_to_signal": finite(own.noise_to_signal[t]),
            }
            for t, trait in enumerate(TRAITS)
        },
        "spread": crossed_spread(
            own.spread.mean(),
            drawn.mean(axis=1),
            draws=draws,
            n=len(answers.subjects) * len(answers.items),
            reason=_ONE_FORM,
        ).as_dict(),
        "reduction": None,
        "shrunk_base": None,
        "more_stable": None,
    }
    if base is None:
        return figures
    compared = _compare(answers, measured, base, draws)
    for trait, reduced in compared.pop("traits").items():
        figures["traits"][trait]["reduction"] = reduced
    return figures | compared


def point_stability(y: np.ndarray, answers: Answers) -> Stability:
    """S and B of item scores, shape (subjects, forms, items), in the layout of `answers`."""
    scores = average_forms(trait_scores(y, answers.item_traits))[0]
    return Stability(spread(y, answers.item_traits)[0], signal_of(scores, answers))


def signal_of(scores: np.ndarray, answers: Answers) -> np.ndarray:
    """B of T averaged over forms, shape (subjects, 5) → (5, 5).

    NaN where the subjects' profiles don't tell the traits apart, as those of few essays.
    """
    design = answers.design
    rank = np.linalg.matrix_rank(np.column_stack([np.ones(len(design)), design]))
    if rank <= len(TRAITS):
        return np.full((len(TRAITS), len(TRAITS)), math.nan)
    return signal(scores, design)


def by_trait(found: Stability) -> dict[str, dict[str, float | None]]:
    """S, B_tt and S/|B_tt| of each trait, without intervals."""
    return {
        trait: {
            "spread": finite(found.spread[t]),
            "signal": finite(found.signal[t, t]),
            "noise_to_signal": finite(found.noise_to_signal[t]),
        }
        for t, trait in enumerate(TRAITS)
    }


def finite(value: float | np.ndarray) -> float | None:
    """A number as JSON can hold it; None for one that is not finite."""
    return float(value) if math.isfinite(value) else None


def _compare(answers: Answers, run: _Measured, base: Answers, draws: Draws) -> dict[str, Any]:
    """What changed from the base: reductions (``traits``: of each trait), shrunk base, the rule."""
    own, other = run.point, _measure(base, draws)
    factor, shrunk_y = shrink(base.y, answers.y)
    shrunk = point_stability(shrunk_y, base)
    # The shrunk base has the base's S/|B| and a smaller |B|: where the comparison with the base
    # holds, this one holds too. It changes no verdict, and shows how far shrinking alone lowers S.
    both = more_stable(own, other.point) & more_stable(own, shrunk)
    reduced = reduction(own.spread, other.point.spread)
    reduced_draws = reduction(run.drawn, other.drawn)
    mean = crossed_reduction(
        float(reduction(own.spread.mean(), other.point.spread.mean())),
        reduction(run.drawn.mean(axis=1), other.drawn.mean(axis=1)),
        draws=draws,
        n=len(answers.subjects) * len(answers.items),
        reason=_ONE_FORM if len(answers.forms) == 1 else _NO_SPREAD,
    )
    return {
        "traits": {
            trait: _of_trait(
                answers, draws, t, reduced[t], reduced_draws[:, t], reduced=True
            ).as_dict()
            for t, trait in enumerate(TRAITS)
        },
        "reduction": mean.as_dict(),
        "shrunk_base": {
            "factor": factor,
            "spread": finite(shrunk.spread.mean()),
            "reduction": finite(reduction(own.spread.mean(), shrunk.spread.mean())),
            "traits": by_trait(shrunk),
        },
        "more_stable": None
        if np.isnan(own.signal).any()
        else {trait: bool(flag) for trait, flag in zip(TRAITS, both, strict=True)},
    }


def _of_trait(
    answers: Answers,
    draws: Draws,
    trait: int,
    value: float,
    of_draws: np.ndarray,
    *,
    reduced: bool = False,
) -> Estimate:
    """One trait's S or reduction, with an interval where any draw moves its items or forms."""
    items = answers.item_traits == trait
    n = len(answers.subjects) * int(items.sum())
    moved = bool((draws.items[:, items] != 1).any() or (draws.forms != 1).any())
    if math.isfinite(value) and not moved:
        return Estimate(
            value=float(value), low=None, high=None, interval=CROSSED, n=n, reason=_FIXED
        )
    estimate = crossed_reduction if reduced else crossed_spread
    one_form = len(answers.forms) == 1
    reason = _ONE_FORM if one_form or not reduced else _NO_SPREAD
    return estimate(float(value), of_draws, draws=draws, n=n, reason=reason)


def _measure(answers: Answers, draws: Draws) -> _Measured:
    drawn = spread(
        answers.y, answers.item_traits, item_weights=draws.items, form_weights=draws.forms
    )
    return _Measured(point_stability(answers.y, answers), drawn)
