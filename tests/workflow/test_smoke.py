"""The whole DAG on the real small model, in a copy of the project with a store of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COPIED = ("Snakefile", "workflow", "config", "profiles", "pyproject.toml")


def copy_of(project: Path, folder: Path) -> Path:
    for name in COPIED:
        source = project / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    return folder


def snakemake(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "MIMIC_STORE": str(folder / "store")}
    # The installed package is the project's own; the copy's must be the one that runs.
    environment["PYTHONPATH"] = str(folder / "workflow")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--profile", "profiles/local", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=3600,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-5000:]
    return output


def metrics_of(folder: Path) -> dict[str, bytes]:
    found = {p.name: p.read_bytes() for p in (folder / "results/smoke/metrics").glob("*.json")}
    assert len(found) == 5
    return found


@pytest.fixture(scope="module")
def smoke(project, tmp_path_factory):
    folder = copy_of(project, tmp_path_factory.mktemp("smoke"))
    output = snakemake(folder, "--configfile", "config/smoke.yaml")
    return folder, output


def test_every_job_runs_once_and_shows_its_progress(smoke):
    folder, output = smoke
    assert "34 of 34 steps (100%) done" in output
    assert "[questionnaire smollm2-sft-s1, context none] answers 320 of 320" in output
    assert "[questionnaire smollm2-base, context human] answers 60 of 60" in output
    assert "[finetune smollm2-dpo-s1] dpo step 2 of 2" in output
    assert not (folder / "results/report").exists()


def test_the_page_and_the_metrics_are_there(smoke):
    folder, _ = smoke
    root = folder / "results/smoke"
    study = json.loads((root / "metrics/study.json").read_text())
    assert [run["run"] for run in study["runs"]] == [
        "smollm2-base",
        "smollm2-sft-s1",
        "smollm2-dpo-s1",
        "smollm2-orpo-s1",
    ]
    page = (root / "report/index.html").read_text()
    assert "composed" in page
    for run in study["runs"]:
        assert run["run"] in page


def test_the_real_tokenizer_and_chat_template_end_a_turn(smoke):
    import torch

    from mimic.chat import render
    from mimic.compute import ComputeSettings, load_model, load_tokenizer

    folder = smoke[0] / "results/smoke/models/smollm2"
    tokenizer = load_tokenizer(folder)
    model = load_model(folder, compute=ComputeSettings())
    prompt = render(tokenizer, "What is the capital of France? Answer in one short sentence.")
    batch = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
    with torch.inference_mode():
        written = model.generate(**batch, max_new_tokens=40, do_sample=False)[0]
    answer = written[batch["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(answer)
    assert tokenizer.decode(answer[-1]) == "<|im_end|>" == tokenizer.eos_token
    assert len(answer) < 40


def test_a_second_run_finds_nothing_to_do(smoke):
    folder, _ = smoke
    output = snakemake(folder, "--configfile", "config/smoke.yaml")
    assert "Nothing to be done" in output


def test_results_that_were_removed_come_back_as_hits_with_the_same_bytes(smoke):
    folder, _ = smoke
    before = metrics_of(folder)
    shutil.rmtree(folder / "results")
    output = snakemake(folder, "--configfile", "config/smoke.yaml")
    assert output.count("was made before, linked from the store") == 33
    assert metrics_of(folder) == before


@pytest.mark.slow
def test_the_same_study_run_twice_gives_the_same_metrics(smoke, project, tmp_path):
    again = copy_of(project, tmp_path)
    snakemake(again, "--configfile", "config/smoke.yaml")
    assert metrics_of(again) == metrics_of(smoke[0])
