"""A job's local model that answers in words, with the adapter that each profile has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mimic.compute import ComputeSettings, load_model
from mimic.conditioning import adapters_of
from mimic.respondents.asked_model import answers_folder
from mimic.respondents.asking import answer_together, sampling_options
from mimic.respondents.base import Prompt
from mimic.respondents.generation import GenerationRespondent
from mimic.respondents.shards import Shard
from mimic.step import Job
from mimic.traits import Profile

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def answer_locally(
    job: Job,
    compute: ComputeSettings,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    *,
    profiles: Sequence[Profile],
    shard: Shard,
    max_tokens: int,
    batch_size: int,
    temperature: float,
    top_p: float = 1.0,
    seed: int,
) -> list[str] | None:
    """One raw answer for each prompt, in order; None in all processes but the first.

    Parameters
    ----------
    profiles
        The target of each prompt.
    shard
        Which of the processes that answer this is.
    max_tokens, batch_size, temperature, top_p, seed
        As in `GenerationRespondent`.
    """
    options = sampling_options(
        max_tokens=max_tokens,
        batch_size=batch_size,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
    )
    found: dict[int, str] = {}
    for adapter, adapted in adapters_of(job, profiles):
        own = [number for number, profile in enumerate(profiles) if profile in adapted]
        respondent = GenerationRespondent(
            load_model(job.folder("model"), compute=compute, adapter=adapter),
            tokenizer,
            batch_size=batch_size,
            max_new_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            seed=seed,
        )
        folder = answers_folder(job, engine="generation", adapter=adapter)
        own_prompts = [prompts[number] for number in own]
        answers = answer_together(respondent, own_prompts, folder, options=options, shard=shard)
        # Lest the next one's model come to lie beside it.
        del respondent
        if answers is not None:
            found.update(zip(own, answers, strict=True))
    return [found[number] for number in range(len(prompts))] if shard.is_first else None
