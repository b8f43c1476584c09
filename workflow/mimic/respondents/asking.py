"""Asking a respondent that answers in words only what it hasn't answered yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mimic.progress import Progress
from mimic.respondents.base import Prompt, TextRespondent
from mimic.respondents.store import TextStore, text_key


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


def prompt_keys(prompts: Sequence[Prompt], options: Mapping[str, Any]) -> list[bytes]:
    """The key of each prompt's answer in the store."""
    return [text_key(one.text, {**options, "sample": one.sample}) for one in prompts]
