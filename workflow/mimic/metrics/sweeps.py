"""Runs that try values, compared on validation essays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# What decides, and whether more of it is better. Margins and losses of preference pairs are in
# units of beta, which may be what is swept; the share of pairs in the right order isn't.
DECIDING = {
    "sft": ("validation loss", False),
    "dpo": ("validation accuracy", True),
    "orpo": ("validation accuracy", True),
}


def grids(
    swept: Sequence[dict[str, Any]], learning: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """One grid for each recipe, model, method and kind of training data.

    Parameters
    ----------
    swept
        What each run is and tries: ``run``, ``recipe``, ``model``, ``method``, ``data``, ``seed``
        and ``values`` by setting.
    learning
        What each run's training said of itself, in the same order.

    Returns
    -------
    list of dict
        Each with what its runs share, ``figure`` (the name of what decides), ``settings`` (names of
        what is swept), ``cells`` and ``winner``: the values whose mean of the figure over seeds is
        the best, the first of equals. A cell has ``values``, ``figure`` (that mean), ``seeds``, and
        ``standard_error``, of the change over validation essays or pairs, where there is one seed.
    """
    found: dict[tuple[Any, ...], list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for one, learned in zip(swept, learning, strict=True):
        shared = tuple(one[name] for name in ("recipe", "model", "method", "data"))
        found.setdefault(shared, []).append((one, learned))
    return [_grid(shared, members) for shared, members in found.items()]


def _grid(
    shared: tuple[Any, ...], members: list[tuple[dict[str, Any], dict[str, Any]]]
) -> dict[str, Any]:
    recipe, model, method, data = shared
    name, more_is_better = DECIDING[method]
    by_values: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for one, learned in members:
        (check,) = (check for check in learned["checks"] if check["check"] == name)
        by_values.setdefault(tuple(one["values"].items()), []).append(check)
    cells = [
        {
            "values": dict(values),
            "figure": sum(check["after"] for check in checks) / len(checks),
            "standard_error": checks[0]["standard_error"] if len(checks) == 1 else None,
            "examples": checks[0]["examples"],
            "seeds": len(checks),
        }
        for values, checks in by_values.items()
    ]
    best = max if more_is_better else min
    return {
        "recipe": recipe,
        "model": model,
        "method": method,
        "data": data,
        "figure": name,
        "settings": list(members[0][0]["values"]),
        "cells": cells,
        "winner": best(cells, key=lambda cell: cell["figure"])["values"],
    }
