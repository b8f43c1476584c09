"""What both kinds of training data are made of: essays, and a prompt for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from mimic.conditioning import conditioning_of, described
from mimic.files import read_json, write_json
from mimic.forms.authored import load_rewordings
from mimic.pairs.null import permuted_labels
from mimic.pairs.questions import choose_questions, rated, trained_clusters
from mimic.pairs.settings import PairsSettings
from mimic.questionnaire.instruments import load_instrument
from mimic.step import Job
from mimic.traits import Profile

PARTS = {"train": 0, "validation": 1}


class Part(NamedTuple):
    """The essays of one part and what is asked for each."""

    name: str
    essays: pd.DataFrame
    prompts: list[str]


def training_parts(job: Job, settings: PairsSettings) -> Iterator[Part]:
    """The essays of a run for training and for validation, a null adapter's with other labels.

    Where prompts hold items too, ``items.json`` says which item clusters the run trains on.
    """
    essays = pd.read_csv(job.input("essays"), dtype={"id": str}, keep_default_na=False)
    # Validation essays of the published splits are the judge's too, and so have its role.
    essays = essays[(essays["role"] == "G") | (essays["validation"] == 1)]
    null = job.settings.get("null")
    if null is not None:
        essays = permuted_labels(essays, null=null, seed=settings.seed)
    ratings, conditioning = _ratings(job, settings), conditioning_of(job)
    for name, part in PARTS.items():
        own = essays[essays["validation"] == part].reset_index(drop=True)
        prompts = [
            settings.persona.format(target=described(profile, conditioning))
            + ratings(profile)
            + settings.request
            for profile in map(Profile.parse, own["profile"])
        ]
        yield Part(name, own, prompts)


def _ratings(job: Job, settings: PairsSettings) -> Callable[[Profile], str]:
    """What stands between target and request: an author's answers to items, with Essays+Q."""
    answers = job.settings.get("answers")
    if answers is None:
        return lambda profile: " "
    questions = choose_questions(
        settings.items,
        instrument=load_instrument(job.input("instrument")),
        rewordings=load_rewordings(job.input("rewordings")),
        splits=read_json(job.input("splits")),
        seed=settings.seed,
    )
    write_json(job.out / "items.json", {"clusters": trained_clusters(questions)})
    generator = np.random.default_rng(settings.seed)
    return lambda profile: f"\n\n{rated(questions, profile, answers, generator)}\n\n"
