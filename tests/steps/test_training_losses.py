"""The loss of each method, computed once more from a plain model's logits, on a tiny Llama."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from mimic.files import read_jsonl

# Pairs, or conversations, of one step: as many as there are, of several lengths.
COUNT = 8


def log_of(folder):
    return pd.read_csv(folder / "training_log.csv")


@pytest.fixture
def chances(tiny_model):
    """Log-probabilities of all tokens but the first, and of those of the essay."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_model.parent)

    def of(row, side, *, adapter=None, ends_in_eos=False):
        model = AutoModelForCausalLM.from_pretrained(tiny_model.parent, dtype=torch.float32)
        if adapter is not None:
            model = PeftModel.from_pretrained(model, str(adapter))
        prompt, tokens = (
            tokenizer.apply_chat_template(
                messages, add_generation_prompt=begun, tokenize=True, return_dict=False
            )
            for messages, begun in ((row["prompt"], True), (row["prompt"] + row[side], False))
        )
        # TRL's ORPO puts another end behind that of the template.
        ids = torch.tensor([tokens + [tokenizer.eos_token_id] * ends_in_eos])
        with torch.no_grad():
            found = torch.log_softmax(model.eval()(input_ids=ids).logits[0, :-1], dim=-1)
        each = found.gather(1, ids[0, 1:, None])[:, 0].double().numpy()
        return each, each[len(prompt) - 1 :]

    return of


def rows_of(train, method, name="train"):
    """The examples of a training that was called `out`."""
    return read_jsonl(train.parent / f"{train.name}-pairs" / f"{name}.jsonl")


@pytest.mark.parametrize(("loss_on", "part"), [("completion", 1), ("all", 0)])
def test_sft_s_loss_is_a_mean_over_tokens_of_the_essays_or_of_all(train, chances, loss_on, part):
    folder = train("sft", out="a", steps=1, batch_size=COUNT, loss_on=loss_on)
    rows = rows_of(folder, "sft")
    assert len(rows) == COUNT
    each = [chances(row, "completion")[part] for row in rows]
    assert len({len(own) for own in each}) > 2
    assert log_of(folder)["loss"][0] == pytest.approx(-np.concatenate(each).mean(), rel=1e-4)


def test_dpo_s_reference_is_the_model_without_its_adapter(train, chances):
    options = {"pairs": COUNT, "batch_size": COUNT, "beta": 0.3}
    options |= {"schedule": "constant_with_warmup"}
    first = train("dpo", out="one", steps=1, **options)
    log = log_of(train("dpo", out="two", steps=2, **options))
    assert log["loss"][0] == pytest.approx(np.log(2), rel=1e-5)
    margins = []
    for row in rows_of(first, "dpo")[:COUNT]:
        ratios = [
            chances(row, side, adapter=first)[1].sum() - chances(row, side)[1].sum()
            for side in ("chosen", "rejected")
        ]
        margins.append(0.3 * (ratios[0] - ratios[1]))
    assert np.abs(margins).max() > 0.1
    expected = np.logaddexp(0, -np.array(margins)).mean()
    assert log["loss"][1] == pytest.approx(expected, rel=1e-3)
    assert log["rewards_margins"][1] == pytest.approx(np.mean(margins), rel=1e-3, abs=1e-4)


def test_orpo_s_loss_is_that_of_the_paper_with_beta_for_lambda(train, chances):
    beta = 0.7
    folder = train("orpo", out="a", steps=1, pairs=COUNT, batch_size=COUNT, beta=beta)
    losses = []
    for row in rows_of(folder, "orpo")[:COUNT]:
        sides = [chances(row, side, ends_in_eos=True) for side in ("chosen", "rejected")]
        odds = [p / (1 - p) for p in (np.exp(essay.mean()) for _, essay in sides)]
        preference = np.log1p(odds[1] / odds[0])
        losses.append(-sides[0][0].mean() + beta * preference)
    assert log_of(folder)["loss"][0] == pytest.approx(np.mean(losses), rel=1e-4)


def test_the_learning_rate_rises_and_falls_as_the_settings_say(train):
    options = {"steps": 6, "warmup_steps": 2, "learning_rate": 0.01}
    rates = log_of(train("sft", out="a", **options))["learning_rate"]
    np.testing.assert_allclose(rates, [0, 0.005, 0.01, 0.0075, 0.005, 0.0025])
    rates = log_of(train("sft", out="b", schedule="constant_with_warmup", **options))
    np.testing.assert_allclose(rates["learning_rate"], [0, 0.005, 0.01, 0.01, 0.01, 0.01])


def test_the_adapter_is_that_of_the_settings(train):
    lora = {"rank": 2, "alpha": 12, "dropout": 0.25, "target_modules": ["q_proj", "v_proj"]}
    found = json.loads(
        (train("sft", out="a", steps=1, lora=lora) / "adapter_config.json").read_text()
    )
    assert (found["r"], found["lora_alpha"], found["lora_dropout"]) == (2, 12, 0.25)
    assert set(found["target_modules"]) == {"q_proj", "v_proj"}
    # Scaled by alpha over rank, not by its root.
    assert not found["use_rslora"]
