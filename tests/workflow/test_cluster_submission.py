"""What `snakemake --profile meluxina` submits and refuses; Slurm's commands are stand-ins."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from test_smoke import copy_of, snakemake

from mimic.cluster.guard import LOCK
from mimic.provenance.lock import hold_if_free

ANSWERS = {
    "sacctmgr": 'case "$*" in *assoc*) echo "p1|default";; *qos*) echo "default|2-00:00:00";;'
    " *) echo p1; esac",
    "sinfo": "echo cpu; echo gpu",
    "squeue": "true",
    "scontrol": 'echo "MinJobAge               = ${MIN_JOB_AGE:-300} sec"',
    "sacct": "true",
    "sbatch": 'echo "$*" >> submitted; exit 1',
    "scancel": "true",
}


@pytest.fixture
def failed(project, tmp_path):
    """Type the command, which fails, in a copy of the project; what it said."""
    folder, commands = tmp_path / "clone", tmp_path / "bin"
    folder.mkdir()
    commands.mkdir()
    copy_of(project, folder)
    for name, script in ANSWERS.items():
        (commands / name).write_text(f"#!/bin/sh\n{script}\n")
        (commands / name).chmod(0o755)

    def run(*options, **environment):
        there = os.environ | {
            "PATH": f"{commands}:{os.environ['PATH']}",
            "PYTHONPATH": str(folder / "workflow"),
            "MIMIC_STORE": str(tmp_path / "store"),
            "MELUXINA_ACCOUNT": "p1",
        }
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "--profile", "profiles/meluxina", *options],
            cwd=folder,
            env=there | environment,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stdout + done.stderr

    run.folder = folder
    return run


@pytest.fixture
def refused(failed):
    """The same where nothing is to be submitted."""

    def run(*options, **environment):
        said = failed(*options, **environment)
        assert not (failed.folder / "submitted").exists()
        return said

    run.folder = failed.folder
    return run


SMOKE = ("--configfile", "config/smoke.yaml")


def test_a_slurm_that_forgets_jobs_too_soon_is_refused(refused):
    said = refused(*SMOKE, MIN_JOB_AGE="100")
    assert "nothing was submitted:\n  MinJobAge: ended jobs are forgotten after 100 s; 240" in said


def test_jobs_that_no_node_could_run_are_refused_together_before_any_runs(refused):
    site = refused.folder / "profiles/meluxina/site.yaml"
    site.write_text(site.read_text().replace("max_minutes: 2880", "max_minutes: 50"))
    said = refused(*SMOKE)
    told = "; the site's max_minutes is 50. Name a longer QOS"
    assert "nothing was submitted:\n  " in said
    assert f"writing smollm2-base and 3 more: writing needs 60 minutes{told}" in said
    assert f"finetune smollm2-dpo-s1 and 2 more: finetune needs 120 minutes{told}" in said
    assert "pairs needs" not in said
    assert not (refused.folder / "results/smoke/essays/essays.csv").exists()


def test_a_model_that_the_cache_lacks_and_an_api_s_key_that_is_not_set_are_refused(
    refused, tmp_path
):
    settings = yaml.safe_load((refused.folder / "config/smoke.yaml").read_text())
    settings["models"] = ["smollm2", "llama-3.2-3b-instruct", "gpt-3.5"]
    settings["questionnaire"]["protocols"] = ["likelihood", "corrected"]
    (refused.folder / "config/mine.yaml").write_text(yaml.safe_dump(settings))
    said = refused(
        "--configfile", "config/mine.yaml", HF_HOME=str(tmp_path / "hub"), OPENAI_API_KEY=""
    )
    assert "nothing was submitted:\n  meta-llama/Llama-3.2-3B-Instruct isn't complete in" in said
    assert f"mimic download --configfile {refused.folder}/config/mine.yaml" in said
    assert "OPENAI_API_KEY is not set; model gpt-3.5, which its provider serves, needs" in said


def test_a_group_asks_for_the_time_of_its_jobs_and_the_rest_of_one(failed):
    root = Path("results/smoke")
    for name in ("essays.csv", "manifest.json"):
        (failed.folder / root / "essays").mkdir(parents=True, exist_ok=True)
        (failed.folder / root / "essays" / name).write_text("{}")
    runs = [f"smollm2-{method}-s1" for method in ("sft", "dpo", "orpo")]
    quick = ("--retries", "0", "--slurm-init-seconds-before-status-checks", "1")
    failed(*quick, *SMOKE, "--", *(f"{root}/pairs/{run}/manifest.json" for run in runs))
    (asked,) = (failed.folder / "submitted").read_text().splitlines()
    assert " -t 45 " in asked
    assert " --mem 1000 " in asked
    assert " --cpus-per-task=1 " in asked
    assert "--nodes" not in asked


def test_a_run_on_this_machine_beside_one_on_a_cluster_is_refused(project, tmp_path):
    folder = copy_of(project, tmp_path)
    (folder / LOCK).parent.mkdir()
    with hold_if_free(folder / LOCK) as held:
        assert held is not None
        with pytest.raises(AssertionError, match="snakemake submits jobs to a cluster from this"):
            snakemake(folder, "results/smoke/forms/forms.json", *SMOKE)
        snakemake(folder, *SMOKE, "--dry-run")
