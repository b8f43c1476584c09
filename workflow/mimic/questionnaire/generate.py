"""Step: one run answers an instrument in words, in the formats of the protocol ``released``."""

from __future__ import annotations

from functools import partial

from mimic.chat import render
from mimic.compute import ComputeSettings, load_tokenizer, prepare_torch
from mimic.conditioning import conditioning_of
from mimic.forms.released import load_released
from mimic.questionnaire.generation_settings import GenerationSettings
from mimic.questionnaire.in_words import prompts_of, table_of
from mimic.questionnaire.instruments import load_instrument
from mimic.questionnaire.texts import cut_text, own_texts
from mimic.respondents.local import answer_locally
from mimic.respondents.shards import own_shard
from mimic.step import Job, run_step
from mimic.traits import Profile, balanced_profiles


def main(job: Job) -> None:
    """Write ``generated.parquet``."""
    settings = job.parse(GenerationSettings, "questionnaire")
    compute = job.parse(ComputeSettings, "compute")
    prepare_torch(compute, seed=settings.seed)
    shard = own_shard(compute.device)
    released = load_released(job.input("released"))
    items = load_instrument(job.input("instrument")).items
    profiles = balanced_profiles(settings.profiles)
    tokenizer = load_tokenizer(job.folder("model"), target_tokens=conditioning_of(job) == "token")
    texts: dict[Profile, str] = {}
    if job.inputs.get("texts"):
        texts = {
            profile: cut_text(tokenizer, text, tokens=settings.text_tokens)
            for profile, text in own_texts(job.input("texts"), profiles).items()
        }
    # All prompts are made before the model is loaded, so that wrong forms show at once.
    asked = prompts_of(
        partial(render, tokenizer),
        released,
        profiles=profiles,
        items=items,
        texts=texts,
        conditioning=conditioning_of(job),
    )
    answers = answer_locally(
        job,
        compute,
        tokenizer,
        [one.prompt for one in asked],
        profiles=[one.profile for one in asked],
        shard=shard,
        max_tokens=settings.max_tokens,
        batch_size=settings.batch_size,
        temperature=settings.temperature,
        top_p=settings.top_p,
        seed=settings.seed,
    )
    if answers is not None:
        table_of(asked, answers).to_parquet(job.out / "generated.parquet", index=False)


if __name__ == "__main__":
    run_step(main)
