"""The rules of the reference study at full size resolve."""

import re
import shutil

import pytest
from test_smoke import copy_of, snakemake

from mimic.study import load_study, read_settings


@pytest.mark.slow
def test_every_job_of_the_reference_study_is_resolved(project, tmp_path, monkeypatch):
    folder = copy_of(project, tmp_path)
    # In the layout of the corpus, which isn't part of the project.
    (folder / "data").mkdir()
    shutil.copy2(project / "workflow/resources/composed_essays.csv", folder / "data/essays.csv")
    output = snakemake(folder, "--configfile", "config/paper.yaml", "--dry-run")
    jobs = {name: int(n) for name, n in re.findall(r"^([a-z_]+) +(\d+)$", output, re.MULTILINE)}
    monkeypatch.chdir(folder)
    path = folder / "config/paper.yaml"
    study = load_study(read_settings(path), source=str(path))
    trained = sum(not run.is_base for run in study.runs.values())
    assert jobs["finetune"] == jobs["pairs"] == trained
    assert jobs["writing"] == jobs["metrics_run"] == len(study.measured)
    # Of a model that a provider serves nothing is fetched but what the settings say.
    assert jobs["models"] == len(study.models)
    assert jobs["pack"] > trained / 4 - 4
