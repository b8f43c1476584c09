"""Training in two processes on the CPU is the training of one."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from mimic.finetune import resume
from mimic.finetune.processes import own_accumulation
from mimic.finetune.settings import SftSettings

pytestmark = pytest.mark.slow


def start(job, project, *, method):
    values = {
        "name": job.name,
        "settings": job.settings,
        "inputs": {name: [str(path) for path in paths] for name, paths in job.inputs.items()},
        **{name: str(getattr(job, name)) for name in ("out", "unfinished")},
        **{name: str(job.out.with_suffix(f".{name}")) for name in ("answers", "measured", "log")},
    }
    path = job.out.with_suffix(".json")
    path.write_text(json.dumps(values))
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.Popen(
        [sys.executable, *launch, "-m", f"mimic.finetune.{method}", str(path)],
        env=os.environ | {"PYTHONPATH": str(project / "workflow"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("method", ["sft", "dpo", "orpo"])
def test_two_processes_take_the_steps_of_one(job_of, train, project, method):
    options = {"steps": 6, "learning_rate": 1e-3, "accumulation": 2, "batch_size": 1}
    options |= {"length_sorted": True, "evaluations": 1}
    options |= {} if method == "sft" else {"pairs": 8}
    options |= {"precompute_reference": True} if method == "dpo" else {}
    one = train(method, out="one", **options)
    job = job_of(method, out="two", **options)
    process = start(job, project, method=method)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert said.count(f"{method} step 6 of 6") == 1, "one process says how far it is"
    alone, together = (pd.read_csv(folder / "training_log.csv") for folder in (one, job.out))
    assert list(alone.columns) == list(together.columns)
    np.testing.assert_allclose(together["loss"], alone["loss"], rtol=1e-4)
    np.testing.assert_allclose(
        together["validation_loss"].dropna(), alone["validation_loss"].dropna(), rtol=1e-4
    )


def test_two_processes_save_together_and_go_on(job_of, train, project):
    options = {"steps": 400, "learning_rate": 1e-3, "accumulation": 2, "batch_size": 1}
    job = job_of("sft", out="two", **options)
    process = start(job, project, method="sft")
    for line in process.stdout:
        if "sft step" in line:
            break
    # One of the two alone gets the signal: both stop.
    (worker, *_) = [
        int(path.parent.name)
        for path in project.__class__("/proc").glob("[0-9]*/cmdline")
        if b"mimic.finetune.sft" in path.read_bytes()
        and path.parent.joinpath("stat").read_text().split()[3] == str(process.pid)
    ]
    os.kill(worker, signal.SIGUSR1)
    said = process.stdout.read()
    process.wait(timeout=300)
    checkpoint = resume.last_checkpoint(job.unfinished)
    assert f"told to stop: saved at step {resume.step_of(checkpoint)} of 400" in said
    assert {path.name for path in checkpoint.glob("rng_state_*")} == {
        "rng_state_0.pth",
        "rng_state_1.pth",
    }


def test_an_accumulation_that_cannot_be_shared_is_refused(monkeypatch):
    class Two:
        num_processes = 2

    monkeypatch.setattr("mimic.finetune.processes.PartialState", Two)
    assert own_accumulation(SftSettings(accumulation=4), method="sft") == 2
    with pytest.raises(ValueError, match=r"sft.accumulation is 3, which 2 processes can't share"):
        own_accumulation(SftSettings(accumulation=3), method="sft")
