"""Models for jobs of a site whose compute nodes have no network come from the hub's cache alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml
from tiny_llama import ENTRY


@pytest.mark.slowest
def test_no_job_is_submitted_for_a_model_that_the_cache_lacks(lab, clone, tmp_path):
    (clone / "config/models.yaml").write_text(yaml.safe_dump({"tiny": ENTRY}))
    settings = yaml.safe_load((clone / "config/smoke.yaml").read_text())
    settings |= {"root": "results/offline", "models": ["tiny"]}
    (clone / "mine.yaml").write_text(yaml.safe_dump(settings))
    before = len(lab.jobs("State"))
    environment = os.environ | lab.environment | {"PYTHONPATH": str(clone / "workflow")}
    environment.pop("HF_HUB_OFFLINE", None)
    line = [sys.executable, "-m", "snakemake", "--profile", "meluxina", "--retries", "0"]
    done = subprocess.run(
        [*line, "--configfile", "mine.yaml", "--", "results/offline/models/tiny/model.json"],
        cwd=clone,
        env=environment | {"HF_HOME": str(tmp_path / "hub")},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert len(lab.jobs("State")) == before, said[-3000:]
    assert f"isn't complete in {tmp_path}/hub/hub at " in said
    assert "mimic download --configfile " in said
