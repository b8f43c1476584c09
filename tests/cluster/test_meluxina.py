"""`snakemake --profile meluxina` as a user types it, on a real Slurm in the shape of MeluXina."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lab_files import ACCOUNT, GPUS
from slurm_lab import SlurmLab

from mimic.plan.by_settings import resources_of, uses_resources_of
from mimic.study import load_study, read_settings

COLUMNS = ("State", "Partition", "Account", "QOS", "ReqTRES", "TimelimitRaw", "NNodes", "Comment")
# What asks a model or trains it, and what of a smoke study is submitted besides.
ON_GPU = {"finetune", "questionnaire", "writing"}
# MB and minutes. A group's jobs run one after the other: its minutes are the sum of theirs.
ON_CPU = {
    "models": (4000, 31),
    "gates": (1000, 15),
    "judge_train": (3000, 60),
    "pairs": (1000, 3 * 15),
    "readings": (3000, 4 * 60),
    "figures": (1500, 4 * 30),
}


def snakemake(
    lab: SlurmLab, clone: Path, *options: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Type the command in the clone."""
    line = [sys.executable, "-m", "snakemake", "--profile", "meluxina", *options]
    return subprocess.run(
        [*line, "--configfile", "config/smoke.yaml"],
        cwd=clone,
        env=os.environ | lab.environment | {"PYTHONPATH": str(clone / "workflow")} | environment,
        capture_output=True,
        text=True,
        timeout=5400,
    )


def kind(comment: str) -> str:
    """The rule of a job, or its group."""
    found = re.match(r"rule_(.*?)(_wildcards_.*)?$", comment)
    assert found, comment
    # A group's job is named after the group and its rule.
    return found.group(1).split("_")[0] if "_wildcards_" not in comment else found.group(1)


def megabytes(requested: str) -> int:
    """Memory among the resources that a job requested, as sacct writes them."""
    found = re.search(r"\bmem=(\d+)M\b", requested)
    assert found, requested
    return int(found.group(1))


def of_the_plan(clone: Path) -> dict[str, tuple[int, int]]:
    """MB and minutes of the jobs that train, ask or write, by their comments."""
    settings = clone / "config/smoke.yaml"
    study = load_study(read_settings(settings), source=str(settings))
    trained, used = resources_of(study), uses_resources_of(study)
    planned = {}
    for label, run in study.runs.items():
        if run.training is not None:
            planned[f"rule_finetune_wildcards_{label}"] = trained(label)
        planned[f"rule_writing_wildcards_{label}"] = used(label, "writing", "")
        for context in study.contexts_of(label):
            # The wildcard before the context is empty but for answers in training wordings.
            comment = f"rule_questionnaire_wildcards__{context}_{label}"
            planned[comment] = used(label, "questionnaire", context)
    return {comment: (one.mem_mb, one.runtime) for comment, one in planned.items()}


@pytest.mark.slow
def test_the_smoke_study_runs_and_each_job_asks_for_what_it_should(lab, clone):
    before = len(lab.jobs("State"))
    done = snakemake(lab, clone)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert (clone / "results/smoke/report/index.html").is_file()
    jobs = lab.jobs(*COLUMNS)[before:]
    assert {job["State"] for job in jobs} == {"COMPLETED"}
    assert {(job["Account"], job["QOS"], job["NNodes"]) for job in jobs} == {
        (ACCOUNT, "default", "1")
    }
    # Light jobs are none of Slurm's.
    assert {kind(job["Comment"]) for job in jobs} == ON_GPU | set(ON_CPU)
    hosts = [
        (job["Comment"], (megabytes(job["ReqTRES"]), int(job["TimelimitRaw"]))) for job in jobs
    ]
    on_gpu = {comment: asked for comment, asked in hosts if kind(comment) in ON_GPU}
    assert on_gpu == of_the_plan(clone)
    for comment, asked in hosts:
        assert comment in on_gpu or asked == ON_CPU[kind(comment)], comment
    for job in jobs:
        asked = dict(part.split("=") for part in job["ReqTRES"].split(","))
        is_on_gpu = job["Comment"] in on_gpu
        assert job["Partition"] == ("gpu" if is_on_gpu else "cpu"), job
        assert asked.get("gres/gpu") == (str(GPUS) if is_on_gpu else None), job
    again = snakemake(lab, clone)
    assert "Nothing to be done" in again.stdout + again.stderr
    assert len(lab.jobs("State")) == before + len(jobs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "edit", "words"),
    [
        ({"MELUXINA_ACCOUNT": ""}, {}, f"MELUXINA_ACCOUNT isn't set; .*{ACCOUNT}"),
        ({"MELUXINA_ACCOUNT": "p1"}, {}, "MELUXINA_ACCOUNT is p1, which is no account of yours"),
        ({}, {"qos: default": "qos: large"}, "qos = 'large': not allowed; yours are .*default"),
        ({}, {"qos: default": "qos: short"}, "QOS short ends jobs after 360 minutes"),
        ({}, {"partition: gpu": "partition: gpus"}, "gpu.partition = 'gpus': there is no such"),
    ],
)
def test_what_slurm_would_refuse_is_refused_before(lab, clone, environment, edit, words):
    before = len(lab.jobs("State"))
    site = clone / "profiles/meluxina/site.yaml"
    for former, new in edit.items():
        assert site.read_text().count(f"{former}\n") == 1
        site.write_text(site.read_text().replace(f"{former}\n", f"{new}\n"))
    done = snakemake(lab, clone, **environment)
    assert done.returncode == 1
    assert re.search(words, done.stdout + done.stderr), done.stderr[-3000:]
    assert len(lab.jobs("State")) == before
    assert not (clone / "results").exists()
