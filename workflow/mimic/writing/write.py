"""Step: the texts of one run, and their hygiene."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mimic.chat import encode, render
from mimic.compute import (
    ComputeSettings,
    load_model,
    load_tokenizer,
    prepare_torch,
    template_kind,
)
from mimic.files import write_json
from mimic.progress import Progress
from mimic.respondents.base import Prompt, TextRespondent
from mimic.respondents.generation import GenerationRespondent
from mimic.step import Job, run_step
from mimic.writing.settings import WritingSettings
from mimic.writing.texts import cells_of, prompts_of, summarise, table_of


def main(job: Job) -> None:
    """Write ``texts.csv`` and ``hygiene.json``."""
    settings = job.parse(WritingSettings, "writing")
    compute = job.parse(ComputeSettings, "compute")
    prepare_torch(compute, seed=settings.seed)
    adapter = job.folder("adapter") if job.inputs.get("adapter") else None
    tokenizer = load_tokenizer(job.folder("model"))
    cells = cells_of(settings)
    prompts = prompts_of(cells, settings, partial(render, tokenizer))
    respondent = GenerationRespondent(
        load_model(job.folder("model"), compute=compute, adapter=adapter),
        tokenizer,
        batch_size=settings.batch_size,
        max_new_tokens=settings.max_new_tokens,
        temperature=settings.temperature,
        seed=settings.seed,
    )
    table = table_of(
        cells,
        written(respondent, prompts),
        encoded=partial(encode, tokenizer),
        essays=job.input("essays"),
        trait_words=job.input("trait_words"),
    )
    table.to_csv(job.out / "texts.csv", index=False, lineterminator="\n")
    hygiene = summarise(table, chat_template=template_kind(tokenizer))
    write_json(job.out / "hygiene.json", hygiene)


def written(respondent: TextRespondent, prompts: Sequence[Prompt]) -> list[str]:
    """One text for each prompt, in order, on one line each."""
    progress = Progress("texts", len(prompts))
    texts: dict[int, str] = {}
    for batch in respondent.answers(prompts):
        texts.update({position: " ".join(text.split()) for position, text in batch.items()})
        progress.advance(len(batch))
    return [texts[position] for position in range(len(prompts))]


if __name__ == "__main__":
    run_step(main)
