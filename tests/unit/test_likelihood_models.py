"""Which models the engine shared_prefix takes, and what it says of those that it doesn't."""

import math

import numpy as np
import pytest
import torch

from mimic.respondents import likelihood
from mimic.respondents.likelihood import OnePrompt, SharedPrefix, all_answers
from mimic.respondents.tree import Question

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 60,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
QUESTION = Question(
    tuple(range(3, 25)),
    (7, 8, 9),
    (10, 11),
    (((12, 13),), ((14,), (15, 16)), ((17,),)),
    name="of item x",
)


def model_of(family, **sizes):
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **(SIZES | sizes))
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()


def test_attention_sinks_are_refused():
    engine = SharedPrefix(model_of("gpt_oss", head_dim=8, num_local_experts=4), batch_tokens=64)
    with pytest.raises(ValueError, match=r"has s_aux, which .* questionnaire.engine to one_prompt"):
        all_answers(engine, [QUESTION])


def test_layers_without_attention_are_refused(monkeypatch):
    kinds = ["conv", "full_attention", "conv"]
    sizes = {"layer_types": kinds, "block_multiple_of": 8}
    with pytest.raises(ValueError, match="layers of the kind conv, .* one_prompt"):
        SharedPrefix(model_of("lfm2", **sizes), batch_tokens=64)
    # A configuration may not say so; then the first answer shows it.
    monkeypatch.setattr(likelihood, "_LAYERS", {"full_attention", "conv"})
    engine = SharedPrefix(model_of("lfm2", **sizes), batch_tokens=64)
    with pytest.raises(
        ValueError, match=r"Lfm2ForCausalLM.*plain forward pass .*0\.0001.*item x.*one_prompt"
    ):
        all_answers(engine, [QUESTION])


@pytest.mark.parametrize("family", ["phimoe", "mistral"])
def test_a_window_is_refused_whether_attention_is_told_of_it_or_not(family):
    wide = SharedPrefix(model_of(family, sliding_window=64), batch_tokens=64)
    plain = all_answers(OnePrompt(model_of(family, sliding_window=64)), [QUESTION])
    assert np.array(all_answers(wide, [QUESTION])) == pytest.approx(np.array(plain), rel=1e-4)
    narrow = SharedPrefix(model_of(family, sliding_window=16), batch_tokens=64)
    with pytest.raises(ValueError, match="model sees 16 back; set questionnaire.engine"):
        all_answers(narrow, [QUESTION])


def test_windows_of_some_layers_count_unless_they_are_off():
    kinds = ["sliding_attention", "full_attention", "sliding_attention"]
    sizes = {"num_experts": 4, "sliding_window": 16, "layer_types": kinds}
    on = SharedPrefix(model_of("qwen2_moe", use_sliding_window=True, **sizes), batch_tokens=64)
    with pytest.raises(ValueError, match="model sees 16 back"):
        all_answers(on, [QUESTION])
    off = SharedPrefix(model_of("qwen2_moe", **sizes | {"layer_types": None}), batch_tokens=64)
    all_answers(off, [QUESTION])


def test_values_may_have_another_size_than_keys():
    sizes = {
        "num_key_value_heads": 4,
        "q_lora_rank": None,
        "kv_lora_rank": 16,
        "qk_nope_head_dim": 16,
        "qk_rope_head_dim": 8,
        "v_head_dim": 12,
        "first_k_dense_replace": 3,
    }
    plain = all_answers(OnePrompt(model_of("deepseek_v3", **sizes)), [QUESTION] * 2)
    found = all_answers(
        SharedPrefix(model_of("deepseek_v3", **sizes), batch_tokens=64), [QUESTION] * 2
    )
    assert np.array(found) == pytest.approx(np.array(plain), rel=1e-4)


@pytest.mark.parametrize(("precision", "refused"), [(torch.float32, True), (torch.bfloat16, False)])
def test_the_first_answer_is_compared_and_only_it(monkeypatch, precision, refused):
    compared = []
    real = OnePrompt.probabilities

    def slightly_off(self, question):
        compared.append(question)
        return [p * math.exp(0.01) for p in real(self, question)]

    monkeypatch.setattr(OnePrompt, "probabilities", slightly_off)
    engine = SharedPrefix(model_of("llama").to(precision), batch_tokens=64)
    if refused:
        with pytest.raises(ValueError, match="gives log-probabilities 0.01 from those"):
            all_answers(engine, [QUESTION])
        return
    all_answers(engine, [QUESTION, QUESTION])
    all_answers(engine, [QUESTION])
    assert compared == [QUESTION]
