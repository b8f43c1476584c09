"""Exact match by what training held: items × wordings × profiles, each seen or unseen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from mimic.metrics.answers import Answers, Trained, held_out_forms, load_answers, part_of
from mimic.metrics.baselines import target_counts
from mimic.questionnaire.protocols import protocol_figures
from mimic.traits import ALL_PROFILES, TRAITS, Profile, withheld_profiles

Side = Literal["seen", "unseen"]
SIDES: tuple[Side, ...] = ("seen", "unseen")

_NO_ITEMS = "the run trained on no items"
_NO_WORDINGS = "the run trained on no wordings"
_NO_PROFILES = {
    "seen": "none of the profiles that were asked for was a target of its training",
    "unseen": "all profiles that were asked for were targets of its training",
}


class Cell(NamedTuple):
    """Which answers a figure rests on.

    Attributes
    ----------
    items, wordings, profiles
        Whether training held them.
    """

    items: Side
    wordings: Side
    profiles: Side


def training_targets(*, told: bool, withheld: bool) -> frozenset[Profile]:
    """The profiles that prompts of a training name.

    Parameters
    ----------
    told
        Whether there was a training, and its prompts name any.
    withheld
        Whether eight of them are withheld from it.
    """
    if not told:
        return frozenset()
    return frozenset(ALL_PROFILES) - frozenset(withheld_profiles() if withheld else ())


def seen_cells(
    answers: Answers,
    again: Answers | None,
    *,
    trained: Trained,
    targets: Collection[Profile],
    cut: np.ndarray,
) -> list[dict[str, Any]]:
    """Exact match in each cell of items × wordings × profiles, without intervals.

    All cells rest on formats held out of training. Unseen wordings are those of the study's forms.
    In them an answer to a seen item doesn't count where the item stands in words that training
    held, as the original ones are where the published half was trained on.

    Parameters
    ----------
    answers
        To all items in the study's forms.
    again
        To the same items, in a wording and in words that training may use; None where the run
        trained on no items.
    trained
        What of the questionnaire the run trained on.
    targets
        Those of its training.
    cut
        Of each trait, shape (5,).

    Returns
    -------
    list
        For each cell: ``cell``; ``value``, ``hits`` and ``cells``; ``counts`` of profiles, forms
        and items; ``targets`` (see `target_counts`); or ``value`` None and the ``reason``.

    Raises
    ------
    ValueError
        If the run trained on items and `again` lacks, or has other subjects or items.
    """
    if again is None and trained.clusters:
        raise ValueError("the run trained on items, but was not asked in training wordings; do so")
    if again is not None and (again.subjects, again.items) != (answers.subjects, answers.items):
        raise ValueError(
            "the answers in training wordings differ from the others in their subjects or items; "
            "ask both with the same settings"
        )
    asked = {"unseen": _in_held_out_formats(answers, trained)}
    if again is not None:
        asked["seen"] = _in_held_out_formats(again, trained)
    found = []
    for cell in itertools.starmap(Cell, itertools.product(SIDES, repeat=3)):
        figures = _figures(cell, asked, trained=trained, targets=targets, cut=cut)
        found.append({"cell": cell._asdict(), **figures})
    return found


def load_again(manifests: list[Path]) -> Answers | None:
    """The answers in training wordings; None where a run has none."""
    return load_answers(manifests[0].with_name("answers.parquet")) if manifests else None


def _in_held_out_formats(answers: Answers, trained: Trained) -> Answers:
    every = np.ones(len(answers.items), dtype=bool)
    return part_of(answers, forms=held_out_forms(answers, trained), items=every)


def _figures(
    cell: Cell,
    asked: dict[str, Answers],
    *,
    trained: Trained,
    targets: Collection[Profile],
    cut: np.ndarray,
) -> dict[str, Any]:
    """The figures of a cell, or why it has none."""
    if cell.items == "seen" and not trained.clusters:
        return _nothing(_NO_ITEMS)
    if cell.wordings not in asked:
        return _nothing(_NO_WORDINGS)
    answers = asked[cell.wordings]
    profiles = np.array([(p in targets) == (cell.profiles == "seen") for p in answers.profiles])
    if not profiles.any():
        return _nothing(_NO_PROFILES[cell.profiles])
    seen = np.array([item.cluster in trained.clusters for item in answers.items])
    counted = np.tile(seen if cell.items == "seen" else ~seen, (len(answers.forms), 1))
    if cell.items == "seen" and cell.wordings == "unseen":
        trained_words = asked["seen"].variants
        counted &= ~(answers.variants[:, None] == trained_words[None]).any(axis=1)
    own = answers.item_traits
    each = [counted[:, own == trait].any(axis=1) for trait in range(len(TRAITS))]
    whole = np.all(each, axis=0)
    if not whole.any():
        lacking = TRAITS[int(np.argmin([one.mean() for one in each]))]
        return _nothing(f"no form has such items of all traits; {lacking} lacks them most often")
    y = np.where(counted, answers.decided, math.nan)[profiles][:, whole]
    figures = protocol_figures(y, own, answers.targets[profiles], cut=cut, protocol="likelihood")
    return {
        "value": figures.exact_match,
        "hits": figures.hits,
        "cells": figures.cells,
        "counts": {
            "profiles": int(profiles.sum()),
            "forms": int(whole.sum()),
            "items": int(counted[whole].any(axis=0).sum()),
        },
        "targets": target_counts(
            [str(p) for p, own in zip(answers.profiles, profiles, strict=True) if own]
        ),
    }


def _nothing(reason: str) -> dict[str, Any]:
    return {"value": None, "reason": reason}
