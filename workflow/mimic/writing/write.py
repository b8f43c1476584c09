"""Step: the texts of one run, and their hygiene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import torch

from mimic.chat import encode, persona, render
from mimic.compute import ComputeSettings, load_model, load_tokenizer, prepare_torch
from mimic.files import write_json
from mimic.masking import load_trait_words, mask
from mimic.progress import Progress
from mimic.step import Job, run_step
from mimic.traits import Profile, balanced_profiles
from mimic.writing.hygiene import copy_index, is_copied, repetition
from mimic.writing.settings import WritingSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def main(job: Job) -> None:
    """Write ``texts.csv`` and ``hygiene.json``."""
    settings = job.parse(WritingSettings, "writing")
    compute = job.parse(ComputeSettings, "compute")
    prepare_torch(compute, seed=settings.seed)
    adapter = job.folder("adapter") if job.inputs.get("adapter") else None
    tokenizer = load_tokenizer(job.folder("model"))
    model = load_model(job.folder("model"), compute=compute, adapter=adapter)

    cells = [
        (profile, situation, sample)
        for profile in balanced_profiles(settings.profiles)
        for situation in settings.situations
        for sample in range(settings.samples)
    ]
    prompts = [
        render(tokenizer, request_of(profile, settings.situations[situation]))
        for profile, situation, _ in cells
    ]
    texts = generate(model, tokenizer, prompts, settings=settings)

    essays = pd.read_csv(job.input("essays"), dtype={"id": str})
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


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[str],
    *,
    settings: WritingSettings,
) -> list[str]:
    """One text for each rendered prompt, in order."""
    progress = Progress("texts", len(prompts))
    texts: list[str] = []
    for start in range(0, len(prompts), settings.batch_size):
        batch = tokenizer(
            prompts[start : start + settings.batch_size],
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
        ).to(model.device)
        sampling = (
            {"do_sample": True, "temperature": settings.temperature, "top_k": 0, "top_p": 1.0}
            if settings.temperature > 0
            else {"do_sample": False}
        )
        with torch.inference_mode():
            written = model.generate(
                **batch,
                **sampling,
                max_new_tokens=settings.max_new_tokens,
                pad_token_id=tokenizer.pad_token_id,
            )
        new = written[:, batch["input_ids"].shape[1] :]
        decoded = tokenizer.batch_decode(new, skip_special_tokens=True)
        texts.extend(" ".join(text.split()) for text in decoded)
        progress.advance(len(new))
    return texts


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
