"""A local model that answers by likelihood: the probability of each option, from forward passes.

A prompt is cut into three segments: what all prompts of its form share, what all items of its
profile share, and its own ending. The key/value cache of the first two is reused. Endings are laid
one behind the other in one sequence, each with its own positions and a mask that lets it see the
shared prefix and itself alone: no padding, and no copy of the cache for each ending.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedModel

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Question:
    """One prompt in segments, and the token sequences that count as each option.

    Attributes
    ----------
    form, about, ending
        Token ids; their concatenation is the prompt.
    options
        For each option its variants (as it is and with a capital), each a token sequence.
    """

    form: Tokens
    about: Tokens
    ending: Tokens
    options: tuple[tuple[Tokens, ...], ...]


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of leading tokens that two sequences share."""
    length = 0
    for a, b in zip(first, second, strict=False):
        if a != b:
            break
        length += 1
    return length


class LikelihoodRespondent:
    """Answers questions by the probability of each option.

    Parameters
    ----------
    model
        A causal model in evaluation mode.
    batch_size
        Endings in one forward pass.

    Raises
    ------
    ValueError
        If the model's attention takes no mask of this kind.
    """

    def __init__(self, model: PreTrainedModel, *, batch_size: int) -> None:
        attention = model.config._attn_implementation
        if attention not in ("eager", "sdpa"):
            raise ValueError(
                f"compute.attention is {attention}, but answering by likelihood needs eager or sdpa"
            )
        self.model = model
        self.batch_size = batch_size
        self._form: Tokens | None = None
        self._form_cache: DynamicCache | None = None

    def answer(self, questions: Sequence[Question]) -> list[list[float]]:
        """Probability of each option for questions that share `form` and `about`.

        The probability of an option is the sum over its variants of the probability of the whole
        token sequence, given the prompt.

        Returns
        -------
        list of list of float
            Shape (questions, options). Nothing is renormalised: the rest of the mass lies on
            answers that are no option.

        Raises
        ------
        ValueError
            If the questions don't share their first two segments, or if a probability is no
            number; the message says at which question.
        """
        first = questions[0]
        if any(q.form != first.form or q.about != first.about for q in questions):
            raise ValueError("questions that are answered together must share form and target")
        cache = self._prefix_cache(first.form, first.about)
        rows = sorted({row for q in questions for row in _rows(q)}, key=lambda row: (len(row), row))
        scores: dict[Tokens, torch.Tensor] = {}
        depth = max(len(tokens) for q in questions for option in q.options for tokens in option)
        prefix = len(first.form) + len(first.about)
        for start in range(0, len(rows), self.batch_size):
            batch = rows[start : start + self.batch_size]
            logits = self._forward(batch, cache=cache, prefix=prefix, depth=depth)
            scores.update(zip(batch, logits, strict=True))
        return [self._read(q, scores, depth) for q in questions]

    def _prefix_cache(self, form: Tokens, about: Tokens) -> DynamicCache:
        """The cache after both shared segments; the form's own is kept for the next profile."""
        from transformers import DynamicCache

        if form != self._form:
            self._form, self._form_cache = form, DynamicCache(config=self.model.config)
            if form:
                self._extend(self._form_cache, form)
        cache = copy.deepcopy(self._form_cache)
        assert cache is not None  # it was just made
        if about:
            self._extend(cache, about)
        return cache

    def _extend(self, cache: DynamicCache, tokens: Tokens) -> None:
        ids = torch.tensor([tokens], device=self.model.device)
        with torch.inference_mode():
            self.model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)

    def _forward(
        self, batch: list[Tokens], *, cache: DynamicCache, prefix: int, depth: int
    ) -> torch.Tensor:
        """Log-probabilities after the last `depth` tokens of each row.

        Returns
        -------
        Tensor
            Shape (rows, depth, vocabulary). A row shorter than `depth` repeats its first.
        """
        device, dtype = self.model.device, self.model.dtype
        ids = torch.tensor([[token for row in batch for token in row]])
        lengths = torch.tensor([len(row) for row in batch])
        owner = torch.repeat_interleave(torch.arange(len(batch)), lengths)
        ends = lengths.cumsum(0)
        positions = torch.arange(ids.shape[1]) - (ends - lengths)[owner]
        sees = (owner[:, None] == owner[None, :]) & (positions[:, None] >= positions[None, :])
        mask = torch.zeros((ids.shape[1], prefix + ids.shape[1]), dtype=dtype)
        mask[:, prefix:].masked_fill_(~sees, torch.finfo(dtype).min)
        # The last `depth` tokens of each row, within the row.
        back = torch.arange(depth - 1, -1, -1)
        kept = torch.maximum(ends[:, None] - 1 - back, (ends - lengths)[:, None])
        with torch.inference_mode():
            logits = self.model(
                ids.to(device),
                attention_mask=mask[None, None].to(device),
                position_ids=(prefix + positions)[None].to(device),
                past_key_values=copy.deepcopy(cache),
                use_cache=True,
                logits_to_keep=kept.flatten().to(device),
            ).logits[0]
        return torch.log_softmax(logits.float(), dim=-1).view(len(batch), depth, -1)

    @staticmethod
    def _read(question: Question, scores: dict[Tokens, torch.Tensor], depth: int) -> list[float]:
        probabilities = []
        for variants in question.options:
            total = 0.0
            for tokens in variants:
                covering = _covering(question.ending + tokens[:-1], question)
                # Scores of the first option token stand where the ending's last token is.
                start = depth - 1 - (len(covering) - len(question.ending))
                scored = scores[covering]
                total += math.exp(
                    sum(float(scored[start + i, token]) for i, token in enumerate(tokens))
                )
            probabilities.append(total)
        if not all(math.isfinite(p) for p in probabilities):
            raise ValueError(f"the model gave no numbers for the prompt ending {question.ending}")
        return probabilities


def _rows(question: Question) -> Iterator[Tokens]:
    """The token rows that a question needs: each variant but for its last token."""
    for variants in question.options:
        for tokens in variants:
            yield _covering(question.ending + tokens[:-1], question)


def _covering(row: Tokens, question: Question) -> Tokens:
    """The longest row of the question that begins with `row`: it gives its scores as well."""
    candidates = (
        question.ending + tokens[:-1] for variants in question.options for tokens in variants
    )
    return max((c for c in candidates if c[: len(row)] == row), key=lambda c: (len(c), c))
