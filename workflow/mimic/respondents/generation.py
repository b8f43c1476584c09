"""A local model that answers in words, by transformers: greedy or sampled.

Prompts are padded on the left to a multiple of 32 tokens. Prompts of one padded length are answered
in batches of a fixed number; the last one is filled up with copies, whose answers are dropped. So
the shape of the batch in which a prompt is answered doesn't depend on what else is asked, and an
answer isn't moved by its company. What is sampled is drawn for each prompt by a generator of its
own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch

from mimic.chat import encode
from mimic.respondents.base import Prompt, prompt_seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Prompts are padded to multiples of so many tokens.
WIDTH = 32


class GenerationRespondent:
    """Answers prompts by generating.

    Parameters
    ----------
    model
        A causal model in evaluation mode. Its own generation settings (a repetition penalty, say)
        are replaced by those given here.
    tokenizer
        Its tokenizer, with a padding token.
    batch_size
        Prompts in one batch.
    max_new_tokens
        Longest answer, in tokens. An answer ends before at the end of its turn.
    temperature
        0 is greedy; above 0 samples.
    top_p
        Sampling is from the likeliest tokens that together reach this probability.
    seed
        Seed of the sampling, with that of each prompt and sample (`prompt_seed`).
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        batch_size: int,
        max_new_tokens: int = 200,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> None:
        from transformers import GenerationConfig

        self.model, self.tokenizer = model, tokenizer
        self.batch_size, self.seed = batch_size, seed
        self.temperature, self.top_p = temperature, top_p
        stops = stop_tokens(model, tokenizer)
        # `generate` fills what its arguments leave open from here. It always takes the highest
        # score; what is sampled has its noise in the scores.
        model.generation_config = GenerationConfig(
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=list(stops) or None,
            pad_token_id=tokenizer.pad_token_id,
        )

    def answers(self, prompts: Sequence[Prompt]) -> Iterator[dict[int, str]]:
        """Answer each prompt once, a batch at a time, the longest first.

        The longest come first so that too little memory shows at once.

        Yields
        ------
        dict of int to str
            Answers as generated, without special tokens, by the position of their prompts.

        Raises
        ------
        ValueError
            If the model gives no numbers; the message names the prompt.
        """
        encoded = [encode(self.tokenizer, prompt.text) for prompt in prompts]
        widths: dict[int, list[int]] = {}
        for position, tokens in enumerate(encoded):
            widths.setdefault(math.ceil(len(tokens) / WIDTH) * WIDTH, []).append(position)
        for width in sorted(widths, reverse=True):
            for start in range(0, len(widths[width]), self.batch_size):
                batch = widths[width][start : start + self.batch_size]
                filled = batch + [batch[-1]] * (self.batch_size - len(batch))
                texts = self._generate(
                    [prompts[i] for i in filled], [encoded[i] for i in filled], width=width
                )
                yield dict(zip(batch, texts, strict=False))

    def _generate(
        self, prompts: list[Prompt], encoded: list[list[int]], *, width: int
    ) -> list[str]:
        padding = self.tokenizer.pad_token_id
        device = self.model.device
        ids = [[padding] * (width - len(tokens)) + tokens for tokens in encoded]
        mask = [[0] * (width - len(tokens)) + [1] * len(tokens) for tokens in encoded]
        with torch.inference_mode():
            written = self.model.generate(
                input_ids=torch.tensor(ids, device=device),
                attention_mask=torch.tensor(mask, device=device),
                logits_processor=self._processors(prompts),
            )
        return self.tokenizer.batch_decode(written[:, width:], skip_special_tokens=True)

    def _processors(self, prompts: list[Prompt]) -> Any:
        """What the scores of next tokens go through, in order."""
        from transformers import (
            LogitsProcessorList,
            TemperatureLogitsWarper,
            TopPLogitsWarper,
        )

        through: list[Any] = [_NumbersOnly(prompts)]
        if self.temperature > 0:
            through.append(TemperatureLogitsWarper(self.temperature))
            if self.top_p < 1:
                through.append(TopPLogitsWarper(self.top_p))
            through.append(_Drawn([prompt_seed(self.seed, prompt) for prompt in prompts]))
        return LogitsProcessorList(through)


def stop_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Ids that end an answer.

    Those of the model and its tokenizer, and the special token that the chat template puts behind
    an answer: an end of turn that some models name nowhere else.
    """
    named = model.generation_config.eos_token_id
    stops = {tokenizer.eos_token_id, *(named if isinstance(named, list) else [named])} - {None}
    turns = [{"role": "user", "content": "Question"}, {"role": "assistant", "content": "Answered"}]
    rendered = str(tokenizer.apply_chat_template(turns, tokenize=False))
    behind = encode(tokenizer, rendered.rpartition("Answered")[2].strip())
    if behind and behind[0] in tokenizer.added_tokens_decoder:
        stops.add(behind[0])
    return tuple(sorted(stops))


class _NumbersOnly:
    """Stops generation where the scores of a next token are no numbers."""

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self.prompts = prompts

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        wrong = (torch.isnan(scores) | (scores == math.inf)).any(dim=-1)
        if wrong.any():
            prompt = self.prompts[int(wrong.nonzero()[0])]
            raise ValueError(
                f"the model gave no numbers for the prompt {prompt.name}; its weights, "
                "its adapter or compute.precision may be at fault"
            )
        return scores


class _Drawn:
    """Makes the highest score a draw from the softmax of the scores, row by row.

    With E from the standard exponential distribution, independent for each token, the token with
    the highest score − log E has the probability of its softmax (Gumbel-max; Gumbel 1954).
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        # On the CPU, so that the draws are the same on every device.
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        noise = torch.empty(scores.shape, dtype=torch.float32)
        for row, generator in zip(noise, self.generators, strict=True):
            row.exponential_(generator=generator)
        least = torch.finfo(torch.float32).tiny
        return scores - noise.clamp_min_(least).log_().to(scores.device)
