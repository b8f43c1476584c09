"""Training on a tiny random Llama: it runs, learns, repeats, and takes what the settings say."""

import json
import signal

import pandas as pd
import pytest
import torch

from mimic.compute import ComputeSettings, load_model
from mimic.finetune import dpo, orpo, resume, sft, watch

METHODS = {"sft": sft, "dpo": dpo, "orpo": orpo}


@pytest.mark.parametrize(
    "method", ["sft", *(pytest.param(m, marks=pytest.mark.slow) for m in ("dpo", "orpo"))]
)
def test_a_method_learns_and_writes_an_adapter_that_loads(train, tiny_model, method):
    strong = {} if method == "sft" else {"pairs": 4, "checked_pairs": 4, "beta": 5.0}
    folder = train(method, out="a", steps=16, **strong)
    learning = json.loads((folder / "learning.json").read_text())
    (required,) = [check for check in learning["checks"] if check["required"]]
    if method == "orpo":
        # Four pairs rise unevenly on so small a model: more than two standard errors is chance.
        assert required["after"] > 1 > 0 > required["before"], learning
    else:
        assert required["passed"], learning
    log = pd.read_csv(folder / "training_log.csv")
    assert list(log["step"]) == list(range(1, 17))
    assert not (folder / "trainer").exists()
    configuration = json.loads((folder / "adapter_config.json").read_text())
    assert configuration["base_model_name_or_path"] == "tiny"
    assert str(tiny_model.parent) not in (folder / "adapter_config.json").read_text()

    compute = ComputeSettings(threads=1)
    base = load_model(tiny_model.parent, compute=compute)
    tuned = load_model(tiny_model.parent, compute=compute, adapter=folder)
    ids = torch.tensor([[5, 6, 7, 8]])
    assert not torch.allclose(base(ids).logits, tuned(ids).logits)


def test_the_same_seed_gives_the_same_bytes(train):
    first, second = (train("sft", out=out, steps=8) for out in "ab")
    for name in ("adapter_model.safetensors", "training_log.csv", "learning.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


@pytest.mark.parametrize(
    ("method", "number"),
    [
        ("sft", signal.SIGTERM),
        pytest.param("dpo", signal.SIGUSR1, marks=pytest.mark.slow),
        pytest.param("orpo", signal.SIGUSR1, marks=pytest.mark.slow),
    ],
)
def test_told_to_stop_it_saves_and_goes_on_with_the_same_losses(
    job_of, train, monkeypatch, capsys, method, number
):
    whole = train(method, out="whole", steps=8)
    job = job_of(method, out="a", steps=8)
    (job.unfinished / "checkpoint-7").mkdir(parents=True)
    seen = watch.ShowProgress.on_log

    def at_step_three(self, args, state, control, logs=None, **kwargs):
        seen(self, args, state, control, logs=logs, **kwargs)
        if state.global_step == 3 and "loss" in (logs or {}):
            signal.raise_signal(number)

    with monkeypatch.context() as patch:
        patch.setattr(watch.ShowProgress, "on_log", at_step_three)
        with pytest.raises(SystemExit) as stopped:
            METHODS[method].main(job)
    assert stopped.value.code == 75
    said = capsys.readouterr().out
    assert "told to stop: saved at step" in said
    # What was being written when a process died, as checkpoint-7 above, is no checkpoint.
    (checkpoint,) = (path for path in job.unfinished.iterdir() if path.is_dir())
    assert checkpoint.name in ("step-3", "step-4")
    assert resume.last_checkpoint(job.unfinished) == checkpoint
    assert not (job.out / "learning.json").exists()
    assert signal.getsignal(number) == signal.SIG_DFL

    METHODS[method].main(job)
    assert f"going on from {checkpoint.name}" in capsys.readouterr().out
    for name in ("adapter_model.safetensors", "training_log.csv", "learning.json"):
        assert (whole / name).read_bytes() == (job.out / name).read_bytes(), name


def test_a_recipe_that_does_not_learn_fails_its_check(train):
    folder = train("dpo", out="a", steps=1, learning_rate=1e-9)
    learning = json.loads((folder / "learning.json").read_text())
    assert [check["passed"] for check in learning["checks"] if check["required"]] == [False]


def test_an_adapter_of_another_model_is_refused(train, tiny_model, tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = train("sft", out="a", steps=1)
    other = tmp_path / "other"
    config = LlamaConfig.from_pretrained(tiny_model.parent, hidden_size=64, head_dim=16)
    LlamaForCausalLM(config).save_pretrained(other)
    with pytest.raises(ValueError, match="the adapter doesn't fit the model in"):
        load_model(other, compute=ComputeSettings(threads=1), adapter=folder)
