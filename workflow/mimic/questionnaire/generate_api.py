"""Step: a model that a provider serves answers an instrument in words."""

from __future__ import annotations

import pandas as pd

from mimic.files import write_json
from mimic.forms.released import load_released
from mimic.questionnaire.generation_settings import GenerationSettings
from mimic.questionnaire.in_words import COLUMNS, prompts_of, table_of
from mimic.questionnaire.instruments import load_instrument
from mimic.questionnaire.texts import own_texts
from mimic.respondents.served import Served, ask_served
from mimic.step import Job, run_step
from mimic.traits import Profile, balanced_profiles

_NO_TEXTS = "it has no texts of its own, because it wasn't served when it was to write them"


def main(job: Job) -> None:
    """Write ``generated.parquet``, without rows if the model isn't served, and ``served.json``."""
    settings = job.parse(GenerationSettings, "questionnaire")
    profiles = balanced_profiles(settings.profiles)
    texts: dict[Profile, str] = {}
    wrote = not job.inputs.get("texts") or len(pd.read_csv(job.input("texts"))) > 0
    if job.inputs.get("texts") and wrote:
        # Whole: nobody here has the provider's tokenizer, and the study's settings fit them.
        texts = own_texts(job.input("texts"), profiles)
    asked = prompts_of(
        # The provider renders it.
        str,
        load_released(job.input("released")),
        profiles=profiles,
        items=load_instrument(job.input("instrument")).items,
        texts=texts,
    )
    served = Served(None, _NO_TEXTS, asked=len(asked), kept=0)
    if wrote:
        served = ask_served(
            job,
            [one.prompt for one in asked],
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            top_p=settings.top_p,
            seed=settings.seed,
        )
    table = pd.DataFrame(columns=list(COLUMNS))
    if served.answers is not None:
        table = table_of(asked, served.answers)
    table.to_parquet(job.out / "generated.parquet", index=False)
    write_json(job.out / "served.json", served.status())


if __name__ == "__main__":
    run_step(main)
