"""The figures of generated answers under the protocols ``released`` and ``corrected``."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from mimic.files import read_json
from mimic.metrics.baselines import constant_share
from mimic.metrics.resampling import Resampling
from mimic.questionnaire.protocols import decisions, item_scores, protocol_figures, trait_scores
from mimic.stats.bootstrap import Draws, Form, Item, crossed_draws
from mimic.stats.crossed import CROSSED, crossed_share
from mimic.stats.fidelity import auc
from mimic.stats.intervals import undefined
from mimic.stats.permutation import permutation_p
from mimic.traits import TRAITS, Profile, design_matrix

_COLUMNS = ("profile", *Item._fields, "form", "format", "option", "reason")
# The only one of ``released``, and the first of ``corrected``.
PUBLISHED_CUT = "3.0, as published"
Generated = Literal["released", "corrected"]


class _Asked(NamedTuple):
    """What was answered: options 0 to 5 in published order, shape (profiles, forms, items).

    Attributes
    ----------
    option
        Those.
    items
        What the last axis stands for.
    targets
        High as True, shape (profiles, 5).
    draws
        Of the crossed bootstrap.
    """

    option: np.ndarray
    items: list[Item]
    targets: np.ndarray
    draws: Draws

    @property
    def item_traits(self) -> np.ndarray:
        """Each item's trait as its position in `TRAITS`, shape (items,)."""
        return np.array([TRAITS.index(item.trait) for item in self.items])


def not_served(path: Path) -> dict[str, str] | None:
    """Why a model of an API has no answers; None if it has some.

    Parameters
    ----------
    path
        A ``served.json``, which only models of an API have.
    """
    reason = read_json(path)["reason"] if path.is_file() else None
    return None if reason is None else {"not_served": str(reason)}


def generated_figures(
    path: Path,
    protocols: Sequence[Generated],
    *,
    cuts: Mapping[str, np.ndarray],
    resampling: Resampling,
    trained: Collection[str] = (),
) -> dict[str, Any]:
    """The figures of each protocol, from one set of answers.

    ``released`` has the published cut alone, ``corrected`` also the others. Intervals are those of
    the crossed bootstrap, in which item clusters vary; a format has one wording, which can't.

    Parameters
    ----------
    path
        A ``generated.parquet``.
    protocols
        Those of ``released`` and ``corrected`` that are asked for.
    cuts
        By name, for each trait, shape (5,), the published one among them.
    resampling
        Draws, permutations and seed.
    trained
        Item clusters that the run trained on; answers to their items are left out.

    Raises
    ------
    ValueError
        If a column or an answer is missing.
    """
    table = pd.read_parquet(path)
    missing = [column for column in _COLUMNS if column not in table]
    if missing:
        raise ValueError(f"{path}: no column {', '.join(missing)}; answer again")
    table = table[~table["cluster"].isin(set(trained))]
    labels = sorted({Profile.parse(label) for label in table["profile"]}, reverse=True)
    forms = [
        Form(form, name, "published", "published")
        for form, name in sorted(_rows(table, "form", "format"))
    ]
    items = sorted({Item(*row) for row in _rows(table, *Item._fields)})
    wide = table.set_index(["profile", "form", "item"])["option"]
    names = [list(map(str, labels)), [form.form for form in forms], [item.item for item in items]]
    index = pd.MultiIndex.from_product(names)
    if not wide.index.is_unique or len(wide) != len(index):
        raise ValueError(
            f"{path}: {len(wide)} answers, but {len(labels)} profiles × {len(forms)} formats × "
            f"{len(items)} items are {len(index)}; each must be answered once"
        )
    asked = _Asked(
        option=wide.reindex(index).to_numpy().reshape(tuple(map(len, names))),
        items=items,
        targets=design_matrix(labels) > 0,
        draws=crossed_draws(items=items, forms=forms, draws=resampling.draws, seed=resampling.seed),
    )
    reasons = table.loc[table["option"] == 0, "reason"].value_counts().sort_index()
    return {
        "profiles": len(labels),
        "items": len(items),
        "forms": names[1],
        "answers": len(table),
        "constant_profile": constant_share(names[0]),
        "unparsed": {str(reason): int(count) for reason, count in reasons.items()},
        "protocols": {name: _figures(asked, name, cuts, resampling) for name in protocols},
        "notes": list(asked.draws.notes),
    }


def _rows(table: pd.DataFrame, *columns: str) -> list[tuple[str, ...]]:
    distinct = table[list(columns)].drop_duplicates()
    return list(distinct.itertuples(index=False, name=None))


def _figures(
    asked: _Asked,
    protocol: Generated,
    cuts: Mapping[str, np.ndarray],
    resampling: Resampling,
) -> dict[str, Any]:
    keyed = np.array([item.keyed == "plus" for item in asked.items])
    y = item_scores(asked.option, keyed, protocol=protocol)
    of_draws = _drawn_scores(y, asked, protocol)
    scores = trait_scores(y, asked.item_traits, protocol=protocol)
    at_cuts = {
        name: _at_cut(scores, of_draws, asked, cut=cut, protocol=protocol, resampling=resampling)
        for name, cut in cuts.items()
        if protocol == "corrected" or name == PUBLISHED_CUT
    }
    found = protocol_figures(
        y, asked.item_traits, asked.targets, cut=cuts[PUBLISHED_CUT], protocol=protocol
    )
    areas, drawn_areas = (_areas(one, asked.targets) for one in (scores[None], of_draws))
    return {
        **at_cuts.pop(PUBLISHED_CUT),
        "other_cuts": at_cuts,
        "auc": {
            trait: _area(areas[0, t], drawn_areas[:, t], asked) for t, trait in enumerate(TRAITS)
        },
        "mean_auc": _area(areas[0].mean(), drawn_areas.mean(axis=1), asked),
        "parsed": found.parsed,
        "undecided": found.undecided,
    }


def _at_cut(
    scores: np.ndarray,
    of_draws: np.ndarray,
    asked: _Asked,
    *,
    cut: np.ndarray,
    protocol: Generated,
    resampling: Resampling,
) -> dict[str, Any]:
    """Exact match and accuracy at one cut, with intervals and the p-value of exact match."""
    decided = decisions(scores, cut=cut, protocol=protocol)
    drawn = decisions(of_draws, cut=cut, protocol=protocol)
    targets, profiles = asked.targets[:, None, :], len(asked.targets)
    fits, drawn_fits = decided == targets, drawn == targets
    cells = decided.shape[0] * decided.shape[1]
    # Row: the profile that was asked for; column: the target that its cells are held against.
    counts = (decided[:, None] == asked.targets[None, :, None]).all(axis=3).sum(axis=2)

    def share(value: float, in_draws: np.ndarray) -> dict[str, Any]:
        found = crossed_share(value, in_draws, draws=asked.draws, n=cells, profiles=profiles)
        return found.as_dict()

    exact = share(fits.all(axis=2).mean(), drawn_fits.all(axis=3).mean(axis=(1, 2)))
    p_value = permutation_p(counts, permutations=resampling.permutations, seed=resampling.seed)
    return {
        "exact_match": exact | {"hits": int(np.trace(counts)), "cells": cells, "p_value": p_value},
        "accuracy": {
            trait: share(fits[:, :, t].mean(), drawn_fits[:, :, :, t].mean(axis=(1, 2)))
            for t, trait in enumerate(TRAITS)
        },
    }


def _drawn_scores(y: np.ndarray, asked: _Asked, protocol: Generated) -> np.ndarray:
    """`trait_scores` under the items' weights in each draw, shape (draws, profiles, forms, 5)."""
    answered = ~np.isnan(y)
    columns = []
    for trait in range(len(TRAITS)):
        own = asked.item_traits == trait
        weights = asked.draws.items[:, own].T
        count = answered[:, :, own] @ weights
        total = np.where(answered, y, 0.0)[:, :, own] @ weights
        empty = np.full_like(total, 0.0 if protocol == "released" else math.nan)
        columns.append(np.moveaxis(np.divide(total, count, out=empty, where=count > 0), -1, 0))
    # Rounded as trait_scores are.
    return np.round(np.stack(columns, axis=-1), 9)


def _areas(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """AUC of each trait, scores averaged over the formats that have one.

    Parameters
    ----------
    scores
        Shape (draws, profiles, forms, 5).

    Returns
    -------
    numpy.ndarray
        Shape (draws, 5); NaN where a profile has no score in any format.
    """
    counted = np.ma.filled(np.ma.masked_invalid(scores).mean(axis=2), math.nan)
    averaged = np.round(counted, 9)
    return np.stack([auc(averaged[:, :, t], targets[:, t]) for t in range(len(TRAITS))], axis=1)


def _area(value: float, in_draws: np.ndarray, asked: _Asked) -> dict[str, Any]:
    """An AUC with its interval."""
    profiles = len(asked.targets)
    if not math.isfinite(value):
        reason = "no answer of a profile to a trait’s items could be read"
        return undefined(interval=CROSSED, n=profiles, reason=reason).as_dict()
    return crossed_share(
        value, in_draws, draws=asked.draws, n=profiles, profiles=profiles
    ).as_dict()
