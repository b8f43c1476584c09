"""Step: one run answers an instrument in words, in the formats of the protocol ``released``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from mimic.chat import render
from mimic.compute import ComputeSettings, load_tokenizer, prepare_torch
from mimic.forms.released import Released, ReleasedFormat, load_released, target_words
from mimic.progress import Progress, say
from mimic.questionnaire.asked_model import answers_folder, asked_model
from mimic.questionnaire.generation_settings import GenerationSettings
from mimic.questionnaire.instruments import Item, load_instrument
from mimic.questionnaire.parsing import parse
from mimic.questionnaire.texts import cut_text, own_texts
from mimic.respondents.base import Prompt, TextRespondent
from mimic.respondents.generation import GenerationRespondent
from mimic.respondents.store import TextStore, text_key
from mimic.step import Job, run_step
from mimic.traits import Profile, balanced_profiles

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Asked:
    """A rendered prompt and what it is about."""

    profile: Profile
    name: str
    format: ReleasedFormat
    item: Item
    prompt: Prompt


def main(job: Job) -> None:
    """Write ``generated.parquet``."""
    settings = job.parse(GenerationSettings, "questionnaire")
    compute = job.parse(ComputeSettings, "compute")
    prepare_torch(compute, seed=settings.seed)
    released = load_released(job.input("released"))
    items = load_instrument(job.input("instrument")).items
    profiles = balanced_profiles(settings.profiles)
    tokenizer = load_tokenizer(job.folder("model"))
    texts: dict[Profile, str] = {}
    if job.inputs.get("texts"):
        texts = {
            profile: cut_text(tokenizer, text, tokens=settings.text_tokens)
            for profile, text in own_texts(job.input("texts"), profiles).items()
        }
    # All prompts are made before the model is loaded, so that wrong forms show at once.
    asked = prompts_of(tokenizer, released, profiles=profiles, items=items, texts=texts)

    respondent = GenerationRespondent(
        asked_model(job, compute),
        tokenizer,
        batch_size=settings.batch_size,
        max_new_tokens=settings.max_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        seed=settings.seed,
    )
    with TextStore(answers_folder(job, engine="generation")) as store:
        prompts = [one.prompt for one in asked]
        answers = answer_missing(respondent, prompts, store, options=key_options(settings))
    table = pd.DataFrame([row_of(one, text) for one, text in zip(asked, answers, strict=True)])
    say(f"an option was read in {(table['option'] > 0).sum()} of {len(table)} answers")
    table.to_parquet(job.out / "generated.parquet", index=False)


def prompts_of(
    tokenizer: PreTrainedTokenizerBase,
    released: Released,
    *,
    profiles: Sequence[Profile],
    items: Sequence[Item],
    texts: Mapping[Profile, str],
) -> list[Asked]:
    """The prompts of all formats, profiles and items, in this order.

    Parameters
    ----------
    texts
        The context text of each profile; empty in the context ``none``.

    Raises
    ------
    ValueError
        If there are texts but a format has no place for one.
    """
    return [
        Asked(
            profile=profile,
            name=name,
            format=form,
            item=item,
            prompt=Prompt(
                render(
                    tokenizer,
                    form.filled(
                        target=target_words(profile), text=texts.get(profile), item=item.statement()
                    ),
                ),
                name=f"of item {item.id} in format {name} for {profile}",
            ),
        )
        for name, form in released.by_name().items()
        for profile in profiles
        for item in items
    ]


def key_options(settings: GenerationSettings) -> dict[str, Any]:
    """The settings that an answer's bytes depend on besides its prompt."""
    options: dict[str, Any] = {
        "max_tokens": settings.max_tokens,
        "batch_size": settings.batch_size,
    }
    if settings.temperature > 0:
        options |= {
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "seed": settings.seed,
        }
    return options


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
        What goes into the key of each answer with its prompt, from `key_options`.
    """
    keys = [text_key(one.text, {**options, "sample": one.sample}) for one in prompts]
    place = dict(zip(keys, prompts, strict=True))
    missing = store.missing(keys)
    progress = Progress("answers", len(missing))
    for batch in respondent.answers([place[key] for key in missing]) if missing else ():
        for position, text in batch.items():
            store.add(missing[position], text)
        progress.advance(len(batch))
    return [store.get(key) for key in keys]


def row_of(asked: Asked, text: str) -> dict[str, Any]:
    """A row: the raw answer, the option read in it (0 for none) and why there is none."""
    parsed = parse(text, asked.format)
    return {
        "profile": str(asked.profile),
        "item": asked.item.id,
        "trait": asked.item.trait,
        "keyed": asked.item.keyed,
        "cluster": asked.item.cluster,
        "form": asked.name,
        "format": asked.name,
        "text": text,
        "option": parsed.option or 0,
        "reason": parsed.reason,
    }


if __name__ == "__main__":
    run_step(main)
