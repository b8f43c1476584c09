"""What the steps of the metrics stage read, made up, and a run of the first of them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mimic.files import write_json
from mimic.metrics.run import main as run_main
from mimic.metrics.series import main as series_main
from mimic.step import Job
from mimic.traits import TRAITS, balanced_profiles

INSTRUMENTS = Path(__file__).parents[2] / "config/instruments"


def write_answers(
    path: Path,
    *,
    sd: float,
    seed: int,
    formats: tuple[str, ...] = ("digits",),
    variant: int = 0,
) -> Path:
    path.parent.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    rows = []
    for profile in balanced_profiles(16):
        for name, wording in itertools.product(formats, ("w1", "w2", "w3")):
            for order in ("published", "reversed"):
                for n, trait in enumerate(TRAITS * 4):
                    plus = n < 10
                    level = 1 if profile.levels[n % 5] == plus else -1
                    raw = float(np.clip(3 + level + generator.normal(0, sd), 1.01, 4.99))
                    low = int(raw)
                    options = [0.0] * 5
                    options[low - 1], options[low] = low + 1 - raw, raw - low
                    rows.append(
                        {
                            "subject": str(profile),
                            "profile": str(profile),
                            "variant": variant,
                            "item": f"i{n}",
                            "trait": trait,
                            "keyed": "plus" if plus else "minus",
                            "cluster": f"c{n}",
                            "form": f"{name}-{wording}-{order}",
                            "format": name,
                            "wording": wording,
                            "order": order,
                            **{f"p{k + 1}": value for k, value in enumerate(options)},
                            "mass": 1.0,
                            "raw": raw,
                            "y": raw if plus else 6 - raw,
                        }
                    )
    pd.DataFrame(rows).to_parquet(path)
    return path


def write_probabilities(path: Path) -> Path:
    rows = [
        {
            "id": f"{profile}-{sample}",
            "profile": str(profile),
            "situation": "letter",
            "sample": sample,
            "copied": 0,
            "deleted": 1,
            **{t: 0.7 if high else 0.4 for t, high in zip(TRAITS, profile.levels, strict=True)},
        }
        for profile in balanced_profiles(16)[:8]
        for sample in (0, 1)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def write_files(tmp_path: Path) -> dict[str, Path]:
    essays = tmp_path / "essays"
    essays.mkdir()
    levels = [p.levels for p in balanced_profiles(16)] * 2
    pd.DataFrame(levels[:-1], columns=list(TRAITS)).astype(int).to_csv(essays / "essays.csv")
    write_json(essays / "manifest.json", {})
    write_json(essays / "summary.json", {"corpus": "composed"})
    write_json(tmp_path / "gates.json", {"passed": True, "gates": [], "reference": None})
    judge = tmp_path / "judge"
    judge.mkdir()
    write_json(judge / "manifest.json", {})
    accuracy = {"value": 0.6, "low": 0.55, "high": 0.65, "interval": "wilson", "n": 50}
    figure = {
        "reference": {"mean_accuracy": accuracy},
        "reference_name": "composed reference",
        "majority_accuracy": dict.fromkeys(TRAITS, 0.5),
        "reference_majority_accuracy": dict.fromkeys(TRAITS, 0.5),
    }
    write_json(judge / "figure.json", figure)
    check = {"check": "validation loss", "before": 3.1, "after": 2.9, "change": -0.2}
    check |= {"standard_error": 0.01, "required": True, "passed": True}
    write_json(tmp_path / "learning.json", {"method": "sft", "steps": 9, "checks": [check]})
    write_json(tmp_path / "hygiene.json", {"texts": 32})
    return {
        "run": write_answers(tmp_path / "run/answers.parquet", sd=0.1, seed=1),
        "base": write_answers(tmp_path / "base/answers.parquet", sd=0.5, seed=2),
        "texts": write_probabilities(tmp_path / "probabilities.csv"),
        "essays": essays / "essays.csv",
        "judge": judge / "manifest.json",
        "learning": tmp_path / "learning.json",
        "hygiene": tmp_path / "hygiene.json",
        "gates": tmp_path / "gates.json",
    }


def run_step(
    files: dict[str, Path],
    out: Path,
    *,
    method: str,
    null: int | None = None,
    items: dict[str, list[Path]] | None = None,
    conditioning: str | None = None,
    inputs: dict[str, list[Path]] | None = None,
    settings: dict[str, Any] | None = None,
) -> dict[str, Any]:
    base = method == "base"
    answers = files["base"] if base else files["run"]
    out.mkdir(exist_ok=True)
    label = f"tiny-{method}" + (f"-null{null}" if null else "")
    job = Job(
        name=f"metrics {label}",
        settings={
            "metrics": {"bootstrap_draws": 200, "permutations": 199},
            "run": {
                "label": label,
                "model": "tiny",
                "method": method,
                "seed": 1,
                "series": label,
                "null": null,
                "judge": "reading",
                "profiles_withheld": method == "dpo",
                "served": False,
                **({"conditioning": conditioning} if conditioning else {}),
            },
            "contexts": ["none", "own"],
            "seen_in": "none",
            "generated": [],
            "protocols": [],
            **(settings or {}),
        },
        inputs={
            "answers": [answers, answers],
            "base_answers": [files["base"], files["base"]],
            "probabilities": [files["texts"]],
            "base_probabilities": [files["texts"]],
            "hygiene": [files["hygiene"]],
            "instrument": [INSTRUMENTS / "mini_ipip.yaml"],
            "generated": [],
            "essays": [files["essays"]],
            "learning": [] if base else [files["learning"]],
            **{"trained_items": [], "splits": [], "seen": [], **(items or {}), **(inputs or {})},
        },
        out=out,
    )
    run_main(job)
    found: dict[str, Any] = json.loads((out / f"{label}.json").read_text())
    return found


def run_series(
    files: dict[str, Path],
    out: Path,
    *,
    contexts: list[str],
    instrument: Path,
    **inputs: list[Path],
) -> None:
    """Write the figures of two seeds of tiny-sft and their null adapter; texts are the same."""
    settings = {
        "metrics": {"bootstrap_draws": 200, "permutations": 199},
        "series": {
            "label": "tiny-sft",
            "model": "tiny",
            "method": "sft",
            "runs": ["tiny-sft-s1", "tiny-sft-s2"],
            "nulls": ["tiny-sft-null1-s1"],
        },
        "contexts": contexts,
        "compared_in": "none",
    }
    same = {
        "probabilities": [files["texts"], files["texts"]],
        "null_probabilities": [files["texts"]],
        "trained_items": [],
        "splits": [],
        "instrument": [instrument],
    }
    series_main(Job(name="series", settings=settings, inputs=same | inputs, out=out))
