"""Parts of the made-up study: reliability, protocols, scales, gates, learning, judge and others."""

from __future__ import annotations

import itertools
from typing import Any

from mimic.traits import TRAITS

NO_DIFFERENCE = {"difference": 0.0, "p_value": 1.0}
NORMS, PUBLISHED = "norms of the original form", "3.0, as published"
SOURCES = (
    "own target",
    "other targets",
    "target interactions",
    "item",
    "wording",
    "own target × item",
    "own target × order",
    "item rewording",
    "item × wording",
    "wording × format",
    "residual",
)


def estimate(value: float, *, half: float, n: int, interval: str) -> dict[str, Any]:
    """An estimate with a symmetric interval."""
    return {"value": value, "low": value - half, "high": value + half, "interval": interval, "n": n}


def nothing(reason: str, *, interval: str = "text bootstrap", n: int = 0) -> dict[str, Any]:
    """An estimate without a value."""
    found = {"value": None, "low": None, "high": None, "interval": interval, "n": n}
    return found | {"reason": reason}


def scoring(exact: float) -> dict[str, Any]:
    """Other cuts and other ways to score."""
    return {
        "cut": NORMS,
        "other_cuts": {
            PUBLISHED: estimate(exact / 2, half=0.04, n=192, interval="crossed bootstrap")
            | {"hits": 3, "cells": 192, "p_value": 0.2345}
        },
        "sensitivity": {
            "argmax": {"exact_match": exact * 0.9, "mean_auc": 0.61, "stability": _scored(0.2)},
            "agreement_corrected": {"reason": "openness has no minus-keyed item"},
            "low_mass_left_out": {
                "left_out": 0.042,
                "exact_match": exact,
                "mean_auc": None,
                "stability": _scored(None),
            },
        },
    }


def _scored(signal: float | None) -> dict[str, Any]:
    ratio = None if signal is None else 0.5 / signal
    one = {"spread": 0.5, "signal": signal, "noise_to_signal": ratio}
    return {trait: dict(one) for trait in TRAITS}


def against_base(difference: float) -> dict[str, Any]:
    """A run's differences from its base; orpo's signal is none at all."""
    noise: dict[str, Any] = {"difference": -25.61, "p_value": 0.0002}
    if difference < 0:
        noise = {"difference": None, "p_value": None, "reason": "a run has no signal at all"}
    return {
        "exact_match": {"difference": difference, "p_value": 0.0001 if difference > 0.5 else 0.4},
        "noise_to_signal": noise,
    }


def published_stability(spread: float, *, base: bool) -> dict[str, Any]:
    """The published definitions; a single-item trait has no spread over items."""
    profiles = dict.fromkeys(TRAITS, spread * 1.5)
    items = dict.fromkeys(TRAITS, spread * 2) | {"openness": None}
    reduced = dict.fromkeys(TRAITS, 0.217) | {"extraversion": None}
    return {
        name: {"spread": values, "reduction": None if base else reduced}
        for name, values in (("sd_over_profiles", profiles), ("sd_over_items", items))
    }


def reliability(signal: float, *, flat: bool) -> dict[str, Any]:
    """Intraclass correlations and variance components.

    Parameters
    ----------
    signal
        How far answers follow the target, in scale points.
    flat
        Whether openness is the same for all targets, and the design of neuroticism unbalanced.
    """
    own = min(0.6, max(signal, 0.01))
    coefficients = {
        "agreement_single": estimate(own, half=0.1, n=16, interval="McGraw-Wong"),
        "agreement_average": estimate(own + 0.3, half=0.05, n=16, interval="McGraw-Wong"),
        "consistency_average": estimate(own + 0.35, half=0.04, n=16, interval="McGraw-Wong"),
    }
    reason = "the values do not differ between targets"
    none = dict.fromkeys(coefficients, nothing(reason, interval="McGraw-Wong", n=16))
    by_trait: dict[str, Any] = dict.fromkeys(TRAITS, coefficients)
    parts: dict[str, Any] = {trait: _components(own) for trait in TRAITS}
    if flat:
        by_trait |= {"openness": none}
        parts["neuroticism"] = {"rows": [], "notes": ["formats have different wordings"]}
    within = {
        t: {k: e | {"value": 0.11, "low": 0.02, "high": 0.2} for k, e in coefficients.items()}
        for t in TRAITS
    }
    return {"icc": by_trait, "icc_within": within, "components": parts}


def _components(own: float) -> dict[str, Any]:
    left = (0.9 - own) / (len(SOURCES) - 2)
    rows = []
    for source in SOURCES:
        share = {"own target": own, "other targets": 0.0, "residual": left + 0.1}.get(source, left)
        rows.append(
            {
                "source": source,
                "df": 1 if source == "own target" else 10,
                "mean_square": 12 * share,
                "component": share * 1.25,
                "share": share,
                "negative": source == "other targets",
            }
        )
    return {"rows": rows, "notes": ["one format only, so that format drops out"]}


def coherence(accuracy: float, observed: float, *, flat: bool) -> dict[str, Any]:
    """Observed and independent exact match, and correlations; openness may not vary."""
    size = range(5)
    raw: list[list[float | None]] = [
        [1.0 if row == column else round(0.1 * (row - column) / 4, 3) for column in size]
        for row in size
    ]
    residual: list[list[float | None]] = [
        [1.0 if row == column else 0.42 - 0.1 * (row + column) / 2 for column in size]
        for row in size
    ]
    if flat:
        for matrix in (raw, residual):
            matrix[0] = [None] * 5
            for row in size:
                matrix[row][0] = None
    return {
        "observed": observed,
        "independent": accuracy**5,
        "correlations": raw,
        "residual_correlations": residual,
        "congruence": None if flat else 0.12,
        "residual_congruence": None if flat else 0.71,
    }


def scales(rows: int = 320) -> dict[str, Any]:
    """α and ω; ω of openness is a Heywood case."""
    omega = estimate(0.79, half=0.0, n=rows, interval="none")
    omega |= {"low": None, "high": None, "reason": "no interval: the rows are not independent"}
    heywood = nothing("Heywood case: 1 of 4 items have next to no variance of their own", n=rows)
    return {
        "rows": rows,
        "alpha": {t: estimate(0.81, half=0.03, n=rows, interval="Feldt") for t in TRAITS},
        "alpha_within": {t: estimate(0.34, half=0.05, n=rows, interval="Feldt") for t in TRAITS},
        "omega": dict.fromkeys(TRAITS, omega) | {"openness": heywood},
    }


def generated(hits: int) -> dict[str, Any]:
    """Answers in words of 4 targets in 3 formats; `hits` of 12 cells fit under corrected."""

    def at_cut(found: int, accuracy: float) -> dict[str, Any]:
        match = estimate(found / 12, half=0.2, n=12, interval="crossed bootstrap")
        match |= {"hits": found, "cells": 12, "p_value": 0.0417 if found > 6 else 0.9}
        fixed = "neither item clusters nor instruction wordings can vary"
        each = {"value": accuracy, "low": None, "high": None, "interval": "none", "n": 12}
        by_trait = {trait: each | {"reason": fixed} for trait in TRAITS}
        return {"exact_match": match, "accuracy": by_trait}

    def figures(found: int, *, accuracy: float, undecided: float) -> dict[str, Any]:
        area = estimate(accuracy, half=0.1, n=4, interval="crossed bootstrap")
        unread = nothing("no answer could be read", interval="crossed bootstrap", n=4)
        return at_cut(found, accuracy) | {
            "other_cuts": {},
            "auc": dict.fromkeys(TRAITS, area) | ({"openness": unread} if undecided else {}),
            "mean_auc": unread if undecided else area,
            "parsed": 0.925,
            "undecided": undecided,
        }

    corrected = figures(hits, accuracy=0.729, undecided=0.05)
    corrected["other_cuts"] = {NORMS: at_cut(hits - 1, 0.6)}
    return {
        "profiles": 4,
        "items": 20,
        "forms": ["s1", "s2", "s3"],
        "answers": 240,
        "constant_profile": 0.25,
        "unparsed": {"no option": 12, "no lead-in": 6},
        "protocols": {
            "released": figures(0, accuracy=0.271, undecided=0.0),
            "corrected": corrected,
        },
        "notes": ["format s1 has one instruction wording, which cannot vary"],
    }


def gates(*, failed: bool = False) -> dict[str, Any]:
    """Three gates, of which one may have failed."""
    rows = [
        ("perfect", "released", "0/384", "0/384", True),
        ("perfect", "likelihood", "384/384", "3/384" if failed else "384/384", not failed),
        ("human-like", "likelihood, norms", "88 to 141 of 600", "117 of 600", True),
    ]
    keys = ("gate", "of", "expected", "found", "passed")
    figure = {"protocol": "likelihood", "cut": NORMS, "exact_match": 0.1876}
    figure |= {"accuracy": dict.fromkeys(TRAITS, 0.716)}
    return {
        "passed": not failed,
        "gates": [dict(zip(keys, row, strict=True)) for row in rows],
        "reference": {
            "respondent": "human-like",
            "level_in_sd": 0.8,
            "norms": "a published table",
            "figures": [figure | {"protocol": "corrected"}, figure],
        },
    }


def learning(method: str) -> dict[str, Any]:
    """Whether a run learned; orpo did not."""
    learned = method != "orpo"
    name = "validation loss" if method == "sft" else "validation margin"
    before, after = (3.201, 2.874) if method == "sft" else (0.01, 0.642 if learned else 0.011)
    return {
        "method": method,
        "steps": 60,
        "checks": [
            {
                "check": name,
                "before": before,
                "after": after,
                "change": after - before,
                "standard_error": 0.02,
                "examples": 24,
                "required": True,
                "passed": learned,
            }
        ],
    }


def reading(value: float, *, n: int) -> dict[str, Any]:
    """The judge on n essays, with a mean accuracy."""
    each = {
        trait: estimate(value + 0.02 * (i - 2), half=0.1, n=n, interval="wilson")
        for i, trait in enumerate(TRAITS)
    }
    return {
        "accuracy": each,
        "mean_accuracy": estimate(value, half=0.05, n=n, interval="cluster bootstrap"),
        "auc": {
            t: e | {"value": e["value"] + 0.05, "interval": "newcombe"} for t, e in each.items()
        },
        "exact_match": estimate(0.3, half=0.1, n=n, interval="wilson"),
    }


def moderation() -> dict[str, Any]:
    """A list of patterns that took out 12 of 252 essays, most of them labelled low."""
    balance = {
        "filtered": {"high": 3, "low": 9},
        "kept": {"high": 120, "low": 120},
        "difference": -0.25,
    }
    return {
        "kind": "local",
        "version": 1,
        "checked": 252,
        "filtered": 12,
        "categories": {"violence": 12, "hate": 0},
        "traits": dict.fromkeys(TRAITS, balance),
    }


def texts(method: str, *, signal: float) -> dict[str, Any]:
    """What the judge read in a run's texts."""
    bootstrap, accuracy = "text bootstrap", 0.52 + 0.3 * max(signal, 0)
    if method == "orpo":
        reason = "high or low targets are missing"
        missing = nothing(reason)
        return {
            "texts": 64,
            "profiles": 16,
            "situations": 2,
            "copied": 0,
            "withheld": {
                name: nothing("no text for such a profile") | {"hits": 0, "texts": 0}
                for name in ("withheld", "others")
            },
            "exact_match": missing | {"hits": 0, "p_value": None},
            "accuracy": dict.fromkeys(TRAITS, missing),
            "mean_accuracy": missing,
            "auc": dict.fromkeys(TRAITS, missing),
            "mean_auc": missing,
            "copied_exact_match": None,
            "notes": [],
            "against_base": {
                "exact_match": {"difference": None, "p_value": None, "reason": "no texts"}
            },
        }
    strong = method == "dpo"
    contrast = {"difference": 0.2321, "p_value": 0.0003} if strong else NO_DIFFERENCE
    match = estimate(0.279 if strong else 0.0469, half=0.04, n=64, interval=bootstrap)
    return {
        "texts": 64,
        "profiles": 16,
        "situations": 2,
        "copied": 3 if strong else 0,
        "withheld": {
            "withheld": estimate(0.25, half=0.2, n=16, interval=bootstrap)
            | {"hits": 4, "texts": 16, "targets": targets(profiles=4, high_openness=4)},
            "others": estimate(0.125, half=0.1, n=48, interval=bootstrap)
            | {"hits": 6, "texts": 48, "targets": targets(profiles=12, high_openness=4)},
        },
        "exact_match": match | {"hits": 18 if strong else 3, "p_value": 0.0001 if strong else 0.3},
        "accuracy": {t: estimate(accuracy, half=0.06, n=64, interval=bootstrap) for t in TRAITS},
        "mean_accuracy": estimate(accuracy, half=0.03, n=64, interval=bootstrap),
        "auc": {t: estimate(accuracy + 0.03, half=0.07, n=64, interval=bootstrap) for t in TRAITS},
        "mean_auc": estimate(accuracy + 0.03, half=0.04, n=64, interval=bootstrap),
        "notes": ["3 of 32 cells of profile and situation have one text, which cannot vary"]
        if strong
        else [],
        "against_base": None if method == "base" else {"exact_match": contrast},
        "copied_exact_match": estimate(0.333, half=0.3, n=3, interval="wilson") if strong else None,
    }


def targets(*, profiles: int, high_openness: int) -> dict[str, Any]:
    """What a part of the profiles is, one output for each; the other traits are balanced."""
    high = dict.fromkeys(TRAITS, profiles // 2) | {"openness": high_openness}
    return {"profiles": profiles, "constant_profile": 1 / profiles, "high": high}


def held(context: str, *, filled: dict[tuple[str, str, str], float]) -> dict[str, Any]:
    """What metrics say of a run: figures of some cells, keys in the order that JSON has."""
    cells: list[dict[str, Any]] = []
    for items, wordings, profiles in itertools.product(("seen", "unseen"), repeat=3):
        cell = {"items": items, "profiles": profiles, "wordings": wordings}
        value = filled.get((items, wordings, profiles))
        if value is None:
            cells.append({"cell": cell, "value": None, "reason": "so it is"})
            continue
        counts = {"profiles": 16, "forms": 4, "items": 10}
        figures = {"value": value, "hits": round(value * 64), "cells": 64}
        of_targets = targets(profiles=16, high_openness=8)
        cells.append({"cell": cell, **figures, "counts": counts, "targets": of_targets})
    return {"context": context, "cells": cells}
