"""A run against its null adapters: the same training on permuted labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mimic.metrics.answers import Answers
from mimic.metrics.contrasts import hits_of, share_of_texts
from mimic.metrics.resampling import Resampling
from mimic.metrics.seeds import stability_over_seeds
from mimic.metrics.stability import by_trait, point_stability
from mimic.metrics.texts import uncopied_hits
from mimic.stats.multiple import FIGURES
from mimic.stats.permutation import Alternative, null_swap_p
from mimic.stats.stability import mean_noise_to_signal, more_stable, profile_parts
from mimic.traits import TRAITS

NOISE, MATCH, TEXTS = FIGURES
_NO_SIGNAL = "a run has no signal at all, so that its S/|B| has no value; it counts as p = 1"
_NO_TEXTS = "no profile has a text of every run that is not copied; it counts as p = 1"
_AGAINST = (
    "over all traits the run's answers don't move with its targets (mean B isn't above 0); it "
    "counts as p = 1"
)
_ONE_FORM = "a single form has no spread over forms"


@dataclass(frozen=True)
class _Test:
    """What a figure is computed from, for the run (its seeds taken together) and each null."""

    run: np.ndarray
    nulls: list[np.ndarray]
    figure: Callable[[np.ndarray], np.ndarray]
    better: Alternative


def answers_against_nulls(
    runs: Sequence[Answers],
    nulls: Sequence[Answers],
    *,
    cut: np.ndarray,
    resampling: Resampling,
) -> dict[str, Any]:
    """S/|B| and exact match of a run, all its seeds together, and of each null adapter.

    S/|B| is the mean of S over traits by the mean of |B_tt|, as in `mimic.metrics.contrasts`. Over
    seeds s² and T are averaged, profile by profile. A run is better in it only where the mean of
    B_tt, with its sign, is above 0.

    Parameters
    ----------
    runs
        Answers of the run, one for each training seed, in one context with a target.
    nulls
        Those of its null adapters, of the same layout.
    cut
        Of each trait, shape (5,).
    resampling
        Permutations and seed.

    Returns
    -------
    dict
        By the names in `mimic.stats.multiple.FIGURES`, what `_compared` gives.
    """
    first, design = runs[0], runs[0].design
    matches = _Test(
        np.mean([hits_of(run, cut) for run in runs], axis=0),
        [hits_of(null, cut) for null in nulls],
        lambda shares: np.asarray(shares.mean(axis=-1)),
        "greater",
    )
    if len(first.forms) == 1:
        return {
            NOISE: _nothing(None, _ONE_FORM),
            MATCH: _compared(matches, resampling, reason=_NO_SIGNAL),
        }
    parts = _Test(
        np.mean([profile_parts(run.y, run.item_traits) for run in runs], axis=0),
        [profile_parts(null.y, null.item_traits) for null in nulls],
        lambda found: mean_noise_to_signal(found, design),
        "less",
    )
    noise = _compared(parts, resampling, reason=_NO_SIGNAL)
    # An inverted run has a low S/|B| too.
    if noise["run"] is not None and np.diag(stability_over_seeds(runs).signal).mean() <= 0:
        noise |= {"beyond": 0, "p_value": 1.0, "reason": _AGAINST}
    return {NOISE: noise, MATCH: _compared(matches, resampling, reason=_NO_SIGNAL)}


def stability_against_nulls(runs: Sequence[Answers], nulls: Sequence[Answers]) -> dict[str, Any]:
    """The rule of "more stable" against each null adapter, the seeds of the run taken together.

    Parameters
    ----------
    runs, nulls
        See `answers_against_nulls`.

    Returns
    -------
    dict
        ``run`` and ``nulls``: S, B and S/|B| of each trait; ``more_stable``: of each trait a
        verdict for each null adapter, None where the targets don't tell traits apart.
    """
    own = stability_over_seeds(runs)
    others = [point_stability(null.y, null) for null in nulls]
    verdicts = np.stack([more_stable(own, other) for other in others])
    return {
        "run": by_trait(own),
        "nulls": [by_trait(other) for other in others],
        "more_stable": None
        if np.isnan(own.signal).any()
        else {trait: verdicts[:, t].tolist() for t, trait in enumerate(TRAITS)},
    }


def texts_against_nulls(
    runs: Sequence[pd.DataFrame], nulls: Sequence[pd.DataFrame], resampling: Resampling
) -> dict[str, Any]:
    """Exact match of a run's texts, all its seeds together, and of each null adapter's.

    Copied texts are left out, and so are profiles of which any run has no other text.

    Parameters
    ----------
    runs, nulls
        What `mimic.metrics.texts.load_probabilities` gave.
    resampling
        Permutations and seed.
    """
    counts = [[uncopied_hits(texts) for texts in group] for group in (runs, nulls)]
    profiles = sorted(set.intersection(*(set(c.index) for group in counts for c in group)))
    if not profiles:
        return {TEXTS: _nothing(1.0, _NO_TEXTS)}
    own, others = (
        [found.loc[profiles].to_numpy(dtype=np.float64) for found in group] for group in counts
    )
    test = _Test(np.sum(own, axis=0), others, share_of_texts, "greater")
    return {TEXTS: _compared(test, resampling, reason=_NO_TEXTS)}


def _nothing(p_value: float | None, reason: str) -> dict[str, Any]:
    return {"run": None, "nulls": [], "beyond": None, "p_value": p_value, "reason": reason}


def _compared(test: _Test, resampling: Resampling, *, reason: str) -> dict[str, Any]:
    """One figure of the family.

    Returns
    -------
    dict
        ``run`` and ``nulls``: the figures; ``beyond``: how many nulls the run is better than;
        ``p_value``: one-sided, before any correction, 1 where a figure has no value.
    """
    own = float(test.figure(test.run[None])[0])
    others = [float(test.figure(null[None])[0]) for null in test.nulls]
    sign = 1 if test.better == "greater" else -1
    found: dict[str, Any] = {
        "run": own if math.isfinite(own) else None,
        "nulls": [value if math.isfinite(value) else None for value in others],
        "beyond": sum(sign * (own - value) > 0 for value in others),
    }
    if not np.isfinite([own, *others]).all():
        return found | {"p_value": 1.0, "reason": reason}
    p_value = null_swap_p(
        test.run,
        test.nulls,
        test.figure,
        alternative=test.better,
        permutations=resampling.permutations,
        seed=resampling.seed,
    )
    return found | {"p_value": p_value}
