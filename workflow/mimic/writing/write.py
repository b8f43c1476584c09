"""Step: the texts of one run, and their hygiene."""

from __future__ import annotations

from functools import partial

from mimic.chat import encode, render
from mimic.compute import ComputeSettings, load_tokenizer, prepare_torch, template_kind
from mimic.conditioning import conditioning_of
from mimic.files import write_json
from mimic.respondents.local import answer_locally
from mimic.respondents.shards import own_shard
from mimic.step import Job, run_step
from mimic.writing.settings import WritingSettings
from mimic.writing.texts import cells_of, prompts_of, summarise, table_of


def main(job: Job) -> None:
    """Write ``texts.csv`` and ``hygiene.json``."""
    settings = job.parse(WritingSettings, "writing")
    compute = job.parse(ComputeSettings, "compute")
    prepare_torch(compute, seed=settings.seed)
    shard = own_shard(compute.device)
    conditioning = conditioning_of(job)
    tokenizer = load_tokenizer(job.folder("model"), target_tokens=conditioning == "token")
    cells = cells_of(settings)
    texts = answer_locally(
        job,
        compute,
        tokenizer,
        prompts_of(cells, settings, partial(render, tokenizer), conditioning),
        profiles=[cell.profile for cell in cells],
        shard=shard,
        max_tokens=settings.max_new_tokens,
        batch_size=settings.batch_size,
        temperature=settings.temperature,
        seed=settings.seed,
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
