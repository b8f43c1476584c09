"""How a request becomes a prompt, the same in training and in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def render(tokenizer: PreTrainedTokenizerBase, request: str) -> str:
    """The text of a prompt up to where the model's answer begins."""
    return str(
        tokenizer.apply_chat_template(
            [{"role": "user", "content": request}], tokenize=False, add_generation_prompt=True
        )
    )


def encode_all(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of several rendered texts, as `encode` gives them one by one."""
    return list(tokenizer(list(texts), add_special_tokens=False)["input_ids"])


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of rendered text, without added special tokens."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
