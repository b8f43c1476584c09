"""The shape of a decoder-only language model, and how many parameters its parts have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# The linear layers of a block, by the names that LoRA targets are given by.
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
LINEAR = ATTENTION + MLP


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A stack of equal blocks of grouped-query attention and a gated MLP, without biases.

    Llama, SmolLM2, Mistral, Qwen (but for its small biases) and Gemma have this shape.

    Attributes
    ----------
    layers, hidden_size, intermediate_size, heads, key_value_heads, head_dim, vocabulary
        As ``config.json`` of a model has them.
    tied_embeddings
        Whether the output layer is the embedding matrix.
    norms_per_layer
        Norms in a block: 2, or 4 in Gemma 2.
    """

    layers: int
    hidden_size: int
    intermediate_size: int
    heads: int
    key_value_heads: int
    head_dim: int
    vocabulary: int
    tied_embeddings: bool
    norms_per_layer: Literal[2, 4] = 2

    def __post_init__(self) -> None:
        if self.heads % self.key_value_heads:
            raise ValueError(
                f"heads = {self.heads} is no multiple of key_value_heads = {self.key_value_heads}; "
                "each key and value head serves a whole number of heads"
            )

    @property
    def capped(self) -> bool:
        """Whether attention's scores and the logits pass through tanh, as in Gemma 2."""
        return self.norms_per_layer == 4

    @property
    def query_size(self) -> int:
        """Width of the queries, and of what attention puts out."""
        return self.heads * self.head_dim

    @property
    def key_value_size(self) -> int:
        """Width of the keys, and of the values."""
        return self.key_value_heads * self.head_dim

    @property
    def linear_shapes(self) -> Mapping[str, tuple[int, int]]:
        """Width in and out of each linear layer of a block."""
        hidden, wide = self.hidden_size, self.intermediate_size
        query, kv = self.query_size, self.key_value_size
        return {
            "q_proj": (hidden, query),
            "k_proj": (hidden, kv),
            "v_proj": (hidden, kv),
            "o_proj": (query, hidden),
            "gate_proj": (hidden, wide),
            "up_proj": (hidden, wide),
            "down_proj": (wide, hidden),
        }

    @property
    def layer_linear_parameters(self) -> int:
        """Parameters of the linear layers of one block."""
        return sum(wide * high for wide, high in self.linear_shapes.values())

    @property
    def linear_parameters(self) -> int:
        """Parameters of the linear layers of all blocks: what quantisation makes small."""
        return self.layers * self.layer_linear_parameters

    @property
    def norm_parameters(self) -> int:
        """Parameters of all norms, the last one behind the blocks among them."""
        return (self.layers * self.norms_per_layer + 1) * self.hidden_size

    @property
    def embedding_parameters(self) -> int:
        """Parameters of the embedding matrix."""
        return self.vocabulary * self.hidden_size

    @property
    def head_parameters(self) -> int:
        """Parameters that the output layer adds; none if it is the embedding matrix."""
        return 0 if self.tied_embeddings else self.embedding_parameters

    @property
    def parameters(self) -> int:
        """All parameters."""
        return (
            self.linear_parameters
            + self.norm_parameters
            + self.embedding_parameters
            + self.head_parameters
        )

    @property
    def multiplied_parameters(self) -> int:
        """Parameters that every token is multiplied with: all but the embedding's look-up."""
        return self.linear_parameters + self.embedding_parameters
