"""What doesn't fit is rearranged where the training stays the same, and refused in words else."""

from dataclasses import replace

import pytest
from plan_models import GEMMA_7B, LLAMA_3_8B, LLAMA_3_70B, a_training

from mimic.plan.devices import A100_40, MELUXINA, Node
from mimic.plan.fitting import Placed, Refused, place_training, place_writing
from mimic.plan.workload import Writing

ONE = Node(device=A100_40, gpus=1, network_rate=1e9)


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
    assert "nothing that was tried fits: batches of 1, checkpointing, nf4, 1 device" in found.words


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
