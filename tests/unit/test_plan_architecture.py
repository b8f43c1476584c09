"""Parameters of models and adapters: against the published counts, and against real models."""

from dataclasses import replace

import pytest
from plan_models import GEMMA_2_2B, GEMMA_7B, LLAMA_3_8B, LLAMA_3_70B, SMOLLM2, TINY, tiny

from mimic.plan.workload import Adapter


@pytest.mark.parametrize(
    ("architecture", "parameters"),
    [
        # What the hub counts in the safetensors of each.
        (SMOLLM2, 134_515_008),
        (GEMMA_2_2B, 2_614_341_888),
        (LLAMA_3_8B, 8_030_261_248),
        (GEMMA_7B, 8_537_680_896),
        (LLAMA_3_70B, 70_553_706_496),
    ],
)
def test_a_model_has_the_parameters_that_are_published(architecture, parameters):
    assert architecture.parameters == parameters


def test_the_parts_are_those_of_a_real_model():
    untied = replace(TINY, tied_embeddings=False)
    model = tiny(untied)
    linear = sum(p.numel() for name, p in model.named_parameters() if "_proj" in name)
    norms = sum(p.numel() for name, p in model.named_parameters() if "norm" in name)
    assert untied.linear_parameters == linear
    assert untied.norm_parameters == norms
    assert untied.head_parameters == model.lm_head.weight.numel()
    assert untied.parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("targets", ["all-linear", ("q_proj", "v_proj"), ("down_proj",)])
def test_an_adapter_has_the_parameters_that_peft_gives_it(targets):
    from peft import LoraConfig, get_peft_model

    modules = targets if isinstance(targets, str) else list(targets)
    model = get_peft_model(
        tiny(TINY), LoraConfig(r=4, target_modules=modules, task_type="CAUSAL_LM")
    )
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert Adapter(rank=4, target_modules=targets).parameters(TINY) == trained


def test_heads_that_cannot_share_keys_are_refused():
    with pytest.raises(ValueError, match="heads = 8 is no multiple of key_value_heads = 3"):
        replace(TINY, key_value_heads=3)


def test_a_layer_that_the_plan_does_not_know_is_named():
    with pytest.raises(ValueError, match="'query'.*q_proj, k_proj"):
        Adapter(rank=4, target_modules=("query",)).parameters(TINY)
