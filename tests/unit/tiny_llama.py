"""A tiny randomly initialised Llama with a real tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ID, REVISION = "mimic/tiny", "a" * 40
ARCHITECTURE = {
    "layers": 2,
    "hidden_size": 32,
    "intermediate_size": 64,
    "heads": 4,
    "key_value_heads": 2,
    "head_dim": 8,
    "vocabulary": 49152,
    "tied_embeddings": True,
}
# As config/models.yaml would hold it.
ENTRY = {
    "title": "Tiny",
    "parameters": 2,
    "license": "Apache-2.0",
    "aligned": "base",
    "source": {"kind": "hub", "id": ID, "revision": REVISION},
    "dtype": "float32",
    "architecture": ARCHITECTURE,
}


def save_tiny(folder: Path, tokenizer: Any) -> None:
    """Save model and tokenizer into a folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=len(tokenizer),
        tie_word_embeddings=True,
        # Wide enough that probabilities differ between prompts.
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
