"""Alignment and size: paired contrasts of models, and a descriptive mixed model of all runs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np

from mimic.metrics.resampling import Resampling
from mimic.stats.mixed import Row, fit_mixed
from mimic.stats.permutation import sign_flip_p
from mimic.traits import TRAITS

_ESSAYS = "human"
_NO_VALUE = "a run has no signal at all, or a single form"
_ONE_PAIR = "one contrast: the sign-flip test needs at least two"
# Of the mixed model; ratios are compared by their logarithm.
MATCH, LOG_NOISE = "exact match", "log S/|B|"

Run = dict[str, Any]


class Pair(NamedTuple):
    """Two models whose runs are compared.

    Attributes
    ----------
    kind
        ``alignment`` or ``size``.
    unit
        The aligned model, or the family: contrasts that share it are no independent ones, and are
        one for the test.
    first, second
        The contrast is first minus second: aligned and uncensored, larger and smaller.
    """

    kind: str
    unit: str
    first: str
    second: str


def pairs_of(models: Mapping[str, Mapping[str, Any]]) -> list[Pair]:
    """Each uncensored model with the one it was made from; neighbouring sizes of each family.

    Sizes are compared among models that are aligned alike.

    Parameters
    ----------
    models
        By name ``aligned``, ``pair``, ``family`` and ``parameters`` of the study's models.
    """
    pairs = [
        Pair("alignment", one["pair"], one["pair"], name)
        for name, one in models.items()
        if one["pair"] in models
    ]
    groups: dict[tuple[str, str], dict[float, list[str]]] = {}
    for name, one in models.items():
        if one["family"] is not None:
            sizes = groups.setdefault((one["family"], one["aligned"]), {})
            sizes.setdefault(one["parameters"], []).append(name)
    for (family, _), sizes in groups.items():
        for smaller, larger in pairwise(sorted(sizes)):
            pairs += [
                Pair("size", family, first, second)
                for first, second in product(sizes[larger], sizes[smaller])
            ]
    return pairs


def confound_figures(
    runs: Sequence[Run], models: Mapping[str, Mapping[str, Any]], resampling: Resampling
) -> dict[str, Any]:
    """Contrasts of alignment and size, their sign-flip tests, and the mixed models.

    Exploratory: not corrected.

    Parameters
    ----------
    runs
        Figures of each run that is no null adapter, as `mimic.metrics.run` wrote them.
    models
        See `pairs_of`.
    resampling
        Permutations and seed.

    Returns
    -------
    dict
        ``contrasts``: of each pair of models, method and recipe, and context with a target, the
        seeds that both have and the differences of exact match and of S/|B|, means over these
        seeds; both runs of a seed had the same targets, items and forms, so that each difference
        is the mean of the profiles'. ``tests``: over the pairs of a kind, see `_tests`. ``mixed``:
        of each context and figure, see `_mixed`; empty where the study has one model.
    """
    by_cell: dict[tuple[str, str], dict[int, Run]] = {}
    for run in runs:
        by_cell.setdefault((run["model"], method_of(run)), {})[run["seed"]] = run
    methods = list(dict.fromkeys(method for _, method in by_cell))
    contexts = list(dict.fromkeys(name for run in runs for name in _told(run)))
    contrasts = []
    for context, method, pair in product(contexts, methods, pairs_of(models)):
        first, second = (by_cell.get((name, method), {}) for name in (pair.first, pair.second))
        seeds = [
            seed
            for seed in sorted(first.keys() & second.keys())
            if context in _told(first[seed]) and context in _told(second[seed])
        ]
        if seeds:
            own, other = ([side[seed] for seed in seeds] for side in (first, second))
            contrasts.append(
                pair._asdict()
                | {"method": method, "context": context, "seeds": seeds}
                | _differences(own, other, context)
            )
    compared = {run["model"] for run in runs if _told(run)} & set(models)
    return {
        "contrasts": contrasts,
        "tests": _tests(contrasts, resampling),
        "mixed": [fit for context in contexts for fit in _mixed(runs, models, context)]
        if len(compared) > 1
        else [],
    }


def method_of(run: Run) -> str:
    """A run's method and recipe: the name of its series without that of its model."""
    return str(run["series"]).removeprefix(f"{run['model']}-")


def _told(run: Run) -> list[str]:
    """The contexts with a target in which a run answered by likelihood."""
    return [context for context in run["questionnaire"] if context != _ESSAYS]


def _exact_match(run: Run, context: str) -> float:
    return float(run["questionnaire"][context]["exact_match"]["value"])


def _noise_to_signal(run: Run, context: str) -> float | None:
    """S averaged over traits by |B| averaged over traits, as in `mimic.metrics.contrasts`."""
    traits = run["questionnaire"][context]["stability"]["traits"]
    spreads = [traits[trait]["spread"]["value"] for trait in TRAITS]
    signals = [traits[trait]["signal"] for trait in TRAITS]
    if None in spreads or None in signals:
        return None
    signal = float(np.abs(signals).mean())
    return float(np.mean(spreads)) / signal if signal > 1e-9 else None


_FIGURES = {"exact_match": _exact_match, "noise_to_signal": _noise_to_signal}


def _differences(first: list[Run], second: list[Run], context: str) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name, figure in _FIGURES.items():
        values = [[figure(run, context) for run in side] for side in (first, second)]
        own, other = ([value for value in side if value is not None] for side in values)
        whole = len(own) == len(first) and len(other) == len(second)
        found[name] = float(np.mean(own) - np.mean(other)) if whole else None
    return found


def _tests(contrasts: list[dict[str, Any]], resampling: Resampling) -> list[dict[str, Any]]:
    """The sign-flip test over pairs of each kind, context, method and figure, two-sided.

    Pairs that share an aligned model, or are of one family, are averaged first: ``units`` counts
    what is left, and ``mean`` is their mean. Without p where there is one, or one has no value.
    """
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for one in contrasts:
        groups.setdefault((one["kind"], one["context"], one["method"]), []).append(one)
    found = []
    for (kind, context, method), members in groups.items():
        for figure in _FIGURES:
            by_unit: dict[str, list[float | None]] = {}
            for one in members:
                by_unit.setdefault(one["unit"], []).append(one[figure])
            test = {"kind": kind, "context": context, "method": method, "figure": figure}
            found.append(test | {"units": len(by_unit)} | _sign_flip(by_unit, resampling))
    return found


def _sign_flip(
    by_unit: Mapping[str, Sequence[float | None]], resampling: Resampling
) -> dict[str, Any]:
    if any(value is None for values in by_unit.values() for value in values):
        return {"mean": None, "p_value": None, "reason": _NO_VALUE}
    means = np.array([np.mean(np.array(values, dtype=float)) for values in by_unit.values()])
    if len(means) < 2:
        return {"mean": float(means.mean()), "p_value": None, "reason": _ONE_PAIR}
    p_value = sign_flip_p(means, permutations=resampling.permutations, seed=resampling.seed)
    return {"mean": float(means.mean()), "p_value": p_value, "reason": None}


def _mixed(
    runs: Sequence[Run], models: Mapping[str, Mapping[str, Any]], context: str
) -> list[dict[str, Any]]:
    """The mixed models of exact match and of log S/|B| in a context, each run a row.

    Runs whose S/|B| has no value are left out of the second, and counted in none of its numbers.
    """
    rows = [run for run in runs if context in _told(run) and run["model"] in models]
    noise = [_noise_to_signal(run, context) for run in rows]
    values: dict[str, Sequence[float | None]] = {
        MATCH: [_exact_match(run, context) for run in rows],
        LOG_NOISE: [None if value is None else math.log(value) for value in noise],
    }
    return [
        {"context": context, "figure": figure} | _fitted(rows, of_rows, models)
        for figure, of_rows in values.items()
    ]


def _fitted(
    runs: Sequence[Run],
    values: Sequence[float | None],
    models: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    rows = [
        Row(
            model=run["model"],
            method=method_of(run),
            alignment=models[run["model"]]["aligned"],
            parameters=models[run["model"]]["parameters"],
            value=value,
        )
        for run, value in zip(runs, values, strict=True)
        if value is not None
    ]
    found = dataclasses.asdict(fit_mixed(rows))
    return found | {"coefficients": list(found["coefficients"])}
