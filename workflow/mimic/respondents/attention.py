"""Attention of a token tree to a prefix that it shares, as an attention function of transformers.

The keys and values of the prefix are held once, whatever the number of questions: nothing is copied
for each of them, and no mask of the size of the prefix is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

NAME = "mimic_shared_prefix"

# Handed over by many models: in evaluation mode nothing is dropped out, and queries and keys hold
# their positions already.
_WITHOUT_EFFECT = frozenset({"dropout", "is_causal", "position_ids"})

KeysValues = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Rows:
    """A tree's tokens by question: a row for each, with the tokens that it added itself.

    Attributes
    ----------
    asked
        Which tokens ask in a row, shape (rows, asking); what fills a row up is any token.
    filled
        Which places of `asked` are no filling, shape (rows, asking); row by row they are all
        tokens in order.
    seen
        Which tokens can be seen in a row, shape (rows, seen).
    hidden
        What an asking token doesn't see, shape (rows, asking, seen).
    """

    asked: torch.Tensor
    filled: torch.Tensor
    seen: torch.Tensor
    hidden: torch.Tensor

    def to(self, device: torch.device) -> Rows:
        """The same on a device."""
        return Rows(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def spread(self, packed: torch.Tensor) -> torch.Tensor:
        """From (…, tokens, n) to (…, rows, asking, n)."""
        return packed[..., self.asked, :]

    def packed(self, spread: torch.Tensor) -> torch.Tensor:
        """From (…, rows, asking, n) back to (…, tokens, n)."""
        return spread[..., self.filled, :]


@dataclass
class Segment:
    """What the attention function is told of the tokens that are being computed.

    Attributes
    ----------
    prefix
        For each layer keys and values of the tokens before, each of shape
        (key heads, tokens, head size); empty where there are none.
    rows
        How a tree is laid out for its attention; None where the tokens are a chain.
    computed
        Filled with keys and values of prefix and tokens together, where they are a chain.
    """

    prefix: dict[int, KeysValues] = field(default_factory=dict)
    rows: Rows | None = None
    computed: dict[int, KeysValues] = field(default_factory=dict)


class _Current:
    """The segment that is being computed; a model's forward has no way to hand it through."""

    segment = Segment()


@contextmanager
def computing(segment: Segment) -> Iterator[None]:
    """Say what the forward pass within computes."""
    _Current.segment = segment
    try:
        yield
    finally:
        _Current.segment = Segment()


def shared_prefix_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    softcap: float | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of one sequence of tokens, given the current `Segment`.

    Parameters
    ----------
    query
        Shape (1, heads, tokens, head size).
    key
        Shape (1, key heads, tokens, head size).
    value
        Shape (1, key heads, tokens, value size), which may differ from that of keys.
    others
        What models hand over besides. Anything but `_WITHOUT_EFFECT` might change attention, and
        must be None or False.

    Returns
    -------
    tuple
        Shape (1, tokens, heads, value size), and None for the weights.

    Raises
    ------
    ValueError
        If the model hands over what is unknown here; if the tokens don't fit into the layer's
        sliding window, for all must be seen; if there is more than one sequence.
    """
    unknown = [
        name
        for name, value in others.items()
        if value is not None and value is not False and name not in _WITHOUT_EFFECT
    ]
    if unknown or others.get("is_causal") is False:
        raise ValueError(
            f"the model's attention has {', '.join(unknown) or 'no causal order'}, which the "
            "engine shared_prefix doesn't know; set questionnaire.engine to one_prompt"
        )
    if len(query) != 1:
        raise ValueError(f"one sequence is computed at a time, not a batch of {len(query)}")
    segment, layer = _Current.segment, int(module.layer_idx)
    kinds, heads, tokens, size = key.shape[1], query.shape[1], query.shape[2], query.shape[3]
    keys, values = key[0], value[0]
    before = segment.prefix.get(layer)
    own = tokens if segment.rows is None else segment.rows.seen.shape[1]
    reach = own + (0 if before is None else before[0].shape[1])
    if sliding_window is not None and reach > sliding_window:
        raise ValueError(
            f"the prompt has up to {reach} tokens and the model sees {sliding_window} back; "
            "set questionnaire.engine to one_prompt"
        )
    # (key heads, heads of each, tokens, head size)
    queries = query[0].reshape(kinds, heads // kinds, tokens, size) * scaling
    if segment.rows is None:
        if before is not None:
            keys = torch.cat([before[0], keys], dim=1)
            values = torch.cat([before[1], values], dim=1)
        segment.computed[layer] = (keys, values)
        scores = _capped(queries @ keys[:, None].transpose(-1, -2), softcap)
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device)
        seen = seen.tril(scores.shape[-1] - tokens)
        weights = _weights(scores.masked_fill(~seen, -torch.inf))
        mixed = weights @ values[:, None]
        return mixed.reshape(1, heads, tokens, -1).transpose(1, 2), None
    rows, each = segment.rows, heads // kinds
    own_keys, own_values = keys[:, rows.seen], values[:, rows.seen]
    # (key heads, heads of each, rows, asking, head size) to (key heads, rows, heads × asking, …)
    asking = rows.spread(queries).transpose(1, 2)
    scores = (asking.flatten(2, 3) @ own_keys.transpose(-1, -2)).unflatten(2, (each, -1))
    scores = _capped(scores, softcap).masked_fill(rows.hidden[:, None], -torch.inf)
    scores = rows.packed(scores.transpose(1, 2))
    if before is not None:
        far = queries.flatten(1, 2) @ before[0].transpose(-1, -2)
        scores = torch.cat([scores, _capped(far, softcap).unflatten(1, (each, -1))], dim=-1)
    weights = _weights(scores)
    near = rows.spread(weights[..., :own]).transpose(1, 2).flatten(2, 3)
    mixed = rows.packed((near @ own_values).unflatten(2, (each, -1)).transpose(1, 2))
    if before is not None:
        mixed = mixed + (weights[..., own:].flatten(1, 2) @ before[1]).unflatten(1, (each, -1))
    return mixed.reshape(1, heads, tokens, -1).transpose(1, 2), None


def _weights(scores: torch.Tensor) -> torch.Tensor:
    # In float32 whatever the precision of the rest, as transformers' own eager attention does.
    return scores.softmax(-1, dtype=torch.float32).to(scores.dtype)


def _capped(scores: torch.Tensor, softcap: float | None) -> torch.Tensor:
    return scores if softcap is None else softcap * torch.tanh(scores / softcap)
