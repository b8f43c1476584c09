"""Step: the texts of one run, and their hygiene."""

from __future__ import annotations

from functools import partial

from mimic.chat import encode, render
from mimic.compute import ComputeSettings, load_tokenizer, prepare_torch, template_kind
from mimic.files import write_json
from mimic.respondents.asked_model import answers_folder, asked_model
from mimic.respondents.asking import answer_together, sampling_options
from mimic.respondents.generation import GenerationRespondent
from mimic.respondents.shards import own_shard
from mimic.step import Job, run_step
from mimic.writing.settings import WritingSettings
from mimic.writing.texts import cells_of, prompts_of, summarise, table_of


def main(job: Job) -> None:
    """Write ``texts.csv`` and ``hygiene.json``."""
    settings = job.parse(WritingSettings, "writing")
    compute = job.parse(ComputeSettings, "compute")
    shard = own_shard(compute.device)
    prepare_torch(compute, seed=settings.seed)
    tokenizer = load_tokenizer(job.folder("model"))
    cells = cells_of(settings)
    prompts = prompts_of(cells, settings, partial(render, tokenizer))
    respondent = GenerationRespondent(
        asked_model(job, compute),
        tokenizer,
        batch_size=settings.batch_size,
        max_new_tokens=settings.max_new_tokens,
        temperature=settings.temperature,
        seed=settings.seed,
    )
    texts = answer_together(
        respondent,
        prompts,
        answers_folder(job, engine="generation"),
        options=sampling_options(
            max_tokens=settings.max_new_tokens,
            batch_size=settings.batch_size,
            temperature=settings.temperature,
            seed=settings.seed,
        ),
        shard=shard,
    )
    if texts is None:
        return
    table = table_of(
        cells,
        [" ".join(text.split()) for text in texts],
        encoded=partial(encode, tokenizer),
        essays=job.input("essays"),
        trait_words=job.input("trait_words"),
    )
    table.to_csv(job.out / "texts.csv", index=False, lineterminator="\n")
    hygiene = summarise(table, chat_template=template_kind(tokenizer))
    write_json(job.out / "hygiene.json", hygiene)


if __name__ == "__main__":
    run_step(main)
