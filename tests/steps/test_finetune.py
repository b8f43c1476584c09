"""Training on a tiny random Llama: it runs, learns, repeats, and takes what the settings say."""

import json

import pandas as pd
import pytest
import torch

from mimic.compute import ComputeSettings, load_model
from mimic.finetune import dpo, orpo, sft
from mimic.pairs import conversations, preferences

METHODS = {"sft": sft, "dpo": dpo, "orpo": orpo}


@pytest.fixture
def train(make_job, essays_csv, tiny_model):
    def run(method, *, out, pairs_out, steps=16, **changes):
        step = conversations if method == "sft" else preferences
        pairs = make_job(
            settings={"pairs": {"rejected_per_chosen": 2}},
            inputs={"essays": essays_csv},
            out=pairs_out,
        )
        step.main(pairs)
        (pairs.out / "manifest.json").write_text("{}")
        settings = {"steps": steps, "learning_rate": 0.02, "warmup_steps": 0, "max_length": 128}
        job = make_job(
            settings={
                "run": {"model": "tiny", "seed": 1},
                "compute": {"threads": 1},
                "lora": {"rank": 4, "alpha": 8},
                method: settings | changes,
            },
            inputs={"model": tiny_model, "pairs": pairs.out / "manifest.json"},
            out=out,
        )
        METHODS[method].main(job)
        return job.out

    return run


@pytest.mark.parametrize("method", METHODS)
def test_a_method_learns_and_writes_an_adapter_that_loads(train, tiny_model, method):
    strong = {} if method == "sft" else {"pairs": 4, "checked_pairs": 4, "beta": 5.0}
    folder = train(method, out="a", pairs_out="pairs", **strong)
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
    first, second = (train("sft", out=out, pairs_out=f"p{out}") for out in "ab")
    for name in ("adapter_model.safetensors", "training_log.csv", "learning.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_a_recipe_that_does_not_learn_fails_its_check(train):
    folder = train("dpo", out="a", pairs_out="pairs", steps=1, learning_rate=1e-9)
    learning = json.loads((folder / "learning.json").read_text())
    assert [check["passed"] for check in learning["checks"] if check["required"]] == [False]


def test_an_adapter_of_another_model_is_refused(train, tiny_model, tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = train("sft", out="a", pairs_out="pairs", steps=1)
    other = tmp_path / "other"
    config = LlamaConfig.from_pretrained(tiny_model.parent, hidden_size=64, head_dim=16)
    LlamaForCausalLM(config).save_pretrained(other)
    with pytest.raises(ValueError, match="the adapter doesn't fit the model in"):
        load_model(other, compute=ComputeSettings(threads=1), adapter=folder)
