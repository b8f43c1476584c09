"""Does a run differ from its base? Their labels are swapped within profiles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from mimic.metrics.answers import Answers
from mimic.metrics.resampling import Resampling
from mimic.metrics.texts import uncopied_hits
from mimic.stats.fidelity import fits, trait_scores
from mimic.stats.permutation import run_swap_p
from mimic.stats.stability import mean_noise_to_signal, profile_parts


def contrast_figures(
    run: Answers, base: Answers, *, cut: np.ndarray, resampling: Resampling
) -> dict[str, Any]:
    """Differences of a run from its base in exact match and in S/|B|, each with a two-sided p.

    S/|B| is here the mean of S over the mean of |B_tt| over traits. Exploratory: not corrected.

    Parameters
    ----------
    run, base
        Answers of the same layout, for a balanced set of targets.
    cut
        Of each trait, shape (5,).
    resampling
        Permutations and seed.
    """
    figures = {
        "exact_match": _contrast(
            hits_of(run, cut), hits_of(base, cut), lambda shares: shares.mean(axis=-1), resampling
        )
    }
    if len(run.forms) > 1:
        design = run.design
        figures["noise_to_signal"] = _contrast(
            profile_parts(run.y, run.item_traits),
            profile_parts(base.y, base.item_traits),
            lambda parts: mean_noise_to_signal(parts, design),
            resampling,
        )
    return figures


def text_contrast(run: pd.DataFrame, base: pd.DataFrame, resampling: Resampling) -> dict[str, Any]:
    """Difference of a run from its base in exact match of texts, with a two-sided p.

    The texts of a profile move together. Copied texts are left out, and so are profiles of which
    either run has no other text. Exploratory: not corrected.

    Parameters
    ----------
    run, base
        What `mimic.metrics.texts.load_probabilities` gave.
    resampling
        Permutations and seed.

    Returns
    -------
    dict
        ``exact_match``: difference and p-value, or why there is none.
    """
    first, second = uncopied_hits(run), uncopied_hits(base)
    both = first.index.intersection(second.index)
    if both.empty:
        reason = "no profile has texts of both runs that are not copied"
        return {"exact_match": {"difference": None, "p_value": None, "reason": reason}}
    own, other = (found.loc[both].to_numpy(dtype=np.float64) for found in (first, second))
    return {"exact_match": _contrast(own, other, share_of_texts, resampling)}


def share_of_texts(parts: np.ndarray) -> np.ndarray:
    """Hits over texts, from both by profile: shape (…, profiles, 2) → (…,)."""
    hits, texts = np.moveaxis(parts.sum(axis=-2), -1, 0)
    return np.asarray(hits / texts)


def _contrast(first: np.ndarray, second: np.ndarray, figure: Any, resampling: Resampling) -> Any:
    own, other = float(figure(first[None])[0]), float(figure(second[None])[0])
    if not (math.isfinite(own) and math.isfinite(other)):
        return {"difference": None, "p_value": None, "reason": "a run has no signal at all"}
    p_value = run_swap_p(
        first, second, figure, permutations=resampling.permutations, seed=resampling.seed
    )
    return {"difference": own - other, "p_value": p_value}


def hits_of(answers: Answers, cut: np.ndarray) -> np.ndarray:
    """Share of each profile's forms whose five decisions all fit, shape (profiles,)."""
    scores = trait_scores(answers.decided, answers.item_traits)[0]
    return np.asarray(fits(scores, cut, answers.targets[:, None]).all(axis=2).mean(axis=1))
