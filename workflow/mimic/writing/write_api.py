"""Step: the texts of a model that a provider serves, and their hygiene.

Requests hold a target and a situation. The essays, among the inputs to find copies, stay here.
"""

from __future__ import annotations

import re

from mimic.files import write_json
from mimic.respondents.served import ask_served
from mimic.step import Job, run_step
from mimic.writing.settings import WritingSettings
from mimic.writing.texts import cells_of, prompts_of, summarise, table_of

# Nobody here has the provider's tokenizer: words and punctuation marks stand for its tokens.
_TOKEN = re.compile(r"\w+|[^\w\s]")


def main(job: Job) -> None:
    """Write ``texts.csv``, without rows if the model isn't served, and ``hygiene.json``."""
    settings = job.parse(WritingSettings, "writing")
    cells = cells_of(settings)
    served = ask_served(
        job,
        # The provider renders them.
        prompts_of(cells, settings, str),
        max_tokens=settings.max_new_tokens,
        temperature=settings.temperature,
        seed=settings.seed,
    )
    table = table_of(
        [] if served.answers is None else cells,
        [" ".join(text.split()) for text in served.answers or ()],
        encoded=_TOKEN.findall,
        essays=job.input("essays"),
        trait_words=job.input("trait_words"),
    )
    table.to_csv(job.out / "texts.csv", index=False, lineterminator="\n")
    hygiene = summarise(table, chat_template="provider") | {"served": served.status()}
    write_json(job.out / "hygiene.json", hygiene)


if __name__ == "__main__":
    run_step(main)
