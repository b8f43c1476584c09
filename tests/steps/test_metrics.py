"""The steps of the metrics stage, from files to files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from metrics_files import INSTRUMENTS, run_series, run_step, write_files

from mimic.metrics.study import main as study_main
from mimic.step import Job

STUDY = {
    "swept": [],
    "models": {
        "tiny": {"aligned": "aligned", "pair": None, "family": None, "parameters": 1.0},
    },
    "metrics": {"bootstrap_draws": 200, "permutations": 199},
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return write_files(tmp_path)


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


def test_null_adapters_are_compared_and_no_results(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "metrics"
    for method, null in (("base", None), ("sft", None), ("sft", 1)):
        run_step(files, out, method=method, null=null)
    (out / "series").mkdir()
    run_series(
        files,
        out / "series",
        contexts=["none", "own"],
        instrument=INSTRUMENTS / "mini_ipip.yaml",
        # Those of none, then those of own.
        answers=[files["run"], files["run"], files["base"], files["base"]],
        base_answers=[files["base"], files["base"]],
        null_answers=[files["base"]],
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
    assert "check failed" not in capsys.readouterr().out
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

    # A check that fails is said in the terminal, too.
    run = json.loads(inputs["runs"][1].read_text())
    run["learning"]["checks"][0]["passed"] = False
    inputs["runs"][1].write_text(json.dumps(run))
    study_main(Job(name="study", settings=STUDY, inputs=inputs, out=out))
    assert "check failed: tiny-sft, learning: " in capsys.readouterr().out


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
