"""The human-like respondent: what a questionnaire gives for people who are as extreme as people."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.stats import binom

from mimic.gates.asking import Asked
from mimic.gates.gate import Gate, within_band
from mimic.gates.scoring import Scoring, found_of
from mimic.questionnaire.instruments import Norms
from mimic.respondents.synthetic import HUMAN_LEVEL, human_like, human_scores
from mimic.traits import TRAITS

# A threshold is rounded up from this much below: a cut that is whole in exact arithmetic is met.
_ROUNDING = 1e-9
_DECIMALS = 9


def human_gate(
    asked: Asked, scoring: Scoring, norms: Norms, *, repeats: int, seed: int
) -> tuple[Gate, dict[str, Any]]:
    """Whether the human-like respondent's exact match is what theory gives, and that figure.

    Parameters
    ----------
    asked
        The study's questionnaire with all 32 profiles.
    scoring
        The protocol and its cut.
    norms
        Of the instrument.
    repeats
        How often each form is answered.
    seed
        Of the answers.

    Returns
    -------
    tuple
        The gate, and a row of the reference with the figures of theory.
    """
    right = human_accuracy(norms, asked, scoring)
    expected = float(right.prod(axis=1).mean())
    often = asked.repeated(repeats)
    found = found_of(human_like(norms).answer(often, seed=seed), often, scoring)
    row = {
        "protocol": scoring.protocol,
        "cut": scoring.cut_name,
        "exact_match": round(expected, _DECIMALS),
        "accuracy": dict(zip(TRAITS, right.mean(axis=0).round(_DECIMALS).tolist(), strict=True)),
    }
    gate = within_band(
        "human-like",
        str(scoring),
        hits=found.hits,
        cells=found.cells,
        share=found.share,
        chance=expected,
    )
    return gate, row


def human_reference(norms: Norms, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The questionnaire's own reference, with what it rests on."""
    return {
        "respondent": "human-like",
        "level_in_sd": HUMAN_LEVEL,
        "norms": norms.source,
        "figures": rows,
    }


def human_accuracy(norms: Norms, asked: Asked, scoring: Scoring) -> np.ndarray:
    """Probability that the human-like respondent's decision on a trait fits.

    The n scores of a trait are 1 + Binomial(4, q) each, so that their sum is n + Binomial(4n, q),
    and T ≥ c where Binomial(4n, q) ≥ n (c − 1). Under ``released``, T is 6 − that.

    Returns
    -------
    numpy.ndarray
        Shape (profiles, 5).
    """
    q = (human_scores(norms, asked.design) - 1) / 4
    high = np.empty(q.shape)
    for trait in range(len(TRAITS)):
        items = int((asked.item_traits == trait).sum())
        if scoring.protocol == "released":
            most = math.floor(items * (5 - scoring.cut[trait]) + _ROUNDING)
            high[:, trait] = binom.cdf(most, 4 * items, q[:, trait])
        else:
            least = math.ceil(items * (scoring.cut[trait] - 1) - _ROUNDING)
            high[:, trait] = binom.sf(least - 1, 4 * items, q[:, trait])
    return np.where(asked.targets, high, 1 - high)
