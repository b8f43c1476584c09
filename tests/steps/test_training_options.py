"""What the settings of a training do, on a tiny random Llama."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch._dynamo.utils import counters

from mimic.files import write_jsonl
from mimic.finetune import dpo, orpo, resume, sft

pytestmark = pytest.mark.slow
METHODS = ("sft", "dpo", "orpo")
OUTPUTS = ("adapter_model.safetensors", "training_log.csv", "learning.json")


def log_of(folder):
    return pd.read_csv(folder / "training_log.csv")


def learning_of(folder):
    checks = json.loads((folder / "learning.json").read_text())["checks"]
    return {check["check"]: check for check in checks}


# Sums over examples in another order, in float32, through a few layers.
BATCH_TOLERANCE = 1e-4


@pytest.mark.parametrize(
    ("method", "size"),
    [
        ("sft", 8),
        ("dpo", 4),
        ("orpo", 4),
    ],
)
def test_one_large_batch_is_as_many_of_one_accumulated(train, method, size):
    options = {"steps": 2, "learning_rate": 1e-3} | ({} if method == "sft" else {"pairs": size})
    whole = log_of(train(method, out="whole", batch_size=size, accumulation=1, **options))
    parts = log_of(train(method, out="parts", batch_size=1, accumulation=size, **options))
    # Its first loss and gradient are of the same weights, the later ones of weights that followed.
    for column in ("loss", "grad_norm"):
        np.testing.assert_allclose(whole[column], parts[column], rtol=BATCH_TOLERANCE)
    assert whole["loss"].iloc[0] > whole["loss"].iloc[-1]


def test_epochs_in_place_of_steps(train):
    # 8 conversations: a step of three batches of two, and one of the last and two filled up.
    folder = train("sft", out="a", epochs=1.5, batch_size=2, accumulation=3)
    assert list(log_of(folder)["step"]) == [1, 2, 3]
    assert json.loads((folder / "learning.json").read_text())["steps"] == 3


@pytest.mark.parametrize("method", METHODS)
def test_evaluations_stand_in_the_log_and_change_nothing_else(train, method):
    plain = train(method, out="plain", steps=6)
    looked = train(method, out="looked", steps=6, evaluations=2)
    for name in ("adapter_model.safetensors", "learning.json"):
        assert (plain / name).read_bytes() == (looked / name).read_bytes(), name
    before, log = log_of(plain), log_of(looked)
    pd.testing.assert_frame_equal(before, log[list(before.columns)])
    figures = ["loss"] if method == "sft" else ["loss", "margin", "accuracy"]
    columns = [f"validation_{name}" for name in figures]
    assert list(log.columns) == [*before.columns, *columns]
    assert list(log["step"][log["validation_loss"].notna()]) == [2, 4, 6]
    checks = learning_of(looked)
    for name in figures:
        last = log[f"validation_{name}"].iloc[-1]
        assert last == pytest.approx(checks[f"validation {name}"]["after"], rel=1e-6)


def test_validation_figures_of_a_preference_method_are_what_the_loss_is(train):
    checks = learning_of(train("dpo", out="a", steps=4))
    assert checks["validation loss"]["before"] == pytest.approx(np.log(2))
    assert checks["validation accuracy"]["before"] == 0.5
    figures = orpo.orpo_figures(np.array([2.0]), np.array([-1.0]), np.array([-3.0]), beta=0.5)
    odds = [p / (1 - p) for p in np.exp([-1.0, -3.0])]
    expected = 2.0 - 0.5 * np.log(1 / (1 + odds[1] / odds[0]))
    assert figures["loss"][0] == pytest.approx(expected)
    assert (figures["margin"][0], figures["accuracy"][0]) == (1.0, 1.0)


@pytest.mark.parametrize("method", METHODS)
def test_checkpointed_activations_give_the_same_training(train, method):
    kept, again = (train(method, out=str(on), steps=3, checkpointing=on) for on in (False, True))
    for name in OUTPUTS:
        assert (kept / name).read_bytes() == (again / name).read_bytes(), name


@pytest.mark.slowest
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++")
@pytest.mark.parametrize("method", METHODS)
def test_a_compiled_model_trains_as_one_that_is_not(train, method):
    plain = train(method, out="plain", steps=3)
    torch.compiler.reset()
    compiled = train(method, out="compiled", steps=3, compile=True)
    assert counters["stats"]["unique_graphs"] > 0
    logs = [log_of(folder) for folder in (compiled, plain)]
    if method == "dpo":
        for log in logs:
            # Before the first step a margin is 0 but for rounding, whose sign says nothing.
            assert abs(log["rewards_margins"][0]) < 1e-5
            log.loc[0, "rewards_accuracies"] = 0
    np.testing.assert_allclose(*logs, rtol=1e-4, atol=1e-5)
    one, other = (load_file(folder / "adapter_model.safetensors") for folder in (plain, compiled))
    assert set(one) == set(other)
    for name, weight in one.items():
        np.testing.assert_allclose(other[name], weight, rtol=0, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_a_model_in_four_bits_trains_and_keeps_an_exact_adapter(train, method):
    strong = {} if method == "sft" else {"pairs": 4, "checked_pairs": 4}
    folder = train(method, out="a", steps=8, quantisation="nf4", **strong)
    plain = log_of(train(method, out="plain", steps=8, **strong))
    log = log_of(folder)
    assert log["loss"].iloc[-1] < log["loss"].iloc[0]
    # The frozen weights are rounded, so the first loss is near the plain one and not the same;
    # DPO's begins at log 2 whatever the weights.
    first = log["loss"].iloc[0], plain["loss"].iloc[0]
    assert first[0] == pytest.approx(first[1], rel=0.3)
    assert method == "dpo" or first[0] != first[1]
    adapter = load_file(folder / "adapter_model.safetensors")
    assert {weight.dtype for weight in adapter.values()} == {torch.float32}


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "bfloat16"},
        {"autocast": "bfloat16"},
    ],
)
def test_sixteen_bits_give_nearly_the_same_losses(train, options):
    narrow = log_of(train("sft", out="a", steps=3, learning_rate=1e-3, **options))
    wide = log_of(train("sft", out="b", steps=3, learning_rate=1e-3))
    assert list(narrow["loss"]) != list(wide["loss"])
    np.testing.assert_allclose(narrow["loss"], wide["loss"], rtol=0.05)


def test_a_precomputed_reference_gives_the_same_training(train):
    options = {"epochs": 2, "pairs": 4, "batch_size": 2}
    each_step = train("dpo", out="a", **options)
    before = train("dpo", out="b", precompute_reference=True, **options)
    for column in ("loss", "rewards_margins"):
        np.testing.assert_allclose(
            log_of(each_step)[column], log_of(before)[column], rtol=1e-3, atol=1e-4
        )


def test_a_precomputed_reference_is_found_by_a_later_attempt(job_of, monkeypatch):
    job = job_of("dpo", out="a", steps=4, precompute_reference=True)
    dpo.main(job)
    computed = []
    original = dpo.SortedDPOTrainer.compute_ref_log_probs

    def counted(self, model, inputs):
        computed.append(len(inputs["input_ids"]))
        return original(self, model, inputs)

    monkeypatch.setattr(dpo.SortedDPOTrainer, "compute_ref_log_probs", counted)
    former = (job.out / "adapter_model.safetensors").read_bytes()
    dpo.main(job)
    assert computed == []
    assert (job.out / "adapter_model.safetensors").read_bytes() == former


def test_sorted_by_length_less_is_padded(job_of, monkeypatch):
    padding = {True: [], False: []}
    original = sft.SFTTrainer.compute_loss
    for on in padding:

        def seen(self, model, inputs, *args, on=on, **kwargs):
            padding[on].append(int((inputs["attention_mask"] == 0).sum()))
            return original(self, model, inputs, *args, **kwargs)

        job = job_of("sft", out=str(on), epochs=1, batch_size=2, max_length=256, length_sorted=on)
        # transformers sorts within groups of several batches; eight examples make none.
        path = job.folder("pairs") / "train.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()] * 4
        for number, row in enumerate(rows):
            row["completion"][0]["content"] = "I went home. " * (1 + number)
        write_jsonl(path, rows)
        monkeypatch.setattr(sft.SFTTrainer, "compute_loss", seen)
        sft.main(job)
    assert len(padding[True]) == len(padding[False]) == 16
    assert sum(padding[True]) < 0.5 * sum(padding[False])


@pytest.mark.parametrize("method", ["sft", "dpo", "orpo"])
def test_sorted_by_length_it_goes_on_in_the_same_order(job_of, train, monkeypatch, method):
    # Eight examples in batches of two: step 6 is in the second epoch.
    options = {"steps": 8, "batch_size": 2, "length_sorted": True}
    options |= {} if method == "sft" else {"pairs": 8}
    whole = train(method, out="whole", **options)
    job = job_of(method, out="a", **options)
    main = {"sft": sft, "dpo": dpo, "orpo": orpo}[method].main
    original = resume.Checkpoints.on_step_end

    def told(self, args, state, control, **kwargs):
        self.received = state.global_step == 6
        original(self, args, state, control, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(resume.Checkpoints, "on_step_end", told)
        with pytest.raises(SystemExit):
            main(job)
    main(job)
    for name in OUTPUTS:
        assert (whole / name).read_bytes() == (job.out / name).read_bytes(), name


def test_the_loss_can_be_on_the_prompt_too(train):
    essay, both = (
        log_of(train("sft", out=on, steps=1, loss_on=on))["loss"].iloc[0]
        for on in ("completion", "all")
    )
    assert essay != both


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_essays_see_themselves_alone(train, attention):
    # All eight essays in one step, in rows of their own or packed: the same mean over tokens.
    options = {"steps": 1, "learning_rate": 1e-9, "attention": attention, "max_length": 256}
    packed = log_of(train("sft", out="packed", packing=True, batch_size=8, **options))
    padded = log_of(train("sft", out="padded", batch_size=8, **options))
    assert packed["loss"].iloc[0] == pytest.approx(padded["loss"].iloc[0], rel=1e-5)
    assert packed["grad_norm"].iloc[0] == pytest.approx(padded["grad_norm"].iloc[0], rel=1e-4)


def test_packing_is_refused_where_essays_would_see_each_other(train, monkeypatch):
    from transformers.models.llama import modeling_llama

    original = modeling_llama.create_causal_mask

    def blind(*args, **kwargs):
        return original(*args, **(kwargs | {"position_ids": None}))

    monkeypatch.setattr(modeling_llama, "create_causal_mask", blind)
    with pytest.raises(ValueError, match=r"sft.packing: with sft.attention sdpa .* set packing to"):
        train("sft", out="a", steps=1, packing=True)


def test_dropout_of_the_adapter_counts_in_every_method(train):
    for method in ("sft", "dpo", "orpo"):
        plain = log_of(train(method, out=f"{method}-plain", steps=2))
        options = {"lora": {"rank": 4, "alpha": 8, "dropout": 0.5}}
        dropped = log_of(train(method, out=method, steps=2, **options))
        assert list(plain["loss"]) != list(dropped["loss"]), method
