"""The figures of generated answers under the protocols ``released`` and ``corrected``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from mimic.questionnaire.protocols import item_scores, protocol_figures
from mimic.stats.intervals import wilson
from mimic.traits import TRAITS, Profile, design_matrix

_COLUMNS = ("profile", "item", "trait", "keyed", "form", "option", "reason")
# As published; the protocols have one cut.
PUBLISHED_CUT = 3.0
Generated = Literal["released", "corrected"]


def generated_figures(path: Path, protocols: Sequence[Generated]) -> dict[str, Any]:
    """The figures of each protocol, from one set of answers.

    Parameters
    ----------
    path
        A ``generated.parquet``.
    protocols
        Those of ``released`` and ``corrected`` that are asked for.

    Raises
    ------
    ValueError
        If a column or an answer is missing.
    """
    table = pd.read_parquet(path)
    missing = [column for column in _COLUMNS if column not in table]
    if missing:
        raise ValueError(f"{path}: no column {', '.join(missing)}; answer again")
    labels = sorted({Profile.parse(label) for label in table["profile"]}, reverse=True)
    forms, items = sorted(set(table["form"])), sorted(set(table["item"]))
    described = table.drop_duplicates("item").set_index("item").loc[items]
    wide = table.set_index(["profile", "form", "item"])["option"]
    index = pd.MultiIndex.from_product([list(map(str, labels)), forms, items])
    if not wide.index.is_unique or len(wide) != len(index):
        raise ValueError(
            f"{path}: {len(wide)} answers, but {len(labels)} profiles × {len(forms)} formats × "
            f"{len(items)} items are {len(index)}; each must be answered once"
        )
    option = wide.reindex(index).to_numpy().reshape(len(labels), len(forms), len(items))
    keyed = (described["keyed"] == "plus").to_numpy()
    traits = np.array([TRAITS.index(trait) for trait in described["trait"]])
    targets = design_matrix(labels) > 0
    reasons = table.loc[table["option"] == 0, "reason"].value_counts().sort_index()
    return {
        "profiles": len(labels),
        "items": len(items),
        "forms": forms,
        "answers": len(table),
        "unparsed": {str(reason): int(count) for reason, count in reasons.items()},
        "protocols": {
            protocol: _figures(option, keyed, traits, targets, protocol) for protocol in protocols
        },
    }


def _figures(
    option: np.ndarray,
    keyed: np.ndarray,
    traits: np.ndarray,
    targets: np.ndarray,
    protocol: Generated,
) -> dict[str, Any]:
    y = item_scores(option, keyed, protocol=protocol)
    found = protocol_figures(y, traits, targets, cut=PUBLISHED_CUT, protocol=protocol)
    match = {"value": found.exact_match, "low": None, "high": None, "interval": "none"}
    match |= {"n": found.cells, "reason": "one wording for each format, which cannot vary"}
    if option.shape[1] == 1:
        match = wilson(hits=found.hits, n=found.cells).as_dict()
    return {
        "exact_match": match | {"hits": found.hits, "cells": found.cells},
        "accuracy": dict(zip(TRAITS, found.accuracy.tolist(), strict=True)),
        "parsed": found.parsed,
        "undecided": found.undecided,
    }
