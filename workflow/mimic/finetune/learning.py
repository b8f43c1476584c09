"""Whether a training learned: the same examples before and after, with a paired standard error."""

from __future__ import annotations

import functools
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
        ids = torch.tensor(tokens, device=trainer.args.device)
        # In inference mode FSDP would make buffers that its training can't use afterwards.
        with torch.no_grad(), trainer.accelerator.autocast():
            chosen = _chosen(trainer, ids)
        sums.append(float(chosen[start - 1 :].sum()))
        counts.append(len(tokens) - start)
        whole.append(float(chosen.mean()))
    model.train(was_training)
    return LogProbabilities(np.array(sums), np.array(counts), np.array(whole))


def _chosen(trainer: Trainer, ids: torch.Tensor) -> torch.Tensor:
    """Log-probability of each token but the first.

    All logits at once, and as float32, would take more memory than a step of training. So the model
    is called for some rows after the other, and goes through its blocks for the first alone: what
    makes logits of hidden states, and whoever shares the model, is as it always is.
    """
    decoder = trainer.accelerator.unwrap_model(trainer.model).get_decoder()
    through, own = decoder.forward, vars(decoder).get("forward")
    found: list[torch.Tensor] = []
    known: list[Any] = []

    def some(first: int, *args: Any, **kwargs: Any) -> Any:
        if not known:
            known.append(through(*args, **kwargs))
        rows = known[0].last_hidden_state[:, first : first + _ROWS]
        return type(known[0])(**{**known[0], "last_hidden_state": rows})

    try:
        for first in range(0, len(ids) - 1, _ROWS):
            decoder.forward = functools.partial(some, first)
            logits = trainer.model(input_ids=ids[None], use_cache=False).logits[0]
            following = ids[first + 1 :][:_ROWS, None]
            chances = torch.log_softmax(logits[: len(following)].float(), dim=-1)
            found.append(chances.gather(1, following)[:, 0])
    finally:
        del decoder.forward
        if own is not None:
            decoder.forward = own
    return torch.cat(found)


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
