"""What the spread of answers is made of, and how far they would come out alike in other forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mimic.metrics.answers import Answers
from mimic.stats.balanced import Balanced, balance_forms
from mimic.stats.components import variance_components
from mimic.stats.fidelity import trait_scores
from mimic.stats.icc import Icc, icc, icc_within_groups, undefined_icc
from mimic.stats.reliability import alpha, omega_total
from mimic.traits import TRAITS


def reliability_figures(answers: Answers, *, told: bool = True) -> dict[str, Any]:
    """Intraclass correlations and variance components of each trait; for targets only.

    Parameters
    ----------
    answers
        A run's answers for a balanced set of targets.
    told
        Whether the run is told these; without a target there is no intraclass correlation.

    Returns
    -------
    dict
        ``icc`` and ``icc_within`` by trait and coefficient; ``components`` by trait: rows and
        notes, or no rows and why.
    """
    scores = trait_scores(answers.y, answers.item_traits)[0]
    high = answers.targets
    untold = undefined_icc(len(scores), "the run is told no target")
    return {
        "icc": {
            trait: _icc(icc(scores[:, :, t]) if told else untold) for t, trait in enumerate(TRAITS)
        },
        "icc_within": {
            trait: _icc(icc_within_groups(scores[:, :, t], high[:, t]) if told else untold)
            for t, trait in enumerate(TRAITS)
        },
        "components": components(answers),
    }


def components(answers: Answers) -> dict[str, Any]:
    """The variance components of each trait, items averaged by cluster."""
    try:
        balanced = balance_forms(answers.y, answers.forms)
    except ValueError as error:
        return {trait: {"rows": [], "notes": [str(error)]} for trait in TRAITS}
    found = {}
    for t, trait in enumerate(TRAITS):
        own = np.flatnonzero(answers.item_traits == t).tolist()
        clusters = sorted({answers.items[n].cluster for n in own})
        members = [[n for n in own if answers.items[n].cluster == c] for c in clusters]
        y = np.stack([balanced.y[:, m].mean(axis=1) for m in members], axis=1)
        variants = _variants(answers, balanced, members)
        made = variance_components(y, answers.design, t, variants=variants)
        found[trait] = {
            "rows": [
                {key: _plain(value) for key, value in row._asdict().items()} for row in made.rows
            ],
            "notes": list(made.notes),
        }
    return found


def scale_figures(answers: Answers) -> dict[str, Any]:
    """α, α within target groups and ω of each trait, from answers for persons and targets.

    Rows are subjects (a target in a person sketch), answers averaged over forms.
    """
    averaged = answers.y.mean(axis=1)
    figures: dict[str, Any] = {"rows": len(averaged), "alpha": {}, "alpha_within": {}, "omega": {}}
    for t, trait in enumerate(TRAITS):
        own = averaged[:, answers.item_traits == t]
        figures["alpha"][trait] = alpha(own).as_dict()
        figures["alpha_within"][trait] = alpha(own, high=answers.targets[:, t]).as_dict()
        figures["omega"][trait] = omega_total(own).as_dict()
    return figures


def _variants(answers: Answers, balanced: Balanced, members: list[list[int]]) -> np.ndarray | None:
    """Which wording a cluster's item has under each instruction wording; None if it never varies.

    A cluster of several items has the wordings of all of them together.
    """
    first = {form.wording: row for row, form in reversed(list(enumerate(answers.forms)))}
    table = answers.variants[[first[wording] for wording in balanced.wordings]]
    together = np.zeros((len(members), len(balanced.wordings)), dtype=np.int64)
    for row, own in enumerate(members):
        kinds = [tuple(words) for words in table[:, own].tolist()]
        together[row] = [sorted(set(kinds)).index(kind) for kind in kinds]
    return together if together.any() else None


def _icc(found: Icc) -> dict[str, Any]:
    return {name: estimate.as_dict() for name, estimate in found._asdict().items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
