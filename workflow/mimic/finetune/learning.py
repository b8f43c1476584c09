"""Whether a training learned: the same examples before and after, with a paired standard error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class LearningCheck:
    """One figure before and after training.

    Attributes
    ----------
    standard_error
        Of the paired change, over examples; None below two examples.
    required
        Whether a run that fails it counts as one that learned nothing.
    passed
        None where the figure is only reported.
    """

    check: str
    before: float
    after: float
    change: float
    standard_error: float | None
    examples: int
    required: bool
    passed: bool | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def completion_log_probabilities(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[tuple[list[dict[str, str]], list[dict[str, str]]]],
    *,
    max_length: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Log-probability of each completion given its prompt, and its number of tokens.

    One example at a time, so that no padding enters.

    Returns
    -------
    tuple of ndarray
        Sums in nats and counts of tokens, each of shape (examples,).
    """
    sums, counts = [], []
    for prompt, completion in examples:
        start = len(_tokens(tokenizer, prompt, generation=True))
        tokens = _tokens(tokenizer, [*prompt, *completion], generation=False)[:max_length]
        ids = torch.tensor([tokens], device=model.device)
        with torch.inference_mode():
            logits = model(ids).logits[0, start - 1 : -1].float()
        chosen = torch.log_softmax(logits, dim=-1).gather(1, ids[0, start:, None])
        sums.append(float(chosen.sum()))
        counts.append(len(tokens) - start)
    return np.array(sums), np.array(counts)


def _tokens(
    tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], *, generation: bool
) -> list[int]:
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generation)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def loss_check(before: np.ndarray, after: np.ndarray) -> LearningCheck:
    """SFT: the loss on validation essays falls by more than its standard error.

    Parameters
    ----------
    before, after
        Loss of each validation essay, in nats for each token.
    """
    check = _paired("validation loss", before, after, required=True)
    passed = check.standard_error is not None and check.change < -check.standard_error
    return LearningCheck(**{**check.as_dict(), "passed": passed})


def margin_check(before: np.ndarray, after: np.ndarray, *, training: bool) -> LearningCheck:
    """DPO, ORPO: the reward margin on training pairs rises clearly above 0.

    Clearly: the mean afterwards is above 0 and the rise exceeds two standard errors. Margins on
    validation pairs are reported as they come.

    Parameters
    ----------
    before, after
        Margin of each pair.
    """
    name = "training margin" if training else "validation margin"
    check = _paired(name, before, after, required=training)
    if not training:
        return check
    passed = (
        check.standard_error is not None
        and check.after > 0
        and check.change > 2 * check.standard_error
    )
    return LearningCheck(**{**check.as_dict(), "passed": passed})


def _paired(name: str, before: np.ndarray, after: np.ndarray, *, required: bool) -> LearningCheck:
    change = after - before
    error = float(change.std(ddof=1) / np.sqrt(len(change))) if len(change) > 1 else None
    return LearningCheck(
        check=name,
        before=float(before.mean()),
        after=float(after.mean()),
        change=float(change.mean()),
        standard_error=error,
        examples=len(change),
        required=required,
        passed=None,
    )
