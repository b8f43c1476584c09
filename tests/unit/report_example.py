"""A made-up study in the shape of study.json, for tests of the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import report_example_parts as parts
from report_example_parts import estimate

from mimic.files import write_json
from mimic.stats.multiple import FIGURES
from mimic.traits import TRAITS

METHODS = ("base", "sft", "dpo", "orpo")
# How far a run's answers follow the target, in scale points; dpo is the strong case.
SIGNAL = {"base": 0.02, "sft": 0.05, "dpo": 0.9, "orpo": -0.01}
SPREAD = {"base": 0.52, "sft": 0.43, "dpo": 0.31, "orpo": 0.55}
EXACT = {"base": 0.03125, "sft": 0.0417, "dpo": 0.612, "orpo": 0.0261}
P_VALUES = {"base": 0.4821, "sft": 0.0312, "dpo": 0.0001, "orpo": 0.71}


def example_study(*, kind: str = "composed") -> dict[str, Any]:
    """Four runs: a base, a null-like sft, a strong dpo, and an orpo that learned nothing."""
    name = "composed reference" if kind == "composed" else "human reference"
    runs = [_run(method) for method in METHODS]
    return {
        "corpus": {
            "corpus": "demonstration essays",
            "kind": kind,
            "revision": None,
            "sha256": "0" * 64,
            "essays": 240,
            "rejected": {"too short": 3, "moderated: violence": 12},
            "roles": {
                "G": {"missing_profiles": []},
                "T": {"missing_profiles": ["O+C+E+A+N+", "O-C-E-A-N-"]},
            },
            "moderation": parts.moderation(),
        },
        "judge": {
            "trained_on": {"role": "E", "essays": 60, "clusters": 58},
            "features": "words",
            "selection": [{"features": "words", "C": 1.0, "mean_accuracy": 0.78}],
            "cross_validation": parts.reading(0.78, n=60),
            "reference": parts.reading(0.74, n=24),
            "reference_name": name,
            "majority_accuracy": dict.fromkeys(TRAITS, 0.52),
            "reference_majority_accuracy": dict.fromkeys(TRAITS, 0.54),
            "deletion_control": {
                "mean_accuracy": estimate(0.51, half=0.05, n=60, interval="cluster bootstrap")
            },
            "masked": True,
        },
        "other_judges": {},
        "gates": parts.gates(),
        "runs": runs,
        "series": [],
        "sweeps": [],
        "confounds": {"contrasts": [], "tests": [], "mixed": []},
        "family": {
            "size": 0,
            "tests": [
                {"series": name, "figure": figure, "p_value": None, "adjusted": None}
                for name in ("tiny-sft", "tiny-dpo", "tiny-orpo")
                for figure in FIGURES
            ],
        },
        "checks": [
            {
                "run": "tiny-sft-s1",
                "check": "learning: validation loss",
                "context": None,
                "passed": True,
                "detail": "3.201 before training, 2.874 after",
            },
            {
                "run": "tiny-orpo-s1",
                "check": "learning: validation margin",
                "context": None,
                "passed": False,
                "detail": "0.010 before training, 0.011 after",
            },
            {
                "run": "tiny-dpo-s1",
                "check": "option mass",
                "context": "human",
                "passed": True,
                "detail": "mean probability of the options 0.981",
            },
            {
                "run": "judge",
                "check": "judge reads above chance",
                "context": None,
                "passed": None,
                "detail": "no interval",
            },
        ],
    }


def with_null_adapters() -> dict[str, Any]:
    """The example with five null adapters of dpo and of sft, and three seeds of dpo."""
    study = example_study()
    series, tests = [], []
    for method, p in (("sft", 0.4), ("dpo", 0.0002)):
        strong = method == "dpo"
        # Of five null adapters; agreeableness holds against all but one.
        verdicts = {t: [strong] * 5 for t in TRAITS}
        verdicts["agreeableness"] = [strong] * 4 + [False]
        figures = {
            figure: {
                "run": value,
                "nulls": nulls,
                "beyond": 5 if strong else 2,
                "p_value": p,
            }
            for figure, value, nulls in (
                (FIGURES[0], 0.4 if strong else 40.0, [30.0, 35.0, 42.0, 50.0, 61.0]),
                (FIGURES[1], EXACT[method], [0.01, 0.02, 0.03, 0.04, 0.05]),
                (FIGURES[2], 0.279 if strong else 0.0469, [0.03, 0.03, 0.03, 0.03, 0.03]),
            )
        }
        series.append(
            {
                "series": f"tiny-{method}",
                "model": "tiny",
                "method": method,
                "runs": [f"tiny-{method}-s1"],
                "null_adapters": [f"tiny-{method}-null{n}-s1" for n in range(1, 6)],
                "over_seeds": None,
                "against_null": {
                    "context": "none",
                    "figures": figures,
                    "stability": {"run": {}, "nulls": [], "more_stable": verdicts},
                },
            }
        )
        tests += [
            {"series": f"tiny-{method}", "figure": figure, "p_value": p, "adjusted": 2 * p}
            for figure in FIGURES
        ]
    tests += study["family"]["tests"][-3:]
    return study | {"series": series, "family": {"size": 6, "tests": tests}}


def with_seeds(count: int) -> dict[str, Any]:
    """The example with so many seeds of sft, of which one is shown."""
    study = example_study()
    run = study["runs"][1]
    part = run["questionnaire"]["none"]
    kept = ("exact_match", "exact_match_averaged", "mean_auc")
    over = {name: part[name] for name in kept} | {
        "spread": part["stability"]["spread"],
        "reduction": part["stability"]["reduction"],
        "traits": part["stability"]["traits"],
        "more_stable": dict.fromkeys(TRAITS, False),
        "notes": [f"{count} training seeds, which do not vary: 5 are needed"] * (count < 5),
    }
    study["series"] = [
        {
            "series": "tiny-sft",
            "model": "tiny",
            "method": "sft",
            "runs": [f"tiny-sft-s{n}" for n in range(2, count + 1)] + ["tiny-sft-s1"],
            "null_adapters": [],
            "over_seeds": {
                "questionnaire": dict.fromkeys(("none", "own"), over),
                "texts": {name: run["texts"][name] for name in ("exact_match", "mean_auc")},
            },
            "against_null": None,
        }
    ]
    return study


TEMPLATE = Path(__file__).parents[2] / "workflow/mimic/report/page.html.j2"


def described() -> dict[str, Any]:
    """What the settings say about the study."""
    return {
        "seed": 1,
        "models": {
            "tiny": {
                "title": "Tiny-135M-Instruct",
                "parameters": 135,
                "source": {"revision": "abc123"},
            }
        },
        "methods": list(METHODS),
        "profiles": 16,
        "contexts": ["none", "own", "human"],
    }


def write_inputs(folder: Path, study: dict[str, Any]) -> dict[str, list[Path]]:
    """Write the step's inputs below `folder`."""
    path = folder / "study.json"
    write_json(path, study)
    logs = []
    for method in METHODS[1:]:
        log = folder / "finetune" / f"tiny-{method}-s1" / "training_log.csv"
        log.parent.mkdir(parents=True)
        steps = np.arange(1, 61)
        fall = 0.0 if method == "orpo" else 0.6
        loss = 2.5 - fall * (1 - np.exp(-steps / 20)) + 0.05 * np.sin(steps * 1.7)
        table = pd.DataFrame({"step": steps, "loss": loss, "learning_rate": 1e-4})
        table.to_csv(log, index=False, lineterminator="\n")
        logs.append(log)
    return {"study": [path], "logs": logs, "template": [TEMPLATE]}


def _run(method: str) -> dict[str, Any]:
    name = f"tiny-{method}-s1"
    own = SIGNAL[method] > 0.5
    hygiene = {
        "texts": 64,
        "empty": 1 if method == "orpo" else 0,
        "copied": 3 if own else 0,
        "with_trait_words": 12 if own else 4,
        "mean_tokens": 118.25,
        "mean_repetition": 0.0412,
        "distinct": 63,
        "chat_template": "own",
    }
    return {
        "run": name,
        "model": "tiny",
        "method": method,
        "seed": 1,
        "profiles_withheld": method in ("dpo", "orpo"),
        "series": f"tiny-{method}",
        "null": None,
        "item_trained": False,
        "conditioning": "prompt",
        "judge": "reading",
        "questionnaire": {
            **{context: _questionnaire(method, context) for context in ("none", "own")},
            "human": _about_essays(method),
        },
        "scales": parts.scales(),
        "seen": None,
        "api": None,
        "generated": {"none": parts.generated(9 if own else 1)},
        "texts": parts.texts(method, signal=SIGNAL[method]),
        "baselines": {
            "uniform": 0.03125,
            "constant_profile": {
                "questionnaire": {"none": 0.0625, "own": 0.0625, "human": 0.25},
                "texts": 0.125,
            },
            "modal_profile": {
                "profile": "O+C+E+A+N-",
                "share_of_essays": 0.0542,
                "questionnaire": {"none": 0.0, "own": 0.0, "human": 0.125},
                "texts": 0.0,
            },
            "prompt_only": {"questionnaire": {"none": 0.03125, "own": 0.0344}, "texts": 0.0469},
        },
        "learning": None if method == "base" else parts.learning(method),
        "hygiene": hygiene,
    }


def _questionnaire(method: str, context: str) -> dict[str, Any]:
    shift = 0.01 if context == "own" else 0.0
    crossed, accuracy = "crossed bootstrap", 0.5 + 0.45 * max(SIGNAL[method], 0)
    traits = {}
    for place, trait in enumerate(TRAITS):
        signal = SIGNAL[method] * (1 - 0.1 * place) * (-1 if method == "sft" and place == 4 else 1)
        spread = SPREAD[method] * (0.85 + 0.075 * place) + shift
        flat = method == "orpo" and trait == "agreeableness"
        traits[trait] = {
            "spread": estimate(spread, half=0.05, n=64, interval=crossed),
            "reduction": None
            if method == "base"
            else estimate(0.25, half=0.1, n=64, interval=crossed),
            "signal": 0.0 if flat else signal,
            "crosstalk": {
                other: 0.03 * (i - place) / 5 for i, other in enumerate(TRAITS) if other != trait
            },
            "noise_to_signal": None if flat else spread / abs(signal),
        }
    exact = estimate(EXACT[method] + shift, half=0.025, n=192, interval=crossed)
    by_trait = {trait: estimate(accuracy, half=0.06, n=192, interval=crossed) for trait in TRAITS}
    area = {trait: estimate(accuracy + 0.02, half=0.08, n=16, interval=crossed) for trait in TRAITS}
    factor = SPREAD[method] / SPREAD["base"] + 0.05
    base = method == "base"
    return {
        "subjects": 16,
        "profiles": 16,
        "items": 20,
        "forms": [
            {
                "form": f"f{i}",
                "format": f"format{i // 4}",
                "wording": f"w{i // 2 % 2}",
                "order": ("published", "reversed")[i % 2],
            }
            for i in range(12)
        ],
        "reworded": 0.625,
        "mass": {"mean": 0.981, "share_below_half": 0.0, "share_without": 0.0},
        "agreement_share": [0.05, 0.15, 0.5, 0.2, 0.1],
        "exact_match": exact
        | {"hits": round(EXACT[method] * 192), "cells": 192, "p_value": P_VALUES[method]},
        "withheld": None
        if context == "human"
        else {
            name: exact
            | {"profiles": n, "hits": 3 * n, "cells": 12 * n}
            | {"targets": parts.targets(profiles=n, high_openness=4)}
            for name, n in (("withheld", 4), ("others", 12))
        },
        "exact_match_averaged": estimate(EXACT[method], half=0.02, n=16, interval=crossed)
        | {"hits": 1},
        "accuracy": by_trait,
        "mean_accuracy": estimate(accuracy, half=0.03, n=192, interval=crossed),
        "auc": area,
        "mean_auc": estimate(accuracy + 0.02, half=0.05, n=16, interval=crossed),
        "stability": {
            "traits": traits,
            "spread": estimate(SPREAD[method] + shift, half=0.05, n=320, interval=crossed),
            "reduction": None
            if base
            else estimate(1 - SPREAD[method] / SPREAD["base"], half=0.06, n=320, interval=crossed),
            "shrunk_base": None
            if base
            else {
                "factor": factor,
                "spread": 0.52 * factor,
                "reduction": 0.02,
                "traits": {
                    t: {"spread": 0.26, "signal": 0.01, "noise_to_signal": 26.0} for t in TRAITS
                },
            },
            "more_stable": None if base else dict.fromkeys(TRAITS, method == "dpo"),
        },
        **parts.scoring(EXACT[method] + shift),
        "published_stability": parts.published_stability(SPREAD[method] + shift, base=base),
        **parts.reliability(SIGNAL[method], flat=method == "orpo"),
        "against_base": None if base else parts.against_base(EXACT[method] - EXACT["base"]),
        "coherence": parts.coherence(accuracy, EXACT[method], flat=method == "orpo"),
        "acquiescence": 3.12,
        "order_asymmetry": None if context == "own" else 0.21,
        "notes": [],
    }


def _about_essays(method: str) -> dict[str, Any]:
    """Eight essays of seven profiles: too few to tell the traits' signals apart."""
    figures = _questionnaire(method, "human")
    for part in ("icc", "icc_within", "components", "coherence", "against_base"):
        del figures[part]
    crossed = "crossed bootstrap"
    exact = estimate(0.139 if method == "dpo" else 0.021, half=0.02, n=96, interval=crossed)
    p = 0.0004 if method == "dpo" else 0.66
    unknown = {"signal": None, "crosstalk": None, "noise_to_signal": None}
    stability = figures["stability"]
    stability["more_stable"] = None
    if stability["shrunk_base"]:
        unknown_too = {"spread": 0.26, "signal": None, "noise_to_signal": None}
        stability["shrunk_base"]["traits"] = dict.fromkeys(TRAITS, unknown_too)
    for trait in TRAITS:
        stability["traits"][trait] |= unknown | {
            "crosstalk": {other: None for other in TRAITS if other != trait}
        }
    return figures | {
        "subjects": 8,
        "profiles": 7,
        "exact_match": exact | {"hits": 13, "cells": 96, "p_value": p},
        **parts.scoring(exact["value"]),
    }
