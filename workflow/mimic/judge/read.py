"""Step: the reading judge reads a run's texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mimic.compute import ComputeSettings
from mimic.files import sha256_file
from mimic.judge.features import embedder_folder
from mimic.judge.inputs import masked_texts, read_table
from mimic.judge.saved import Judge, load_judge
from mimic.progress import say
from mimic.step import Job, run_step
from mimic.traits import TRAITS

KEPT = ["id", "profile", "situation", "sample", "copied"]


def main(job: Job) -> None:
    """Write ``probabilities.csv``: for each text the probability of high on each trait."""
    judge = load_judge(job.folder("judge"))
    texts_file = job.input("texts")
    # A model that is no longer served wrote none.
    texts = read_table(texts_file, columns=[*KEPT, "text"], may_be_empty=True)
    seen, deleted = masked_texts(
        list(texts["text"]), trait_words=job.input("trait_words"), masked=judge.masked
    )
    probabilities = np.zeros((0, len(TRAITS)))
    if seen:
        probabilities = judge.read(
            seen,
            embedder=_embedder(job, judge),
            threads=job.parse(ComputeSettings, "compute").threads,
        )
    table = texts[KEPT].assign(deleted=deleted)
    traits = pd.DataFrame(probabilities, columns=list(TRAITS), index=table.index)
    table = pd.concat([table, traits], axis=1)
    table.to_csv(job.out / "probabilities.csv", index=False, lineterminator="\n")
    say(f"{len(table)} texts read")


def _embedder(job: Job, judge: Judge) -> Path | None:
    """The embedder's folder, None for a judge of words; it must be the one of the training."""
    if judge.classifier.features != "minilm":
        return None
    folder = embedder_folder()
    weights = folder / "model.safetensors"
    if weights.is_file() and sha256_file(weights) != judge.embedder_sha256:
        raise ValueError(
            f"{weights}: not the embedder that the judge in {job.folder('judge')} was trained "
            "with; use that one, or train the judge again"
        )
    return folder


if __name__ == "__main__":
    run_step(main)
