"""Exact match on the profiles that preference training never has as targets, and on the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mimic.metrics.answers import Answers
from mimic.metrics.texts import uncopied_hits
from mimic.stats.bootstrap import Draws
from mimic.stats.crossed import CROSSED, crossed_share
from mimic.stats.fidelity import answer_fidelity
from mimic.stats.intervals import undefined
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
        By `PARTS`: an estimate with ``profiles``, ``hits`` and ``cells``.
    """
    withheld = np.isin(
        [str(profile) for profile in answers.profiles], [str(p) for p in withheld_profiles()]
    )
    weights = {"item_weights": draws.items, "form_weights": draws.forms}
    found = {}
    for name, own in zip(PARTS, (withheld, ~withheld), strict=True):
        profiles = int(own.sum())
        if not profiles:
            nothing = undefined(interval=CROSSED, n=0, reason="none of them was asked for")
            found[name] = nothing.as_dict() | {"profiles": 0, "hits": 0, "cells": 0}
            continue
        given = (answers.y[own], answers.item_traits, answers.targets[own])
        point = float(answer_fidelity(*given, cut=cut).exact_match[0])
        drawn = answer_fidelity(*given, cut=cut, **weights).exact_match
        cells = profiles * len(answers.forms)
        estimate = crossed_share(point, drawn, draws=draws, n=cells, profiles=profiles)
        counts = {"profiles": profiles, "hits": round(point * cells), "cells": cells}
        found[name] = estimate.as_dict() | counts
    return found


def withheld_texts(texts: pd.DataFrame) -> dict[str, Any]:
    """Exact match of uncopied texts on each part of the profiles, without an interval.

    Returns
    -------
    dict
        By `PARTS`: ``hits``, ``texts``, and ``value``, None where there is no such text.
    """
    hits = uncopied_hits(texts)
    withheld = hits.index.isin([str(profile) for profile in withheld_profiles()])
    found = {}
    for name, own in zip(PARTS, (withheld, ~withheld), strict=True):
        fits, count = int(hits["hits"][own].sum()), int(hits["texts"][own].sum())
        found[name] = {"value": fits / count if count else None, "hits": fits, "texts": count}
    return found
