"""Whether a training learned: the same examples before and after, with a paired standard error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from mimic.chat import encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Trainer

Messages = list[dict[str, str]]
# Positions whose probabilities are computed at once.
_ROWS = 256


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


class LogProbabilities(NamedTuple):
    """Of some examples, each array of shape (examples,).

    Attributes
    ----------
    sums
        Log-probability of each completion given its prompt, in nats.
    counts
        Tokens of each completion.
    whole
        Mean log-probability of a token of prompt and completion together.
    """

    sums: np.ndarray
    counts: np.ndarray
    whole: np.ndarray

    @property
    def means(self) -> np.ndarray:
        """Mean log-probability of a token of each completion."""
        return self.sums / self.counts


def log_probabilities(
    trainer: Trainer, examples: Sequence[tuple[Messages, Messages]], *, max_length: int
) -> LogProbabilities:
    """Log-probabilities of completions given their prompts, by a trainer's model as it is now.

    One example at a time, so that no padding enters.
    """
    model, tokenizer = trainer.model, trainer.processing_class
    was_training = model.training
    model.eval()
    sums, counts, whole = [], [], []
    for prompt, completion in examples:
        start = len(_tokens(tokenizer, prompt, generation=True))
        tokens = _tokens(tokenizer, [*prompt, *completion], generation=False)[:max_length]
        ids = torch.tensor([tokens], device=trainer.args.device)
        # In inference mode FSDP would make buffers that its training can't use afterwards.
        with torch.no_grad(), trainer.accelerator.autocast():
            logits = model(input_ids=ids, use_cache=False).logits[0, :-1]
            chosen = _chosen(logits, ids[0, 1:])
        sums.append(float(chosen[start - 1 :].sum()))
        counts.append(len(tokens) - start)
        whole.append(float(chosen.mean()))
    model.train(was_training)
    return LogProbabilities(np.array(sums), np.array(counts), np.array(whole))


def _chosen(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Log-probability of each id, some rows at a time: as float32 all would take much memory."""
    return torch.cat(
        [
            torch.log_softmax(some.float(), dim=-1).gather(1, chosen[:, None])[:, 0]
            for some, chosen in zip(logits.split(_ROWS), ids.split(_ROWS), strict=True)
        ]
    )


def _tokens(
    tokenizer: PreTrainedTokenizerBase, messages: Messages, *, generation: bool
) -> list[int]:
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generation)
    return encode(tokenizer, text)


def preferred(margins: np.ndarray) -> np.ndarray:
    """1 where the chosen essay is preferred, 0 where the rejected one is, 0.5 where neither is."""
    return np.heaviside(margins, 0.5)


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


def reported(name: str, before: np.ndarray, after: np.ndarray) -> LearningCheck:
    """A figure that is reported as it comes and decides nothing."""
    return _paired(name, before, after, required=False)


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
