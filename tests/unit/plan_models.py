"""Shapes of real models, and tiny models of a given shape, for tests of the plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mimic.plan.architecture import Architecture
from mimic.plan.workload import Adapter, Training

# That of the fixture `tiny_model`.
TINY_MODEL = Architecture(
    layers=2,
    hidden_size=32,
    intermediate_size=64,
    heads=4,
    key_value_heads=2,
    head_dim=8,
    vocabulary=49152,
    tied_embeddings=True,
)
SMOLLM2 = Architecture(
    layers=30,
    hidden_size=576,
    intermediate_size=1536,
    heads=9,
    key_value_heads=3,
    head_dim=64,
    vocabulary=49152,
    tied_embeddings=True,
)
LLAMA_3_8B = Architecture(
    layers=32,
    hidden_size=4096,
    intermediate_size=14336,
    heads=32,
    key_value_heads=8,
    head_dim=128,
    vocabulary=128256,
    tied_embeddings=False,
)
LLAMA_3_70B = Architecture(
    layers=80,
    hidden_size=8192,
    intermediate_size=28672,
    heads=64,
    key_value_heads=8,
    head_dim=128,
    vocabulary=128256,
    tied_embeddings=False,
)
GEMMA_2_2B = Architecture(
    layers=26,
    hidden_size=2304,
    intermediate_size=9216,
    heads=8,
    key_value_heads=4,
    head_dim=256,
    vocabulary=256000,
    tied_embeddings=True,
    norms_per_layer=4,
)
GEMMA_7B = Architecture(
    layers=28,
    hidden_size=3072,
    intermediate_size=24576,
    heads=16,
    key_value_heads=16,
    head_dim=256,
    vocabulary=256000,
    tied_embeddings=True,
)
TINY = Architecture(
    layers=4,
    hidden_size=128,
    intermediate_size=320,
    heads=8,
    key_value_heads=2,
    head_dim=16,
    vocabulary=512,
    tied_embeddings=True,
)
# The same with four norms a block and capped scores and logits.
TINY_GEMMA_2 = replace(TINY, norms_per_layer=4)
TINY_GEMMA_2_MODEL = replace(TINY_MODEL, norms_per_layer=4)


def a_training(**changes: Any) -> Training:
    """A training of a model of 7 to 8 thousand million parameters, as it is often done."""
    values: dict[str, Any] = {
        "method": "sft",
        "adapter": Adapter(rank=16),
        "batch_size": 2,
        "accumulation": 4,
        "steps": 100,
        "longest": 1024,
        "mean_length": 800,
        "examples": 800,
    }
    return Training(**(values | changes))


def tiny(a: Architecture, *, attention: str = "sdpa") -> Any:
    """A random model of a shape, on the CPU: a Gemma 2 where it has four norms, else a Llama."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    torch.manual_seed(0)
    config = CONFIG_MAPPING["gemma2" if a.norms_per_layer == 4 else "llama"](
        hidden_size=a.hidden_size,
        intermediate_size=a.intermediate_size,
        num_hidden_layers=a.layers,
        num_attention_heads=a.heads,
        num_key_value_heads=a.key_value_heads,
        head_dim=a.head_dim,
        vocab_size=a.vocabulary,
        tie_word_embeddings=a.tied_embeddings,
        # Those of SmolLM2's tokenizer.
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    return AutoModelForCausalLM.from_config(config, attn_implementation=attention)
