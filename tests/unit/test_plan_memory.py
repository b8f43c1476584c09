"""Memory: against what autograd keeps of real blocks, and by what must follow from what."""

from dataclasses import replace

import pytest
import torch
from plan_models import GEMMA_7B, LLAMA_3_8B, LLAMA_3_70B, TINY, TINY_GEMMA_2, a_training, tiny

from mimic.plan.activations import kept_by_block
from mimic.plan.devices import A100_40
from mimic.plan.memory import answering_memory, training_memory, writing_memory
from mimic.plan.workload import Adapter, Answering, Writing

ROWS, LENGTH = 2, 64


def kept_by_autograd(architecture, training, *, padded=True):
    """Bytes of what the backward pass of the blocks needs, weights aside."""
    from peft import LoraConfig, get_peft_model

    adapter = training.adapter
    targets = adapter.target_modules
    model = tiny(architecture, attention=training.attention).to(getattr(torch, training.precision))
    model = get_peft_model(
        model,
        LoraConfig(
            r=adapter.rank,
            lora_dropout=adapter.dropout,
            target_modules=targets if isinstance(targets, str) else list(targets),
            task_type="CAUSAL_LM",
        ),
    ).train()
    # Otherwise the first block, below which nothing is trained, keeps less than the others.
    model.enable_input_require_grads()
    weights = {w.untyped_storage()._cdata for w in [*model.parameters(), *model.buffers()]}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage
        return tensor

    ids = torch.randint(0, TINY.vocabulary, (ROWS, LENGTH))
    mask = torch.ones_like(ids)
    if padded:
        mask[0, :5] = 0
    cast = torch.autocast(
        "cpu", dtype=torch.bfloat16, enabled=training.autocast != "none", cache_enabled=True
    )
    with cast, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.base_model.model.model(input_ids=ids, attention_mask=mask, use_cache=False)
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "float32"},
        {"precision": "bfloat16"},
        {"precision": "bfloat16", "autocast": "bfloat16"},
        {"precision": "float32", "autocast": "bfloat16"},
        {"precision": "float32", "attention": "eager"},
        {"precision": "bfloat16", "attention": "eager"},
        {"precision": "float32", "adapter": Adapter(rank=4, dropout=0.1)},
        {"precision": "bfloat16", "adapter": Adapter(rank=4, dropout=0.1)},
        {
            "precision": "float32",
            "adapter": Adapter(rank=4, target_modules=("q_proj", "v_proj")),
        },
        {"precision": "float32", "packing": True},
    ],
    ids=str,
)
def test_a_block_keeps_what_autograd_keeps(changes):
    training = a_training(
        **({"adapter": Adapter(rank=4), "batch_size": ROWS, "longest": LENGTH} | changes)
    )
    measured = kept_by_autograd(TINY, training, padded=not training.packing)
    planned = TINY.layers * kept_by_block(TINY, training, on_gpu=False)
    assert planned == pytest.approx(measured, rel=0.03)


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "float32"},
        {"precision": "bfloat16"},
        {"precision": "bfloat16", "autocast": "bfloat16"},
        {"precision": "float32", "autocast": "bfloat16"},
    ],
    ids=str,
)
def test_a_block_of_gemma_2_keeps_its_capped_scores(changes):
    training = a_training(
        adapter=Adapter(rank=4), batch_size=ROWS, longest=LENGTH, attention="eager", **changes
    )
    measured = kept_by_autograd(TINY_GEMMA_2, training)
    planned = TINY.layers * kept_by_block(TINY_GEMMA_2, training, on_gpu=False)
    assert planned == pytest.approx(measured, rel=0.03)


def gigabytes(architecture=LLAMA_3_8B, **changes):
    return training_memory(architecture, a_training(**changes), A100_40)


def test_nf4_leaves_embeddings_and_norms_wide():
    wide, narrow = gigabytes(), gigabytes(quantisation="nf4")
    rest = LLAMA_3_8B.parameters - LLAMA_3_8B.linear_parameters
    assert wide.weights == LLAMA_3_8B.parameters * 2
    # 4.127 bits a number, as the QLoRA paper has it for double quantisation.
    assert narrow.weights - rest * 2 == pytest.approx(
        LLAMA_3_8B.linear_parameters * 4.127 / 8, rel=1e-3
    )


def test_an_adapter_has_its_weights_a_gradient_and_two_moments_in_float32():
    adapter = Adapter(rank=16, target_modules="all-linear", dropout=0.05)
    # By hand: rank × (width in + width out), of q and o, k and v, gate and up, down, 32 times.
    hidden, keys, wide = 4096, 1024, 14336
    numbers = 32 * 16 * (2 * 2 * hidden + 2 * (hidden + keys) + 3 * (hidden + wide))
    assert numbers == 41_943_040
    found = gigabytes(LLAMA_3_8B, adapter=adapter)
    assert (found.adapter, found.gradients, found.optimizer) == tuple(
        pytest.approx(times * 4 * numbers) for times in (1, 1, 2)
    )


def test_sharding_divides_weights_and_states_and_gathers_blocks():
    whole = gigabytes()
    parts = gigabytes(sharding="fsdp2_lora", devices=4)
    assert parts.weights == pytest.approx(whole.weights / 4)
    assert parts.optimizer == pytest.approx(whole.optimizer / 4)
    assert parts.gathered > 2 * LLAMA_3_8B.layer_linear_parameters * 2
    copies = gigabytes(sharding="ddp", devices=4)
    assert copies.weights == whole.weights
    waiting = gigabytes(sharding="fsdp2_lora", devices=4, offload=True)
    assert waiting.weights == waiting.optimizer == 0


def test_checkpointing_keeps_little_and_needs_less():
    with_it, without = gigabytes(checkpointing=True), gigabytes(checkpointing=False)
    assert with_it.activations < without.activations / 3


def test_a_pair_is_two_rows_through_the_blocks():
    two = gigabytes(method="dpo", batch_size=1, checkpointing=False)
    four = gigabytes(method="sft", batch_size=2, checkpointing=False)
    assert two.activations == pytest.approx(four.activations)


def test_a_large_vocabulary_costs_where_all_logits_are_made():
    small = replace(GEMMA_7B, vocabulary=128_000)
    more = {
        method: gigabytes(GEMMA_7B, method=method, longest=4000).activations
        - gigabytes(small, method=method, longest=4000).activations
        for method in ("dpo", "orpo")
    }
    # Two pairs of 4,000 tokens, 128,000 more logits for each: in 16 bits without autocast.
    assert more["orpo"] == pytest.approx(4 * 4000 * 128_000 * 6.0, rel=0.01)
    # TRL's DPO makes them tile by tile.
    assert more["dpo"] < 0.02 * more["orpo"]


def test_eager_attention_grows_with_the_square_of_the_length():
    def kept(longest, attention):
        return gigabytes(longest=longest, attention=attention, checkpointing=False).activations

    assert kept(4096, "sdpa") < 4.5 * kept(1024, "sdpa")
    assert kept(4096, "eager") > 8 * kept(1024, "eager")


def test_70b_does_not_fit_one_device_whole():
    assert gigabytes(LLAMA_3_70B, quantisation="nf4").total > A100_40.memory_bytes


def test_writing_needs_its_cache():
    writing = Writing(texts=64, prompt_length=100, new_tokens=400, batch_size=16)
    memory = writing_memory(LLAMA_3_8B, writing, A100_40)
    # Keys and values of 8 heads of 128 in 32 blocks, two bytes each.
    assert memory.cache == 16 * 500 * 2 * 32 * 8 * 128 * 2
    assert memory.optimizer == memory.gradients == 0


def test_answering_needs_the_prefix_in_its_cache():
    asked = Answering(
        prefixes=32, prefix_length=600, endings=100, ending_length=20, batch_tokens=512
    )
    memory = answering_memory(LLAMA_3_8B, asked, A100_40)
    assert memory.cache == (600 + 512) * 2 * 32 * 8 * 128 * 2


def test_a_model_in_4_bits_takes_less_to_ask_and_unpacks_a_layer():
    wide = Writing(texts=64, prompt_length=100, new_tokens=400, batch_size=16)
    whole, packed = (
        writing_memory(LLAMA_3_8B, replace(wide, quantisation=kind), A100_40)
        for kind in ("none", "nf4")
    )
    assert packed.weights == gigabytes(quantisation="nf4").weights < whole.weights / 2
    assert (whole.gathered, packed.gathered) == (0, 4096 * 14336 * 2)
    assert whole.cache == packed.cache
    asked = Answering(
        prefixes=32, prefix_length=600, endings=100, ending_length=20, batch_tokens=512
    )
    asked_packed = answering_memory(LLAMA_3_8B, replace(asked, quantisation="nf4"), A100_40)
    assert asked_packed.weights == packed.weights
