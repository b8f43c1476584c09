"""Trainings that don't come to their end: killed, out of memory, without a loss, told to stop."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from launched import STAND_INS, environment, write_job

from mimic.finetune import dpo, resume, sft, watch
from mimic.finetune.memory import advice
from mimic.finetune.settings import DpoSettings, OrpoSettings, SftSettings
from mimic.step import Job

OUTPUTS = ("adapter_model.safetensors", "training_log.csv", "learning.json")
# As the runner starts a step, but with a checkpoint behind every optimizer step; behind one step it
# waits to be killed, however late that is.
DRIVER = """
import time
from mimic.finetune import resume, {method}
from mimic.step import run_step
resume.CHECKPOINT_EVERY_S = 0.0
go_on = resume.Checkpoints.on_step_end
def wait_to_be_killed(self, args, state, control, **kwargs):
    while state.global_step == {held_at}:
        time.sleep(1)
    go_on(self, args, state, control, **kwargs)
resume.Checkpoints.on_step_end = wait_to_be_killed
run_step({method}.main)
"""
# The runner, with a step that waits until it is told to stop.
HELD = """
import sys
from mimic.provenance import runner
command_of = runner._command
def held(call, job):
    command = command_of(call, job)
    return ["held_sft" if word == "mimic.finetune.sft" else word for word in command]
runner._command = held
sys.exit(runner.main(sys.argv[1:]))
"""


def start(job, *, method, held_at=0):
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER.format(method=method, held_at=held_at), str(write_job(job))],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    "method",
    [
        pytest.param("sft", marks=pytest.mark.slow),
        pytest.param("dpo", marks=pytest.mark.slowest),
        pytest.param("orpo", marks=pytest.mark.slowest),
    ],
)
def test_killed_at_any_moment_it_ends_with_the_same_bytes(job_of, train, method):
    steps = 30
    whole = train(method, out="whole", steps=steps, evaluations=2)
    job = job_of(method, out="a", steps=steps, evaluations=2)
    moments = random.Random(7)
    reached = []
    for held_at in (10, 20, 29):
        process = start(job, method=method, held_at=held_at)
        former = resume.step_of(resume.last_checkpoint(job.unfinished))
        while resume.step_of(resume.last_checkpoint(job.unfinished)) <= former:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.02)
        time.sleep(moments.uniform(0, 0.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        reached.append(resume.step_of(resume.last_checkpoint(job.unfinished)))
    assert sorted(set(reached)) == reached, "each attempt went on from the one before"
    assert reached[-1] < steps
    process = start(job, method=method)
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert f"going on from step-{reached[-1]}" in said
    for name in OUTPUTS:
        assert (whole / name).read_bytes() == (job.out / name).read_bytes(), name


@pytest.mark.slow
def test_a_walltime_about_to_end_reaches_it_through_the_runner(job_of, runner):
    job = job_of("sft", out="a", steps=60)
    inputs = {name: [str(path) for path in paths] for name, paths in job.inputs.items()}
    outputs = [f"results/{name}" for name in ("manifest.json", *OUTPUTS)]
    command = runner("finetune.sft", settings=job.settings, inputs=inputs, outputs=outputs)
    process = subprocess.Popen(
        [sys.executable, "-c", HELD, *command[3:]],
        env=os.environ | {"PYTHONPATH": f"{os.environ['PYTHONPATH']}:{STAND_INS}"},
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if "sft step" in line:
            break
    process.send_signal(signal.SIGUSR1)
    _, said = process.communicate(timeout=600)
    assert process.returncode == resume.UNFINISHED, said
    (checkpoint,) = Path("store/work").glob("*/unfinished/step-*")
    step = resume.step_of(checkpoint)
    assert 0 < step < 60
    assert f"told to stop: saved at step {step} of 60" in said
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert f"going on from step-{step}" in again.stderr
    assert all(Path(output).is_file() for output in outputs)


def test_a_checkpoint_is_saved_when_it_is_due_and_the_former_removed(job_of, train, monkeypatch):
    monkeypatch.setattr(resume, "CHECKPOINT_EVERY_S", 0.0)
    plain = train("sft", out="plain", steps=4)
    names = []
    original = resume.Checkpoints.on_save

    def seen(self, args, state, control, **kwargs):
        original(self, args, state, control, **kwargs)
        names.append([path.name for path in self.folder.iterdir() if path.is_dir()])

    monkeypatch.setattr(resume.Checkpoints, "on_save", seen)
    folder = train("sft", out="a", steps=4)
    assert names == [["step-1"], ["step-2"], ["step-3"]]
    for name in OUTPUTS:
        assert (plain / name).read_bytes() == (folder / name).read_bytes(), name


def test_a_loss_that_is_no_number_stops_it_and_keeps_the_last_good_checkpoint(job_of, monkeypatch):
    monkeypatch.setattr(resume, "CHECKPOINT_EVERY_S", 0.0)
    job = job_of("sft", out="a", steps=6)
    original = sft.SFTTrainer.compute_loss

    def broken(self, *args, **kwargs):
        loss = original(self, *args, **kwargs)
        return loss * float("nan") if self.state.global_step == 3 else loss

    monkeypatch.setattr(sft.SFTTrainer, "compute_loss", broken)
    with pytest.raises(ValueError) as caught:
        sft.main(job)
    assert "the loss is nan at step 4 of 6; lower sft.learning_rate (now 0.02)" in str(caught.value)
    assert "the last good checkpoint is kept: " in str(caught.value)
    kept = resume.last_checkpoint(job.unfinished)
    assert kept.name == "step-3"
    state = json.loads((kept / "trainer_state.json").read_text())
    assert all(row["loss"] == row["loss"] for row in state["log_history"])
    assert list(job.out.iterdir()) == []


def test_a_gradient_that_is_no_number_stops_it_before_a_checkpoint(job_of, monkeypatch):
    monkeypatch.setattr(resume, "CHECKPOINT_EVERY_S", 0.0)
    job = job_of("sft", out="a", steps=3, learning_rate=0.01)
    original = sft.SFTTrainer.compute_loss

    def broken(self, model, *args, **kwargs):
        loss = original(self, model, *args, **kwargs)
        if self.state.global_step == 1:
            # The loss is what it was; its gradient is infinite.
            weight = next(w for w in model.parameters() if w.requires_grad)
            zero = (weight * 0).sum()
            loss = loss + zero.abs().sqrt()
        return loss

    monkeypatch.setattr(sft.SFTTrainer, "compute_loss", broken)
    with pytest.raises(ValueError, match="the gradient norm is nan at step 2 of 3"):
        sft.main(job)
    assert resume.last_checkpoint(job.unfinished).name == "step-1"


def full_gpu(*_args, **_kwargs):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def full_machine(*_args, **_kwargs):
    torch.empty(10**14)


@pytest.mark.parametrize("full", [full_gpu, full_machine])
def test_out_of_memory_it_prints_settings_that_fit(job_of, monkeypatch, capsys, full):
    monkeypatch.setattr(dpo.DPOTrainer, "training_step", full)
    job = job_of("dpo", out="a", steps=2, batch_size=4, accumulation=2)
    with pytest.raises(ValueError) as caught:
        dpo.main(job)
    said = str(caught.value)
    assert "out of memory with dpo.batch_size 4, accumulation 2 and max_length 128" in said
    assert "dpo: {batch_size: 2, accumulation: 4}" in said
    assert "{batch_size: 1, accumulation: 8}" in said
    assert "\n" not in said, "the runner shows one line"
    # What the runner shows if the machine kills it: tests/steps/test_runner_ends.py.
    assert f"if killed: {said}\n" in capsys.readouterr().out
    assert list(job.out.iterdir()) == []


def test_another_error_stays_what_it_is(job_of, monkeypatch):
    def broken(*_args, **_kwargs):
        raise RuntimeError("shapes don't fit")

    monkeypatch.setattr(sft.SFTTrainer, "training_step", broken)
    with pytest.raises(RuntimeError, match="shapes don't fit"):
        sft.main(job_of("sft", out="a", steps=1))


def test_what_is_pasted_takes_the_same_steps_until_the_batch_is_one():
    settings = DpoSettings(batch_size=6, accumulation=1)
    seen = []
    while settings.batch_size > 1:
        pasted = re.search(
            r"{batch_size: (\d+), accumulation: (\d+)}", advice(settings, method="d")
        )
        batch_size, accumulation = map(int, pasted.groups())
        assert batch_size * accumulation == 6
        seen.append(batch_size)
        settings = DpoSettings(batch_size=batch_size, accumulation=accumulation)
    assert seen == [3, 1]
    assert "d: {checkpointing: true}" in advice(settings, method="d")
    settings = SftSettings(batch_size=1, checkpointing=True, max_length=100)
    assert "d: {quantisation: nf4}" in advice(settings, method="d")
    assert "d: {max_length: 50}, which cuts essays" in advice(settings, method="d")
    settings = settings.model_copy(update={"quantisation": "nf4"})
    assert "nf4" not in advice(settings, method="d")


@pytest.mark.parametrize("model", [SftSettings, DpoSettings, OrpoSettings])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_of_a_model_in_parts_what_is_pasted_is_accepted(monkeypatch, model, precision):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_VERSION", "2")
    values = {"batch_size": 1, "accumulation": 8, "checkpointing": True, "precision": precision}
    said = advice(model(**values), method="m")
    (pasted,) = re.findall(r"m: ({quantisation.*?}), which", said)
    launched = {"launch": {"config": "fsdp2_lora", "devices": 4}}
    settings = model(**(values | launched | yaml.safe_load(pasted)))
    assert (settings.quantisation, settings.launch.devices) == ("nf4", 4)
    assert (settings.launch.config, settings.precision) == ("fsdp1_qlora", "bfloat16")


def test_tensorboard_shows_a_training_while_it_runs_and_in_one_piece(job_of, monkeypatch):
    from tensorboard.backend.event_processing import event_accumulator

    job = job_of("sft", out="a", steps=6, evaluations=2)
    job = Job(**{**vars(job), "log": job.out.parent / "logs/finetune/tiny-sft-beta0.1-s1.log"})
    folder = watch.events_folder(job.log)
    assert folder.name == "tiny-sft-beta0.1-s1"
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.1.of-a-former-training").write_bytes(b"")

    def shown():
        events = event_accumulator.EventAccumulator(str(folder)).Reload()
        return [(event.step, event.value) for event in events.Scalars("train/loss")]

    original = resume.Checkpoints.on_step_end
    live = []

    def told(self, args, state, control, **kwargs):
        self.received = state.global_step == 4
        if state.global_step == 4:
            live.extend(shown())
        original(self, args, state, control, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(resume.Checkpoints, "on_step_end", told)
        with pytest.raises(SystemExit):
            sft.main(job)
    assert [step for step, _ in live] == [1, 2, 3]
    sft.main(job)
    log = pd.read_csv(job.out / "training_log.csv")
    assert [step for step, _ in shown()] == list(range(1, 7))
    assert [value for _, value in shown()] == pytest.approx(list(log["loss"]))
    events = event_accumulator.EventAccumulator(str(folder)).Reload()
    assert [event.step for event in events.Scalars("eval/loss")] == [2, 4]
    assert not list(job.out.glob("events*"))
