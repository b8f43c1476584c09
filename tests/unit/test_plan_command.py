"""`mimic plan`: what it prints, its exit status, and what records of former runs change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mimic import cli
from mimic.files import write_json
from mimic.finetune.settings import DpoSettings, SftSettings
from mimic.provenance.records import make_record
from mimic.provenance.store import RECORD
from mimic.study import load_models
from mimic.study_checks import MODELS_FILE
from mimic.writing.settings import WritingSettings

GPU: dict[str, Any] = {"device": "cuda", "precision": "bfloat16"}
PACKED: dict[str, Any] = {
    "models": ["llama-3.1-8b", "gemma-2-2b", "gpt-3.5"],
    "compute": GPU,
    "essays": {"source": {"kind": "csv", "path": "not-here.csv"}},
    "finetune": {
        "methods": ["sft", "dpo"],
        "seeds": [1, 2, 3],
        "pack": 2,
        "sft": {"precision": "bfloat16", "max_length": 1024},
        "dpo": {"precision": "bfloat16", "quantisation": "nf4", "max_length": 1024},
    },
}
TOO_LARGE: dict[str, Any] = {
    "models": ["llama-3.1-70b"],
    "compute": GPU,
    "finetune": {
        "methods": ["sft", "dpo"],
        "sft": {"precision": "bfloat16"},
        "dpo": {"precision": "bfloat16", "quantisation": "nf4", "accumulation": 4},
    },
    "questionnaire": {"contexts": ["none"]},
}


@pytest.fixture
def plan(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str]]:
    """Plan a study of these settings; exit status and what was printed."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("MIMIC_STORE", str(tmp_path / "store"))

    def call(values: dict[str, Any], *arguments: str) -> tuple[int, str]:
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(values))
        status = cli.main(["plan", "--configfile", str(path), *arguments])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return call


def rows_of(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


def test_the_default_study_runs_on_a_laptop(plan):
    status, out = plan({})
    assert status == 0
    rows = rows_of(out)
    assert "on CPU, 1 thread, one job after the other" in out.splitlines()[0]
    heads = "jobs what CPUs weights adapter optim. activ. cache rest all fits nodes hours"
    assert heads.split() in rows
    (sft,) = [row for row in rows if row[1:2] == ["sft"]]
    # Of 134.5 million parameters in float32.
    assert sft[3] == "0.54" and sft[-3:-1] == ["yes", "–"]
    assert [row[:2] for row in rows if row[1:2] == ["writing"]] == [["4", "writing"]]
    assert "smollm2, 134.5 million parameters" in out.splitlines()
    assert "the whole study: 0." in out
    assert "node-hours" not in out


def test_a_table_of_100_columns_says_what_a_study_takes_of_a_machine(plan):
    status, out = plan(PACKED)
    assert status == 0
    assert max(map(len, out.splitlines()[1:])) <= 100
    assert "on nodes of 4 × A100 40 GB, allocated whole" in out
    heads = {"llama-3.1-8b, 8.03 billion parameters", "gemma-2-2b, 2.61 billion parameters"}
    assert heads <= set(out.splitlines())
    assert "3 dpo, nf4" in out and "3 sft" in out
    assert "note: gpt-3.5 runs at its provider, on no device of this plan" in out
    assert "note: the corpus isn't on this machine: 2,467 essays" in out
    # Packs of two on nodes of four GPUs leave half of them idle, at least.
    rows = rows_of(out)
    (finetune,) = [row for row in rows if row[:1] == ["finetune"]]
    assert float(finetune[5].strip("(%)")) > 50
    assert "0 of 6 packs leave at most 10% idle" in out
    assert "hours, 0.08 GPU-hours idle: llama-3.1-8b-sft-s3 0.04, llama-3.1-8b-dpo-s3 0.03" in out


def test_packs_as_wide_as_a_node_leave_nothing_idle(plan):
    packed = PACKED["finetune"] | {"pack": 4, "seeds": [1, 2, 3, 4]}
    status, out = plan(PACKED | {"finetune": packed})
    assert status == 0
    assert "4 of 4 packs leave at most 10% idle" in out
    (finetune,) = [row for row in rows_of(out) if row[:1] == ["finetune"]]
    assert finetune[5] == "(0%)"


def test_devices_that_share_a_job_leave_none_idle_and_take_less_time(plan):
    one, four = (
        json.loads(plan(PACKED | {"compute": GPU | {"devices": devices}}, "--json")[1])
        for devices in (1, 4)
    )
    for stage in ("writing", "questionnaire"):
        shares = [each["stages"][stage]["as_set"]["idle_share"] for each in (one, four)]
        assert shares == [pytest.approx(0.75), pytest.approx(0.0)]
    jobs = zip(one["jobs"], four["jobs"], strict=True)
    for alone, shared in jobs:
        if alone["stage"] != "finetune":
            assert (alone["devices"], shared["devices"]) == (1, 4)
            assert alone["hours"] / 4 < shared["hours"] < alone["hours"]


def test_the_reference_study_fits_and_leaves_next_to_nothing_idle(plan, project):
    paper = yaml.safe_load((project / "config/paper.yaml").read_text(encoding="utf-8"))
    status, out = plan(paper, "--json")
    values = json.loads(out)
    assert status == 0 and values["fits"]
    assert not [job["name"] for job in values["jobs"] if job["tight"]]
    assert values["study"]["as_set"]["idle_share"] < 0.1


def test_the_same_for_machines(plan):
    status, out = plan(PACKED, "--json")
    assert status == 0
    values = json.loads(out)
    assert values["fits"] and values["served"] == ["gpt-3.5"]
    sizes = {name: model["parameters"] for name, model in values["models"].items()}
    assert sizes == {"llama-3.1-8b": 8_030_261_248, "gemma-2-2b": 2_614_341_888}
    trained = {job["name"]: job for job in values["jobs"] if job["stage"] == "finetune"}
    packs = {label: job["pack"] for label, job in trained.items() if "gemma-2-2b-sft" in label}
    assert packs == {
        "gemma-2-2b-sft-s1": "gemma-2-2b-sft-s1",
        "gemma-2-2b-sft-s2": "gemma-2-2b-sft-s1",
        "gemma-2-2b-sft-s3": "gemma-2-2b-sft-s3",
    }
    assert not any(job["model"] == "gpt-3.5" for job in values["jobs"])
    for job in values["jobs"]:
        assert job["bytes"]["total"] == pytest.approx(
            sum(size for part, size in job["bytes"].items() if part != "total")
        )
    study, stages = values["study"]["as_set"], values["stages"]
    for figure in ("node_hours", "gpu_hours", "idle_gpu_hours"):
        parts = sum(stage["as_set"][figure] for stage in stages.values())
        assert study[figure] == pytest.approx(parts)


def test_what_does_not_fit_is_named_with_what_to_set(plan):
    status, out = plan(TOO_LARGE)
    assert status == 1
    said = " ".join(out.split())
    assert "llama-3.1-70b: finetune.sft: " in said
    assert "over the 40 GB of A100 40 GB (weights 141.1" in said
    assert "another training that fits: finetune.sft: {" in said
    # QLoRA is the same training on two devices, and planned so.
    assert (
        "the same training fits with finetune.dpo: {launch: {config: fsdp1_qlora, devices: 2}}"
        in said.replace("checkpointing: true, ", "")
    )
    rows = rows_of(out)
    assert ["1", "dpo,", "nf4,"] in [row[:3] for row in rows]
    (sft,) = [row for row in rows if row[1:2] == ["sft"]]
    assert sft[-4] == "no" and sft[-1] == "–"
    # Neither do the whole weights fit where a text is written, or a question answered.
    assert "writing: 1" in said and "no batch fits. Take a smaller model" in said
    assert "questionnaire: 1" in said
    assert "without the 7 jobs that don't fit" in said


def test_a_larger_device_can_be_planned_for(plan):
    settings = TOO_LARGE | {"models": ["llama-3.1-8b"]}
    bytes_on = {
        kind: json.loads(plan(settings, "--json", "--device", kind)[1])["device"]
        for kind in ("h200", "a100-40", "cpu")
    }
    assert bytes_on == {"h200": "H200", "a100-40": "A100 40 GB", "cpu": "CPU, 1 thread"}


def test_mistakes_are_told_in_words(plan):
    status, out = plan({"finetune": {"sfft": {}}})
    assert status == 2
    assert "finetune.sfft: no such setting" in out


def a_record(
    folder: Path, step: str, settings: dict[str, Any], *, seconds: float, megabytes: float
) -> dict[str, Any]:
    """An entry of the store that tells of a step on this machine's CPU."""
    source = load_models(MODELS_FILE)["smollm2"].source.model_dump(mode="json")
    identity = {
        "rule": step.split(".")[0],
        "run": None,
        "step": step,
        "settings": settings | {"compute": {"threads": 1}},
        "origins": {"models": [{"source": source, "sha256": "1" * 64}]},
        "environment": {"group": "train", "digest": "2" * 16, "versions": {}},
        **{name: {} for name in ("seeds", "code", "sources", "inputs", "outputs")},
    }
    circumstances = {
        "host": "here",
        "python": "3.11",
        "git": {},
        "started": "2026-01-01T00:00:00.000000Z",
        "ended": f"2026-01-01T00:{int(seconds // 60):02d}:{seconds % 60:09.6f}Z",
        "attempts": 1,
        "device": {"cpu": "one", "gpus": []},
        "peak_memory_mb": megabytes,
    }
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    record = make_record(identity=identity, circumstances=circumstances)
    write_json(folder / RECORD, record)
    return record


def test_runs_that_were_made_calibrate_the_plan(plan, tmp_path):
    study = {"finetune": {"methods": ["sft"]}}
    before = json.loads(plan(study, "--json")[1])
    assert before["factors"] == []
    sft, written = (
        next(job for job in before["jobs"] if job["stage"] == stage)
        for stage in ("finetune", "writing")
    )
    store = tmp_path / "store"
    settings = {"run": {"model": "smollm2", "seed": 1}, "sft": SftSettings().model_dump()}
    settings["launch"] = settings["sft"].pop("launch")
    a_record(
        store / ("a" * 40),
        "finetune.sft",
        settings,
        seconds=2 * 3600 * sft["hours"],
        megabytes=3 * sft["bytes"]["total"] / 2**20,
    )
    learning = {
        "steps": 12,
        "checks": [{"check": "validation loss", "examples": sft["task"]["looked_at"] // 2}],
    }
    write_json(store / ("a" * 40) / "learning.json", learning)
    a_record(
        store / ("b" * 40),
        "writing.write",
        {"writing": WritingSettings().model_dump()},
        seconds=0.5 * 3600 * written["hours"],
        megabytes=written["bytes"]["total"] / 2**20,
    )
    # What tells nothing: settings of another time, another step, a record that was edited.
    a_record(store / ("c" * 40), "finetune.sft", {"sft": {"gone": 1}}, seconds=1, megabytes=1)
    a_record(store / ("d" * 40), "judge.train", {}, seconds=1, megabytes=1)
    edited = a_record(store / ("e" * 40), "finetune.sft", settings, seconds=1, megabytes=1)
    write_json(store / ("e" * 40) / RECORD, edited | {"identity": {}})

    after = json.loads(plan(study, "--json")[1])
    factors = {(one["method"], one["quantity"]): one["value"] for one in after["factors"]}
    assert factors == {
        ("sft", "seconds"): pytest.approx(2.0, rel=1e-3),
        ("sft", "bytes"): pytest.approx(3.0, rel=1e-3),
        ("writing", "seconds"): pytest.approx(0.5, rel=1e-3),
        ("writing", "bytes"): pytest.approx(1.0, rel=1e-3),
    }
    again = next(job for job in after["jobs"] if job["stage"] == "finetune")
    assert again["hours"] == pytest.approx(sft["hours"])
    assert again["calibrated_hours"] == pytest.approx(2 * sft["hours"], rel=1e-3)
    assert again["bytes"]["total"] == pytest.approx(3 * sft["bytes"]["total"], rel=1e-3)
    status, out = plan(study)
    assert status == 0
    assert "calibrated: seconds of sft × 2.00 (1 run)" in out


@pytest.mark.parametrize("conditioning", ["prompt", "adapter"])
def test_a_reference_that_was_computed_once_is_planned_once(plan, tmp_path, conditioning):
    dpo = {"epochs": 3, "pairs": None, "precompute_reference": True, "evaluations": 2}
    finetune = {"methods": ["dpo"], "conditioning": [conditioning], "dpo": dpo}
    study = {"finetune": finetune, "essays": {"source": {"kind": "csv", "path": "not-here.csv"}}}
    before = json.loads(plan(study, "--json")[1])
    (job,) = [job for job in before["jobs"] if job["stage"] == "finetune"]
    task = job["task"]
    # Three epochs, each step filled up to one pair.
    assert task["examples"] * 3 == task["steps"]
    assert task["adapters"] == (1 if conditioning == "prompt" else 16)
    adapters = {} if conditioning == "prompt" else {"adapters": task["adapters"]}
    settings = {"run": {"model": "smollm2", "seed": 1}, "dpo": DpoSettings(**dpo).model_dump()}
    settings["launch"] = settings["dpo"].pop("launch")
    folder = tmp_path / "store" / ("a" * 40)
    a_record(folder, "finetune.dpo", settings, seconds=3000, megabytes=1000)
    checked = 5 * task["adapters"]
    checks = [
        {"check": f"{part} margin", "examples": checked} for part in ("training", "validation")
    ]
    write_json(folder / "learning.json", {"steps": task["steps"], "checks": checks, **adapters})
    factors = json.loads(plan(study, "--json")[1])["factors"]
    (factor,) = [one["value"] for one in factors if one["quantity"] == "seconds"]
    assert factor == pytest.approx(3000 / (3600 * job["hours"]), rel=1e-9)
