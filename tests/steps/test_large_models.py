"""Models in parts on several devices: a model of the 70B's shape, on two processes of a CPU.

accelerate shares models among GPUs alone. With `sharing_cpus` in PYTHONPATH it takes CPUs for
such; what it refuses without is asserted too, so that a version which doesn't is noticed.
"""

import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from launched import PROJECT, environment, launch
from safetensors.numpy import load_file

from mimic.files import read_json
from mimic.finetune import resume
from mimic.finetune.common import load_frozen, trainer_arguments
from mimic.finetune.settings import SftSettings
from mimic.provenance.launch import accelerate_environment, meeting_place, rank_environment

LARGE = "llama-3.1-70b"
# Every width of a layer by 16: 64 heads that 8 key and value heads serve, 8 wide instead of 128, in
# hidden states of 512 and an MLP of 1,792. Four layers for 80, and SmolLM2's vocabulary.
NARROWER, LAYERS = 16, 4
SHARING = PROJECT / "tests/steps/sharing_cpus"
QLORA = {"quantisation": "nf4", "precision": "bfloat16", "checkpointing": True}
SHARED = {
    "ACCELERATE_USE_FSDP": "true",
    "ACCELERATE_MIXED_PRECISION": "no",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
    "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT",
    # It isn't reentrant; the trainer's is.
    "FSDP_ACTIVATION_CHECKPOINTING": "false",
    "FSDP_OFFLOAD_PARAMS": "false",
}
CONFIGURED = {
    "single": {"ACCELERATE_MIXED_PRECISION": "no"},
    "ddp": {"ACCELERATE_MIXED_PRECISION": "no"},
    "fsdp2_lora": {**SHARED, "FSDP_VERSION": "2", "FSDP_RESHARD_AFTER_FORWARD": "true"},
    "fsdp1_qlora": {
        **SHARED,
        "FSDP_VERSION": "1",
        "FSDP_SHARDING_STRATEGY": "FULL_SHARD",
        "FSDP_SYNC_MODULE_STATES": "true",
        "FSDP_USE_ORIG_PARAMS": "false",
    },
}


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory, smollm2_tokenizer):
    """In place of the tiny model, that of the 70B's shape."""
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = yaml.safe_load((PROJECT / "config/models.yaml").read_text())[LARGE]["architecture"]
    torch.manual_seed(0)
    config = LlamaConfig(
        num_hidden_layers=LAYERS,
        hidden_size=shape["hidden_size"] // NARROWER,
        intermediate_size=shape["intermediate_size"] // NARROWER,
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["key_value_heads"],
        head_dim=shape["head_dim"] // NARROWER,
        vocab_size=len(smollm2_tokenizer),
        tie_word_embeddings=shape["tied_embeddings"],
        initializer_range=0.05,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    folder = tmp_path_factory.mktemp("large")
    LlamaForCausalLM(config).save_pretrained(folder)
    smollm2_tokenizer.save_pretrained(folder)
    (folder / "manifest.json").write_text("{}")
    return folder / "manifest.json"


@pytest.mark.parametrize("config", CONFIGURED)
def test_accelerate_reads_what_the_files_are_for(config, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("FSDP_", "ACCELERATE_"))]:
        monkeypatch.delenv(name)
    path = PROJECT / f"config/accelerate/{config}.yaml"
    found = accelerate_environment(str(path), processes=1 if config == "single" else 4)
    expected = CONFIGURED[config]
    assert {name: found.get(name) for name in expected} == expected
    assert ("ACCELERATE_USE_FSDP" in found) == config.startswith("fsdp")


def test_what_the_scripts_add_for_qlora_in_parts(make_job, tiny_model, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_VERSION", "1")
    values = {**QLORA, "accumulation": 4, "launch": {"config": "fsdp1_qlora", "devices": 4}}
    settings = SftSettings(**values)
    job = make_job(settings={"compute": {}}, inputs={})
    arguments = trainer_arguments(job, settings, method="sft", seed=1)
    assert arguments["gradient_checkpointing"]
    assert arguments["gradient_checkpointing_kwargs"] == {"use_reentrant": True}
    model = load_frozen(tiny_model.parent, settings)
    # One type for all weights, of which FSDP1 makes one tensor for each layer.
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    quantised = model.model.layers[0].mlp.up_proj.weight
    assert quantised.numel() * 4 == 512 * 1792  # four numbers in each of them
    assert (quantised.quant_state.quant_type, quantised.quant_state.nested) == ("nf4", True)


REFUSED = (
    "RuntimeError: There are currently no available devices found, must be one of 'XPU', 'CUDA'"
)


@pytest.mark.parametrize(
    ("config", "says"), [("fsdp2_lora", "DistributedType.MULTI_CPU"), ("fsdp1_qlora", REFUSED)]
)
def test_on_cpus_accelerate_itself_shares_nothing(config, says):
    path = PROJECT / f"config/accelerate/{config}.yaml"
    code = "import accelerate; print(repr(accelerate.Accelerator(cpu=True).distributed_type))"
    with meeting_place() as meeting:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=accelerate_environment(str(path), processes=2)
            | environment()
            | rank_environment(0, range(1), 1, meeting=meeting),
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert says in done.stdout + done.stderr
    assert (done.returncode != 0) is (config == "fsdp1_qlora")


def test_pytorch_sends_no_weights_of_a_cpu_to_the_parts_of_fsdp1():
    from torch.distributed.fsdp import _init_utils

    with pytest.raises(ValueError, match="requires them to be on GPU"):
        _init_utils._check_module_states_for_sync_module_states([torch.zeros(1)])


def told_to_stop_and_started_again(job, config):
    """Train in two processes, with a stop in between; the checkpoint that it went on from."""
    process = launch(job, "sft", config=config, paths=(SHARING,), is_held=True)
    for line in process.stdout:
        if "'loss'" in line:
            break
    os.killpg(process.pid, signal.SIGUSR1)
    said, _ = process.communicate(timeout=1200)
    assert process.returncode == resume.UNFINISHED, said
    checkpoint = resume.last_checkpoint(job.unfinished)
    process = launch(job, "sft", config=config, paths=(SHARING,))
    said, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, said
    assert f"going on from {checkpoint.name}" in said
    return checkpoint


def answers_of(model, adapter):
    """What PEFT makes of model and adapter in this one process."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model), adapter)
    with torch.no_grad():
        return tuned(input_ids=torch.arange(20, 60)[None]).logits.numpy()


@pytest.mark.parametrize(
    ("config", "changes", "rtol"),
    [
        # float32: two processes add a step's gradients in another order than one does.
        pytest.param("fsdp2_lora", {}, 1e-4, marks=pytest.mark.slow),
        # bfloat16: what is computed again in the backward pass is rounded, as is a gradient.
        pytest.param("fsdp1_qlora", QLORA, 2e-2, marks=pytest.mark.slowest),
    ],
)
def test_a_model_in_parts_is_trained_as_a_whole_one(
    job_of, train, tiny_model, config, changes, rtol
):
    options = {"steps": 4, "batch_size": 1, "accumulation": 2, "evaluations": 1, **changes}
    alone = train("sft", out="alone", **options)
    batched = train("sft", out="batched", **{**options, "batch_size": 2, "accumulation": 1})
    job = job_of("sft", out="two", **options, launch={"config": config, "devices": 2})
    checkpoint = told_to_stop_and_started_again(job, config)

    logs = [pd.read_csv(folder / "training_log.csv") for folder in (alone, job.out)]
    assert list(logs[0].columns) == list(logs[1].columns)
    np.testing.assert_allclose(logs[1], logs[0], rtol=rtol)
    first, last = logs[0]["loss"].iloc[[0, -1]]
    assert last < 0.7 * first
    checks = [read_json(folder / "learning.json")["checks"][0] for folder in (alone, job.out)]
    for name in ("before", "after"):
        assert checks[1][name] == pytest.approx(checks[0][name], rel=rtol)

    one, two, three = (
        load_file(folder / "adapter_model.safetensors") for folder in (alone, job.out, batched)
    )
    assert {name: weight.shape for name, weight in one.items()} == {
        name: weight.shape for name, weight in two.items()
    }
    for name, weight in one.items():
        assert two[name].dtype == np.float32
        off, rounding = (
            np.linalg.norm(found[name] - weight) / np.linalg.norm(weight) for found in (two, three)
        )
        # AdamW makes as large a step for a gradient that is little more than rounding as for any:
        # where one process doesn't find a weight again from a batch of two, parts needn't either.
        assert off < max(rtol, rounding), (name, off, rounding)
    model = tiny_model.parent
    expected, found = (answers_of(model, folder) for folder in (alone, job.out))
    assert np.linalg.norm(found - expected) < rtol * np.linalg.norm(expected)
    # With as much again the untrained model's answers would be found the same.
    assert np.linalg.norm(found - answers_of_untrained(model)) > 0.3 * np.linalg.norm(expected)

    parts = [checkpoint / f"pytorch_model_fsdp_0/__{rank}_0.distcp" for rank in (0, 1)]
    if config == "fsdp2_lora":
        assert all(part.stat().st_size > 0 for part in parts)
    else:
        # PEFT finds no adapter in FSDP1's wrappers; mimic.finetune.shards saves it instead.
        assert all(part.stat().st_size == 0 for part in parts)
        assert {path.name for path in checkpoint.glob("part_*")} == {"part_0.pt", "part_1.pt"}


@pytest.mark.slowest
# AdamW's first updates are of one size: a small gradient of another sign counts as a large one.
@pytest.mark.parametrize(
    ("method", "off", "weights_off"), [("dpo", 2e-2, 4e-2), ("orpo", 5e-2, 0.4)]
)
def test_pairs_are_trained_in_parts_as_in_one(job_of, train, method, off, weights_off):
    options = {"steps": 2, "accumulation": 2, "learning_rate": 1e-3, "pairs": 4, "checked_pairs": 2}
    alone = train(method, out="alone", **options, **QLORA)
    launched = {"launch": {"config": "fsdp1_qlora", "devices": 2}}
    job = job_of(method, out="two", **options, **QLORA, **launched)
    process = launch(job, method, config="fsdp1_qlora", paths=(SHARING,))
    said, _ = process.communicate(timeout=2400)
    assert process.returncode == 0, said
    logs = [pd.read_csv(folder / "training_log.csv") for folder in (alone, job.out)]
    np.testing.assert_allclose(logs[1], logs[0], rtol=off, atol=off)
    checks = [read_json(folder / "learning.json")["checks"] for folder in (alone, job.out)]
    for former, check in zip(*checks, strict=True):
        assert check["after"] == pytest.approx(former["after"], rel=off, abs=off)
    one, two = (load_file(folder / "adapter_model.safetensors") for folder in (alone, job.out))
    for name, weight in one.items():
        assert np.linalg.norm(two[name] - weight) < weights_off * np.linalg.norm(weight), name


def answers_of_untrained(model):
    from transformers import AutoModelForCausalLM

    with torch.no_grad():
        found = AutoModelForCausalLM.from_pretrained(model)(input_ids=torch.arange(20, 60)[None])
    return found.logits.numpy()
