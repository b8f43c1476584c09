"""Step: the texts of one run, and their hygiene."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mimic.chat import encode, persona, render
from mimic.compute import ComputeSettings, load_model, load_tokenizer, prepare_torch
from mimic.files import write_json
from mimic.masking import load_trait_words, mask
from mimic.progress import Progress
from mimic.respondents.base import Prompt, TextRespondent
from mimic.respondents.generation import GenerationRespondent
from mimic.step import Job, run_step
from mimic.traits import Profile, balanced_profiles
from mimic.writing.hygiene import copy_index, is_copied, repetition
from mimic.writing.settings import WritingSettings


def main(job: Job) -> None:
    """Write ``texts.csv`` and ``hygiene.json``."""
    settings = job.parse(WritingSettings, "writing")
    compute = job.parse(ComputeSettings, "compute")
    prepare_torch(compute, seed=settings.seed)
    adapter = job.folder("adapter") if job.inputs.get("adapter") else None
    tokenizer = load_tokenizer(job.folder("model"))

    cells = [
        (profile, situation, sample)
        for profile in balanced_profiles(settings.profiles)
        for situation in settings.situations
        for sample in range(settings.samples)
    ]
    prompts = [
        Prompt(
            render(tokenizer, request_of(profile, settings.situations[situation])),
            name=f"for a text about {situation} for {profile}",
            sample=sample,
        )
        for profile, situation, sample in cells
    ]
    respondent = GenerationRespondent(
        load_model(job.folder("model"), compute=compute, adapter=adapter),
        tokenizer,
        batch_size=settings.batch_size,
        max_new_tokens=settings.max_new_tokens,
        temperature=settings.temperature,
        seed=settings.seed,
    )
    texts = written(respondent, prompts)

    essays = pd.read_csv(job.input("essays"), dtype={"id": str}, keep_default_na=False)
    trained_on = essays[essays["role"] == "G"]["text"]
    index = copy_index(encode(tokenizer, text) for text in trained_on)
    words = load_trait_words(job.input("trait_words"))
    rows = []
    for (profile, situation, sample), text in zip(cells, texts, strict=True):
        tokens = encode(tokenizer, text)
        rows.append(
            {
                "id": f"{profile}-{situation}-{sample}",
                "profile": str(profile),
                "situation": situation,
                "sample": sample,
                "text": text,
                "tokens": len(tokens),
                "trait_words": mask(text, words)[1],
                "copied": int(is_copied(tokens, index)),
                "repetition": round(repetition(tokens), 6),
            }
        )
    table = pd.DataFrame(rows)
    table.to_csv(job.out / "texts.csv", index=False, lineterminator="\n")
    write_json(job.out / "hygiene.json", summarise(table))


def request_of(profile: Profile, situation: str) -> str:
    """What a prompt for a text asks."""
    return f"{persona(profile)} {situation}"


def written(respondent: TextRespondent, prompts: Sequence[Prompt]) -> list[str]:
    """One text for each prompt, in order, on one line each."""
    progress = Progress("texts", len(prompts))
    texts: dict[int, str] = {}
    for batch in respondent.answers(prompts):
        texts.update({position: " ".join(text.split()) for position, text in batch.items()})
        progress.advance(len(batch))
    return [texts[position] for position in range(len(prompts))]


def summarise(table: pd.DataFrame) -> dict[str, float | int]:
    """The hygiene of a run's texts in figures."""
    return {
        "texts": len(table),
        "empty": int((table["tokens"] == 0).sum()),
        "copied": int(table["copied"].sum()),
        "with_trait_words": int((table["trait_words"] > 0).sum()),
        "mean_tokens": round(float(table["tokens"].mean()), 3),
        "mean_repetition": round(float(table["repetition"].mean()), 6),
        "distinct": int(table["text"].nunique()),
    }


if __name__ == "__main__":
    run_step(main)
