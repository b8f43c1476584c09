"""Exact match on the profiles that preference training never has as targets, and on the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mimic.metrics.answers import Answers
from mimic.metrics.baselines import target_counts
from mimic.metrics.resampling import Resampling
from mimic.metrics.texts import text_fits, text_proportion, text_weights
from mimic.stats.bootstrap import Draws
from mimic.stats.crossed import CROSSED, crossed_share
from mimic.stats.fidelity import answer_fidelity
from mimic.stats.intervals import TEXTS, undefined
from mimic.traits import withheld_profiles

PARTS = ("withheld", "others")


def withheld_answers(answers: Answers, draws: Draws, *, cut: np.ndarray) -> dict[str, Any]:
    """Exact match of a questionnaire on each part of the profiles, with its interval.

    Parameters
    ----------
    answers
        In a context that tells targets.
    draws
        Of items and forms, as for all profiles together.
    cut
        Of each trait, shape (5,).

    Returns
    -------
    dict
        By `PARTS`: an estimate with ``profiles``, ``hits`` and ``cells``, and ``targets`` (see
        `mimic.metrics.baselines.target_counts`) where there are any.
    """
    labels = np.array([str(profile) for profile in answers.profiles])
    withheld = np.isin(labels, [str(profile) for profile in withheld_profiles()])
    weights = {"item_weights": draws.items, "form_weights": draws.forms}
    found = {}
    for name, own in zip(PARTS, (withheld, ~withheld), strict=True):
        profiles = int(own.sum())
        if not profiles:
            nothing = undefined(interval=CROSSED, n=0, reason="none of them was asked for")
            found[name] = nothing.as_dict() | {"profiles": 0, "hits": 0, "cells": 0}
            continue
        given = (answers.decided[own], answers.item_traits, answers.targets[own])
        point = float(answer_fidelity(*given, cut=cut).exact_match[0])
        drawn = answer_fidelity(*given, cut=cut, **weights).exact_match
        cells = profiles * len(answers.forms)
        estimate = crossed_share(point, drawn, draws=draws, n=cells, profiles=profiles)
        counts = {"profiles": profiles, "hits": round(point * cells), "cells": cells}
        targets = target_counts(labels[own].tolist())
        found[name] = estimate.as_dict() | counts | {"targets": targets}
    return found


def withheld_texts(texts: pd.DataFrame, resampling: Resampling) -> dict[str, Any]:
    """Exact match of uncopied texts on each part of the profiles, with its interval.

    Parameters
    ----------
    texts
        What `mimic.metrics.texts.load_probabilities` gave.
    resampling
        Draws and seed, which give the draws of all texts together.

    Returns
    -------
    dict
        By `PARTS`: an estimate with ``hits`` and ``texts``, and ``targets`` as in
        `withheld_answers`.
    """
    kept = texts[texts["copied"] == 0].reset_index(drop=True)
    fits, weights = text_fits(kept), text_weights(kept, resampling)
    withheld = kept["profile"].isin([str(profile) for profile in withheld_profiles()]).to_numpy()
    found = {}
    for name, own in zip(PARTS, (withheld, ~withheld), strict=True):
        count = int(own.sum())
        if not count:
            nothing = undefined(interval=TEXTS, n=0, reason="no text for such a profile")
            found[name] = nothing.as_dict() | {"hits": 0, "texts": 0}
            continue
        drawn = weights[:, own] @ fits[own] / weights[:, own].sum(axis=1)
        estimate = text_proportion(kept[own], float(fits[own].mean()), drawn)
        counts = {"hits": int(fits[own].sum()), "texts": count}
        targets = target_counts(kept["profile"][own].tolist())
        found[name] = estimate.as_dict() | counts | {"targets": targets}
    return found
