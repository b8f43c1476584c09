"""Two processes train what one trains, the same losses and adapter, and go on together."""

import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import psutil
import pytest
from launched import PROJECT, environment, launch, write_job
from safetensors.numpy import load_file
from slurm_lab import free_ports

from mimic.files import read_json
from mimic.finetune import resume

pytestmark = pytest.mark.slow
METHODS = ("sft", "dpo", "orpo")
# Two processes add the float32 gradients of a step's passes in another order than one does:
# relative errors of about 1e-7 in a gradient, which AdamW hands on to the weights and those to the
# next loss. A step with other examples, or a gradient twice as large, differs in the third digit.
LOSSES = {"rtol": 1e-5, "atol": 1e-6}
# AdamW moves a weight by up to the learning rate, 0.02, in each step.
WEIGHTS = {"rtol": 0, "atol": 1e-4}
# All weights together, where single ones may have gradients that are hardly more than rounding.
ALL_WEIGHTS = 1e-5
# The same instructions on every CPU: how far rounding goes depends on them.
SAME_ARITHMETIC = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}
OUTPUTS = ("adapter_model.safetensors", "training_log.csv", "learning.json")


def end(process):
    said, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, said
    return said


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_train_what_one_trains(job_of, monkeypatch, method):
    for name, value in SAME_ARITHMETIC.items():
        monkeypatch.setenv(name, value)
    # Of eight examples six make a step: the third step is of the second epoch.
    options = {"steps": 3, "batch_size": 1, "accumulation": 6}
    options |= {"length_sorted": True, "evaluations": 1}
    options |= {} if method == "sft" else {"pairs": 8}
    options |= {"precompute_reference": True} if method == "dpo" else {}
    lone, job = (job_of(method, out=out, **options) for out in ("alone", "two"))
    line = [sys.executable, "-m", f"mimic.finetune.{method}", str(write_job(lone))]
    subprocess.run(line, env=environment(), check=True, capture_output=True, timeout=1200)
    alone = lone.out
    said = end(launch(job, method))
    assert said.count(f"» {method} step 3 of 3") == 1
    logs = [pd.read_csv(folder / "training_log.csv") for folder in (alone, job.out)]
    assert list(logs[1]["step"]) == [1, 2, 3]
    assert list(logs[0].columns) == list(logs[1].columns)
    np.testing.assert_allclose(logs[1], logs[0], **LOSSES)
    one, two = (load_file(folder / "adapter_model.safetensors") for folder in (alone, job.out))
    assert set(one) == set(two)
    assert max(np.abs(weight).max() for name, weight in one.items() if "lora_B" in name) > 0.02
    for name in one:
        np.testing.assert_allclose(two[name], one[name], err_msg=name, **WEIGHTS)
    differences = np.concatenate([(two[name] - one[name]).ravel() for name in one])
    assert np.sqrt(np.mean(differences**2)) < ALL_WEIGHTS
    checks = [read_json(folder / "learning.json")["checks"] for folder in (alone, job.out)]
    for former, check in zip(*checks, strict=True):
        assert {**former, "before": 0, "after": 0, "change": 0, "standard_error": 0} == {
            **check,
            **dict.fromkeys(("before", "after", "change", "standard_error"), 0),
        }
        assert check["after"] == pytest.approx(former["after"], rel=1e-4, abs=1e-5)
    # Each says what it measured, which is nothing without a GPU.
    measured = sorted(job.out.with_suffix(".measured").iterdir())
    assert [(path.name, read_json(path)) for path in measured] == [("0.json", {}), ("1.json", {})]


def test_told_to_stop_both_save_and_go_on_with_the_same_bytes(job_of):
    options = {"steps": 40, "batch_size": 1, "accumulation": 2, "lora": {"rank": 4, "dropout": 0.1}}
    whole, job = (job_of("sft", out=out, **options) for out in ("whole", "a"))
    end(launch(whole, "sft"))
    process = launch(job, "sft", is_held=True)
    for line in process.stdout:
        if "sft step" in line:
            break
    os.killpg(process.pid, signal.SIGUSR1)
    said, _ = process.communicate(timeout=1200)
    assert process.returncode == resume.UNFINISHED, said
    step = resume.step_of(resume.last_checkpoint(job.unfinished))
    assert 0 < step < 40
    assert f"» told to stop: saved at step {step} of 40" in said
    assert f"going on from step-{step}" in end(launch(job, "sft"))
    for name in OUTPUTS:
        assert (whole.out / name).read_bytes() == (job.out / name).read_bytes(), name


def test_where_one_of_them_is_told_to_stop_both_do(job_of):
    job = job_of("sft", out="two", steps=400, batch_size=1, accumulation=2)
    process = launch(job, "sft")
    for line in process.stdout:
        if "sft step" in line:
            break
    os.kill(trainings_of(process)[1], signal.SIGUSR1)
    said, _ = process.communicate(timeout=1200)
    checkpoint = resume.last_checkpoint(job.unfinished)
    assert f"told to stop: saved at step {resume.step_of(checkpoint)} of 400" in said
    states = {path.name for path in checkpoint.glob("rng_state_*")}
    assert states == {"rng_state_0.pth", "rng_state_1.pth"}


def trainings_of(launcher):
    """The process ids of those that a launcher started, in their order."""
    children = psutil.Process(launcher.pid).children(recursive=True)
    ranks = {int(c.environ()["RANK"]): c.pid for c in children if "RANK" in c.environ()}
    return [ranks[rank] for rank in sorted(ranks)]


def by_accelerate(job, *options):
    """Start a training by accelerate's own launcher."""
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
    command += ["--config_file", str(PROJECT / "config/accelerate/ddp.yaml")]
    command += ["--num_processes", "2", *options, "-m", "mimic.finetune.sft", str(write_job(job))]
    return subprocess.Popen(
        command,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("machines", [1, 2])
def test_started_by_hand_with_accelerate_it_trains_the_same(job_of, machines):
    options = {"steps": 2, "batch_size": 1, "accumulation": 2}
    launched, by_hand = (job_of("sft", out=out, **options) for out in ("launched", "by_hand"))
    end(launch(launched, "sft"))
    if machines == 1:
        started = [by_accelerate(by_hand)]
    else:
        # Two launches of one process each, which meet as those of two machines do.
        (port,) = free_ports(1)
        place = ["--main_process_ip", "127.0.0.1", "--main_process_port", str(port)]
        started = [
            by_accelerate(by_hand, "--num_machines", "2", "--machine_rank", str(rank), *place)
            for rank in range(2)
        ]
    for process in started:
        end(process)
    for name in OUTPUTS:
        assert (launched.out / name).read_bytes() == (by_hand.out / name).read_bytes(), name


def test_a_batch_that_cannot_be_shared_is_refused_in_words(job_of):
    job = job_of("sft", out="two", steps=1, accumulation=3)
    process = launch(job, "sft")
    said, _ = process.communicate(timeout=1200)
    assert process.returncode == 1
    words = "error: sft.accumulation is 3, which 2 processes can't share evenly; set it to a"
    assert said.count(f"\n{words} multiple of 2") == 1
