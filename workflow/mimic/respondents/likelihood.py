"""A local model that answers by likelihood: the probability of each option, from forward passes.

A prompt is cut into three segments: what all prompts of its form share, what all items of its
profile share, and its own ending. The key/value cache of the first two is reused; endings are
scored in batches. Where a prompt is cut depends on that prompt alone, and batches have a fixed
number of rows, so that what else is asked doesn't change how an answer is computed.
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

# Lengths of endings are padded to a multiple of this, so that few shapes occur.
LENGTH_STEP = 4

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Question:
    """One prompt in segments, and the token sequences that count as each option.

    Attributes
    ----------
    form, about, ending
        Token ids; their concatenation is the prompt.
    options
        For each option its variants (such as ``3`` and `` 3``), each a token sequence.
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
        Rows of every forward pass over endings.
    """

    def __init__(self, model: PreTrainedModel, *, batch_size: int) -> None:
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

        Rows are padded on the left, behind the shared prefix, with the padding masked.

        Returns
        -------
        Tensor
            Shape (rows, depth, vocabulary).
        """
        longest = max(len(row) for row in batch)
        width = -(-longest // LENGTH_STEP) * LENGTH_STEP
        filled = [*batch, *([batch[0]] * (self.batch_size - len(batch)))]
        device = self.model.device
        ids = torch.zeros((self.batch_size, width), dtype=torch.long)
        mask = torch.zeros((self.batch_size, prefix + width), dtype=torch.long)
        mask[:, :prefix] = 1
        positions = torch.zeros((self.batch_size, width), dtype=torch.long)
        for number, row in enumerate(filled):
            begin = width - len(row)
            ids[number, begin:] = torch.tensor(row)
            mask[number, prefix + begin :] = 1
            positions[number, begin:] = torch.arange(prefix, prefix + len(row))
        shared = copy.deepcopy(cache)
        if prefix:
            shared.batch_repeat_interleave(self.batch_size)
        with torch.inference_mode():
            logits = self.model(
                ids.to(device),
                attention_mask=mask.to(device),
                position_ids=positions.to(device),
                past_key_values=shared,
                use_cache=True,
                logits_to_keep=depth,
            ).logits[: len(batch), -depth:]
        return torch.log_softmax(logits.float(), dim=-1)

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
