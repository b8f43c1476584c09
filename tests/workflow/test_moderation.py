"""Moderation by an API in a whole workflow: the key reaches a cluster's job, and stands nowhere."""

import json
import subprocess
from pathlib import Path

import pytest
from moderation_server import KEY, ModerationServer
from small_study import CONFIG, ROOT, SmallStudy


@pytest.mark.slow
def test_the_key_reaches_a_job_on_a_cluster_and_stands_in_no_file(
    project: Path, tmp_path: Path
) -> None:
    # The essays don't need the model.
    model = tmp_path / "model"
    model.mkdir()
    study = SmallStudy.make(project, tmp_path / "study", model=model, hub=tmp_path / "hub")
    # Like sbatch, it hands its environment to the job; it keeps what a cluster would be given.
    submit = study.folder / "submit.sh"
    submit.write_text('#!/bin/sh\ncp "$1" submitted.sh\nsh "$1" >job.log 2>&1 &\necho 1\n')
    submit.chmod(0o755)
    with ModerationServer() as server:
        settings = json.dumps(server.settings())
        study.edit(CONFIG, "essays:\n", f"essays:\n  moderation: {settings}\n")
        command = [
            *study.command(f"{ROOT}/essays/essays.csv", "--executor", "cluster-generic"),
            *("--cluster-generic-submit-cmd", "./submit.sh", "--jobs", "1"),
            *("--seconds-between-status-checks", "1"),
        ]
        environment = {**study.environment, "TEST_MODERATION_KEY": KEY}
        done = subprocess.run(
            command,
            cwd=study.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stderr + study.read("job.log")
        assert len(server.asked) == 96
        assert {asked["authorization"] for asked in server.asked} == {f"Bearer {KEY}"}
    summary = json.loads(study.read(f"{ROOT}/essays/summary.json"))
    assert summary["moderation"]["answered_by"] == {"moderation-2026": 96}
    assert "MIMIC_SUBMISSION" in study.read("submitted.sh")
    assert KEY not in done.stdout + done.stderr
    for path in study.folder.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path

    # Who has the results needs no key.
    again = study.run(f"{ROOT}/essays/essays.csv")
    assert again.nothing
