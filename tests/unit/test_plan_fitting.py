"""What doesn't fit is rearranged where the training stays the same, and refused in words else."""

from dataclasses import replace

import pytest
import yaml
from plan_models import GEMMA_2_2B, GEMMA_7B, LLAMA_3_8B, LLAMA_3_70B, SMOLLM2, a_training

from mimic.finetune.settings import DpoSettings, OrpoSettings, SftSettings
from mimic.plan.devices import A100_40, MELUXINA, Node, laptop
from mimic.plan.fitting import (
    PASTED,
    Placed,
    Refused,
    fits,
    is_tight,
    place_training,
    place_writing,
)
from mimic.plan.memory import training_memory
from mimic.plan.workload import Writing

CPU = Node(device=laptop(threads=1), gpus=1, network_rate=1e9)
ONE = Node(device=A100_40, gpus=1, network_rate=1e9)
SETTINGS = {"sft": SftSettings, "dpo": DpoSettings, "orpo": OrpoSettings}


def place(architecture, node=MELUXINA, **changes):
    return place_training(architecture, a_training(**changes), node, section="finetune.sft")


def test_what_fits_is_left_as_it_is():
    found = place(LLAMA_3_8B)
    assert isinstance(found, Placed) and found.training == a_training() and not found.words


def test_a_large_batch_is_shared_out_over_more_passes():
    set_so = {"batch_size": 16, "accumulation": 1, "longest": 4000, "checkpointing": True}
    found = place(LLAMA_3_8B, **set_so)
    assert isinstance(found, Placed)
    assert found.training.batch_size * found.training.accumulation == 16
    assert found.memory.total <= A100_40.memory_bytes
    assert "GB on each device, over the 40 GB of A100 40 GB (" in found.words
    assert f"batch_size: {found.training.batch_size}, accumulation:" in found.words
    # It is the arrangement that is nearest: the next larger batch doesn't fit.
    larger = replace(
        found.training,
        batch_size=found.training.batch_size * 2,
        accumulation=found.training.accumulation // 2,
    )
    again = place_training(LLAMA_3_8B, larger, ONE, section="finetune.sft")
    assert isinstance(again, Placed) and again.training == found.training


def test_checkpointing_comes_after_smaller_batches():
    found = place(GEMMA_7B, checkpointing=False, longest=4000, batch_size=4, accumulation=1)
    assert isinstance(found, Placed)
    assert found.training.checkpointing and "checkpointing: true" in found.words


def test_70b_in_nf4_takes_the_fewest_devices_that_hold_it():
    found = place(LLAMA_3_70B, quantisation="nf4", batch_size=2, accumulation=4)
    assert isinstance(found, Placed)
    assert (found.training.devices, found.training.sharding) == (2, "fsdp1_qlora")
    assert "launch: {config: fsdp1_qlora, devices: 2}" in found.words


def test_70b_that_is_not_quantised_is_refused_with_what_would_fit():
    found = place(LLAMA_3_70B)
    assert isinstance(found, Refused)
    assert found.words.startswith("finetune.sft: ")
    assert "over the 40 GB of A100 40 GB (weights 141.1" in found.words
    assert "another training that fits: finetune.sft: {" in found.words
    assert "quantisation: nf4" in found.words


def test_what_fits_nowhere_says_what_was_tried():
    found = place(LLAMA_3_70B, node=ONE)
    assert isinstance(found, Refused)
    tried = "nothing that was tried fits: batches of 1, checkpointing, bfloat16, nf4, up to 1 dev"
    assert tried in found.words


@pytest.mark.parametrize(
    ("architecture", "node", "changes"),
    [
        (LLAMA_3_8B, MELUXINA, {"checkpointing": False, "longest": 4000, "batch_size": 8}),
        (LLAMA_3_8B, ONE, {"attention": "eager", "longest": 8192, "checkpointing": True}),
        (GEMMA_7B, ONE, {"precision": "float32", "longest": 4000}),
        (GEMMA_7B, ONE, {"method": "orpo", "batch_size": 1, "longest": 8192}),
        (LLAMA_3_70B, MELUXINA, {"precision": "float16", "accumulation": 8}),
        (LLAMA_3_70B, MELUXINA, {"sharding": "fsdp2_lora", "devices": 4, "batch_size": 1}),
        (LLAMA_3_70B, MELUXINA, {"quantisation": "nf4", "accumulation": 4, "longest": 8192}),
        (LLAMA_3_8B, MELUXINA, {"sharding": "ddp", "devices": 2, "checkpointing": False}),
        (LLAMA_3_70B, MELUXINA, {"method": "dpo", "precompute_reference": True}),
        (
            LLAMA_3_70B,
            MELUXINA,
            {"method": "dpo", "precompute_reference": True, "quantisation": "nf4"},
        ),
        (LLAMA_3_70B, MELUXINA, {"method": "orpo", "quantisation": "nf4", "longest": 2048}),
        (GEMMA_2_2B, ONE, {"attention": "eager", "longest": 24000, "batch_size": 1}),
        (
            GEMMA_2_2B,
            ONE,
            {"attention": "eager", "precision": "float32", "longest": 24000, "batch_size": 1},
        ),
        (
            GEMMA_2_2B,
            CPU,
            {"attention": "eager", "precision": "float32", "longest": 8192, "batch_size": 1},
        ),
        (LLAMA_3_70B, MELUXINA, {"quantisation": "nf4", "divisible": False}),
    ],
    ids=str,
)
def test_what_is_to_be_pasted_are_settings_and_fits(architecture, node, changes):
    before = a_training(**changes)
    section = f"finetune.{before.method}"
    found = place_training(architecture, before, node, section=section)
    assert found.words
    if not before.divisible:
        assert isinstance(found, Refused) and "launch" not in found.words
        assert "up to 1 device(s)" in found.words
        return
    ((said, pasted),) = yaml.safe_load(found.words[found.words.rindex(f"{section}: {{") :]).items()
    assert said == section
    names = [name for name in PASTED if name in SETTINGS[before.method].model_fields]
    whole = {
        **{name: getattr(before, name) for name in names},
        "max_length": before.longest,
        "launch": {"config": before.sharding, "devices": before.devices},
    }
    settings = SETTINGS[before.method](**(whole | pasted))
    # transformers refuses it for models that cap their attention scores.
    assert architecture.norms_per_layer == 2 or settings.attention != "sdpa"
    assert node is not CPU or settings.attention != "flash_attention_2"
    after = replace(
        before,
        **{name: getattr(settings, name) for name in names},
        longest=settings.max_length,
        sharding=settings.launch.config,
        devices=settings.launch.devices,
    )
    assert fits(training_memory(architecture, after, node.device), node.device)
    # A step has the examples that it had.
    assert after.batch_size * after.accumulation == before.batch_size * before.accumulation


def test_what_was_measured_decides_what_fits():
    training = a_training()
    planned = training_memory(LLAMA_3_8B, training, A100_40)
    assert 40e9 / 3 < planned.total < 40e9 / 1.15
    assert not is_tight(planned, A100_40)
    assert is_tight(planned.measured(39e9 / planned.total, A100_40), A100_40)
    found = place_training(
        LLAMA_3_8B, replace(training, checkpointing=True), ONE, section="finetune.sft", factor=3.0
    )
    assert found.words and found.memory.total > 3 * (planned.total - planned.overhead)


def test_of_a_gpu_the_tensors_alone_are_measured():
    planned = training_memory(LLAMA_3_8B, a_training(), A100_40)
    measured = planned.measured(2.0, A100_40)
    assert measured.overhead == planned.overhead
    assert measured.total == pytest.approx(2 * planned.total - planned.overhead)
    cpu = training_memory(SMOLLM2, a_training(), laptop(threads=1))
    assert cpu.measured(2.0, laptop(threads=1)).total == pytest.approx(2 * cpu.total)


def test_writing_is_refused_with_the_batch_that_fits():
    writing = Writing(texts=512, prompt_length=1000, new_tokens=3000, batch_size=128)
    found = place_writing(LLAMA_3_8B, writing, A100_40, section="writing")
    assert isinstance(found, Refused)
    assert "fits with writing: {batch_size: " in found.words
    batch = int(found.words.split("batch_size: ")[1].split("}")[0])
    fits = replace(writing, batch_size=batch)
    assert not isinstance(place_writing(LLAMA_3_8B, fits, A100_40, section="writing"), Refused)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sharding": "ddp"}, "sharding is ddp on 1 device"),
        ({"sharding": "ddp", "devices": 3}, "accumulation 4 can't be shared by 3 devices"),
        (
            {"sharding": "fsdp1_qlora", "devices": 2},
            "fsdp1_qlora with quantisation none",
        ),
    ],
)
def test_a_launch_that_cannot_be_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        a_training(**changes)
