"""Jobs of a site whose compute nodes have no network take models from the hub's cache alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml
from tiny_llama import ENTRY


@pytest.mark.slowest
def test_a_job_looks_into_the_cache_alone_and_says_what_fills_it(lab, clone, tmp_path):
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
        timeout=600,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert [job["State"] for job in lab.jobs("State")[before:]] == ["FAILED"], said[-3000:]
    assert f"isn't complete in the cache, {tmp_path}/hub/hub, and HF_HUB_OFFLINE is set" in said
