"""The steps of the metrics stage, from files to files."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mimic.files import write_json
from mimic.metrics.run import main as run_main
from mimic.metrics.series import main as series_main
from mimic.metrics.study import main as study_main
from mimic.step import Job
from mimic.traits import TRAITS, balanced_profiles

INSTRUMENTS = Path(__file__).parents[2] / "config/instruments"
STUDY = {
    "swept": [],
    "models": {
        "tiny": {"aligned": "aligned", "pair": None, "family": None, "parameters": 1.0},
    },
    "metrics": {"bootstrap_draws": 200, "permutations": 199},
}


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


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
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
            **{"trained_items": [], "splits": [], "seen": [], **(items or {})},
        },
        out=out,
    )
    run_main(job)
    found: dict[str, Any] = json.loads((out / f"{label}.json").read_text())
    return found


def test_a_run_and_its_base_in_one_study(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "metrics"
    base = run_step(files, out, method="base")
    run = run_step(files, out, method="sft")
    assert set(run["questionnaire"]) == {"none", "own"}
    stability = run["questionnaire"]["own"]["stability"]
    assert stability["reduction"]["low"] > 0.5
    assert all(stability["more_stable"].values())
    assert base["questionnaire"]["own"]["stability"]["reduction"] is None
    assert base["learning"] is None
    assert run["learning"]["method"] == "sft"
    assert run["hygiene"] == {"texts": 32}
    baselines = run["baselines"]
    assert baselines["uniform"] == 0.03125
    assert baselines["modal_profile"] == {
        "profile": "O+C+E+A+N+",
        "share_of_essays": 0.06451612903,
        "questionnaire": {"none": 0.0625, "own": 0.0625},
        "texts": 0.125,
    }
    # Eight profiles were written for.
    shares = {"questionnaire": {"none": 0.0625, "own": 0.0625}, "texts": 0.125}
    assert baselines["constant_profile"] == shares
    against = run["questionnaire"]["own"]["against_base"]
    matched = [one["questionnaire"]["own"]["exact_match"]["value"] for one in (run, base)]
    assert against["exact_match"]["difference"] == pytest.approx(matched[0] - matched[1])
    assert against["exact_match"]["p_value"] > 0.5
    assert against["noise_to_signal"]["difference"] < 0
    assert against["noise_to_signal"]["p_value"] <= 0.01
    assert run["texts"]["against_base"] == {"exact_match": {"difference": 0.0, "p_value": 1.0}}
    assert base["questionnaire"]["own"]["against_base"] is base["texts"]["against_base"] is None
    base_match = base["questionnaire"]["none"]["exact_match"]["value"]
    assert baselines["prompt_only"] == {
        "questionnaire": {"none": base_match, "own": base_match},
        "texts": 1.0,
    }
    study_main(
        Job(
            name="study",
            settings=STUDY,
            inputs={
                "swept": [],
                "runs": [out / "tiny-base.json", out / "tiny-sft.json"],
                "series": [],
                "judge": [files["judge"]],
                "other_judges": [],
                "summary": [files["essays"].with_name("summary.json")],
                "gates": [files["gates"]],
            },
            out=out,
        )
    )
    study = json.loads((out / "study.json").read_text())
    assert [found["run"] for found in study["runs"]] == ["tiny-base", "tiny-sft"]
    assert (study["series"], study["family"]["size"]) == ([], 0)
    # One model has nothing to be compared with.
    assert study["confounds"] == {"contrasts": [], "tests": [], "mixed": []}
    assert study["corpus"] == {"corpus": "composed"}
    assert study["gates"] == {"passed": True, "gates": [], "reference": None}
    # One of learning, two contexts for each of two runs, one of the judge.
    assert len(study["checks"]) == 6
    assert [check["context"] for check in study["checks"][1:5]] == ["none", "own"] * 2
    assert all(check["passed"] for check in study["checks"])


def test_null_adapters_are_compared_and_no_results(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "metrics"
    for method, null in (("base", None), ("sft", None), ("sft", 1)):
        run_step(files, out, method=method, null=null)
    (out / "series").mkdir()
    series_main(
        Job(
            name="series",
            settings={
                "metrics": {"bootstrap_draws": 200, "permutations": 199},
                "series": {
                    "label": "tiny-sft",
                    "model": "tiny",
                    "method": "sft",
                    "runs": ["tiny-sft-s1", "tiny-sft-s2"],
                    "nulls": ["tiny-sft-null1-s1"],
                },
                "contexts": ["none", "own"],
                "compared_in": "none",
            },
            inputs={
                # Those of none, then those of own.
                "answers": [files["run"], files["run"], files["base"], files["base"]],
                "base_answers": [files["base"], files["base"]],
                "null_answers": [files["base"]],
                "probabilities": [files["texts"], files["texts"]],
                "null_probabilities": [files["texts"]],
                "trained_items": [],
                "splits": [],
                "instrument": [INSTRUMENTS / "mini_ipip.yaml"],
            },
            out=out / "series",
        )
    )
    inputs = {
        "runs": [out / f"tiny-{name}.json" for name in ("base", "sft", "sft-null1")],
        "series": [out / "series/tiny-sft.json"],
        "swept": [],
        "judge": [files["judge"]],
        "other_judges": [],
        "summary": [files["essays"].with_name("summary.json")],
        "gates": [files["gates"]],
    }
    study_main(Job(name="study", settings=STUDY, inputs=inputs, out=out))
    study = json.loads((out / "study.json").read_text())
    assert [run["run"] for run in study["runs"]] == ["tiny-base", "tiny-sft"]
    # A null adapter that learned nothing would be no comparison.
    assert "tiny-sft-null1" in {check["run"] for check in study["checks"]}
    (series,) = study["series"]
    none, own = (series["over_seeds"]["questionnaire"][name] for name in ("none", "own"))
    assert none["reduction"]["value"] > 0.5
    assert own["reduction"]["value"] == 0
    compared = series["against_null"]["figures"]["S/|B|"]
    assert (compared["beyond"], compared["p_value"] <= 0.01) == (1, True)
    assert series["against_null"]["figures"]["text exact match"]["p_value"] == 1
    assert study["family"]["size"] == 3


@pytest.fixture
def trained(tmp_path: Path) -> dict[str, list[Path]]:
    """What a run that trained on two items of each trait has besides, in the format phrases."""
    write_json(tmp_path / "items.json", {"clusters": [f"c{n}" for n in range(10)]})
    write_json(tmp_path / "splits.json", {"formats": {"digits": "test", "phrases": "train"}})
    seen = write_answers(tmp_path / "seen/answers.parquet", sd=0.1, seed=3, variant=2)
    return {
        "trained_items": [tmp_path / "manifest.json"],
        "splits": [tmp_path / "splits.json"],
        "seen": [seen.with_name("manifest.json")],
    }


def test_a_run_that_trained_on_items_is_measured_on_the_others(
    files: dict[str, Path], trained: dict[str, list[Path]], tmp_path: Path
) -> None:
    items = trained
    run = run_step(files, tmp_path / "trained", method="sft", items=items)
    whole = run_step(files, tmp_path / "whole", method="sft")
    assert (run["item_trained"], whole["item_trained"]) == (True, False)
    assert run["questionnaire"]["own"]["items"] == 10
    assert whole["questionnaire"]["own"]["items"] == 20
    # Its base is measured on the same items.
    base = run["baselines"]["prompt_only"]["questionnaire"]["none"]
    assert base != whole["baselines"]["prompt_only"]["questionnaire"]["none"]
    write_json(tmp_path / "items.json", {"clusters": [f"c{n}" for n in range(0, 20, 5)]})
    with pytest.raises(ValueError, match="all items of openness, so that none is held out"):
        run_step(files, tmp_path / "out", method="sft", items=items)


def test_a_run_that_trained_on_items_is_measured_in_other_formats(
    files: dict[str, Path], trained: dict[str, list[Path]], tmp_path: Path
) -> None:
    both = ("digits", "phrases")
    for name, sd in (("run", 0.1), ("base", 0.5)):
        files[name] = write_answers(
            tmp_path / f"both/{name}/answers.parquet", sd=sd, seed=1, formats=both
        )
    run = run_step(files, tmp_path / "trained", method="sft", items=trained)
    other = run_step(files, tmp_path / "other", method="sft")
    for figures, formats in ((run, {"digits"}), (other, set(both))):
        for found in figures["questionnaire"].values():
            assert {form["format"] for form in found["forms"]} == formats
            assert found["exact_match"]["cells"] == 16 * 6 * len(formats)
    # The base that it is compared with is measured alike.
    base = run["baselines"]["prompt_only"]["questionnaire"]["none"]
    assert base != other["baselines"]["prompt_only"]["questionnaire"]["none"]
    write_json(tmp_path / "splits.json", {"formats": dict.fromkeys(both, "train")})
    with pytest.raises(ValueError, match=r"\(digits, phrases\) are all among forms.trained_form"):
        run_step(files, tmp_path / "none", method="sft", items=trained)


def test_what_training_held_is_told_in_one_context(
    files: dict[str, Path], trained: dict[str, list[Path]], tmp_path: Path
) -> None:
    # Withheld profiles are those of preference training alone.
    run = run_step(files, tmp_path / "metrics", method="dpo", items=trained)
    assert run["seen"]["context"] == "none"
    profiles = [one["counts"]["profiles"] for one in run["seen"]["cells"]]
    assert sorted(profiles) == [4] * 4 + [12] * 4
    parts = [
        one
        for one in run["seen"]["cells"]
        if one["cell"]["items"] == one["cell"]["wordings"] == "unseen"
    ]
    match = run["questionnaire"]["none"]["exact_match"]
    assert sum(one["hits"] for one in parts) == match["hits"]
    base = run_step(files, tmp_path / "metrics", method="base")
    filled = [one["cell"] for one in base["seen"]["cells"] if one["value"] is not None]
    assert filled == [{"items": "unseen", "wordings": "unseen", "profiles": "unseen"}]


def test_the_same_input_gives_the_same_bytes(files: dict[str, Path], tmp_path: Path) -> None:
    for folder in ("one", "two"):
        run_step(files, tmp_path / folder, method="sft")
    one, two = ((tmp_path / f / "tiny-sft.json").read_bytes() for f in ("one", "two"))
    assert one == two


def test_a_base_with_other_items_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    table = pd.read_parquet(files["base"])
    table[table["item"] != "i3"].to_parquet(files["base"])
    with pytest.raises(ValueError, match="context none: the run and its base differ in their item"):
        run_step(files, tmp_path / "out", method="sft")


def test_a_run_that_is_told_no_target_is_at_chance_and_has_no_icc(
    files: dict[str, Path], tmp_path: Path
) -> None:
    answers = pd.read_parquet(files["run"])
    first = answers[answers["subject"] == "O+C+E+A+N+"]
    alike = [
        first.assign(subject=subject, profile=subject) for subject in answers["subject"].unique()
    ]
    pd.concat(alike).to_parquet(files["run"])
    figures = run_step(files, tmp_path / "metrics", method="sft", conditioning="none")
    found = figures["questionnaire"]["none"]
    # Every form names one profile for all, which is at most one of the 16 that are asked for.
    assert 0 < found["exact_match"]["value"] <= 1 / 16
    assert found["exact_match"]["p_value"] == 1
    for key in ("icc", "icc_within"):
        for estimates in found[key].values():
            assert {one["reason"] for one in estimates.values()} == {"the run is told no target"}
            assert {one["value"] for one in estimates.values()} == {None}
