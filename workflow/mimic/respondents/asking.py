"""Asking a respondent that answers in words only what it hasn't answered yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mimic.progress import Progress
from mimic.respondents.base import Prompt, TextRespondent
from mimic.respondents.shards import Shard
from mimic.respondents.store import TextStore, text_key


def answer_together(
    respondent: TextRespondent,
    prompts: Sequence[Prompt],
    folder: Path,
    *,
    options: Mapping[str, Any],
    shard: Shard,
) -> list[str] | None:
    """One raw answer for each prompt, in order; None in all processes but the first.

    Parameters
    ----------
    folder
        The respondent's answer store.
    options
        As in `answer_missing`.
    shard
        Which of the processes that answer this is.
    """
    if shard.count > 1:
        with TextStore(folder) as store:
            answer_missing(respondent, shard.share(prompts), store, options=options)
        shard.wait()
        if not shard.is_first:
            return None
    # Opened again, it has what the others were answered.
    with TextStore(folder) as store:
        return answer_missing(respondent, prompts, store, options=options)


def answer_missing(
    respondent: TextRespondent,
    prompts: Sequence[Prompt],
    store: TextStore,
    *,
    options: Mapping[str, Any],
) -> list[str]:
    """One raw answer for each prompt, in order, while progress is shown.

    Only what the store lacks is asked, and kept as it comes.

    Parameters
    ----------
    options
        The settings that an answer's bytes depend on besides its prompt; they go into its key.
    """
    keys = prompt_keys(prompts, options)
    place = dict(zip(keys, prompts, strict=True))
    missing = store.missing(keys)
    progress = Progress("answers", len(missing))
    for batch in respondent.answers([place[key] for key in missing]) if missing else ():
        for position, text in batch.items():
            store.add(missing[position], text)
        progress.advance(len(batch))
    return [store.get(key) for key in keys]


def sampling_options(
    *, max_tokens: int, batch_size: int, temperature: float, top_p: float = 1.0, seed: int
) -> dict[str, Any]:
    """The settings that the bytes of a local model's answer depend on besides its prompt."""
    options: dict[str, Any] = {"max_tokens": max_tokens, "batch_size": batch_size}
    if temperature > 0:
        options |= {"temperature": temperature, "top_p": top_p, "seed": seed}
    return options


def prompt_keys(prompts: Sequence[Prompt], options: Mapping[str, Any]) -> list[bytes]:
    """The key of each prompt's answer in the store."""
    return [text_key(one.text, {**options, "sample": one.sample}) for one in prompts]
