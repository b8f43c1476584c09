"""Step: train the reading judge on the essays of role E and check it on those of role T."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mimic.compute import ComputeSettings
from mimic.files import sha256_file, write_json
from mimic.judge.classifier import (
    Corpus,
    deletion_probabilities,
    nested_probabilities,
    train_classifier,
)
from mimic.judge.features import Matrix, count_terms, embed, embedder_folder
from mimic.judge.figure import majority_accuracy, mean_accuracy, reading_figure
from mimic.judge.inputs import masked_texts, read_table
from mimic.judge.saved import make_judge, save_judge
from mimic.judge.settings import Features, JudgeSettings
from mimic.progress import say
from mimic.step import Job, run_step
from mimic.traits import TRAITS


def main(job: Job) -> None:
    """Write ``judge.npz``, ``judge.json`` and ``figure.json``."""
    settings = job.parse(JudgeSettings, "judge")
    threads = job.parse(ComputeSettings, "compute").threads
    essays_file = job.input("essays")
    essays = read_table(essays_file, columns=["text", "cluster", "role", *TRAITS])
    # The judge of a published split has no essays left but those that it learns from.
    crossed = job.settings["reference"] == "cross-validation"
    check_roles(essays, essays_file, reference=not crossed)
    training, reference = (essays[essays["role"] == role] for role in ("E", "T"))
    seen, deleted = masked_texts(
        [*training["text"], *reference["text"]],
        trait_words=job.input("trait_words"),
        masked=settings.masked,
    )
    count = len(training)

    features: dict[Features, Matrix] = {}
    terms: tuple[str, ...] = ()
    embedder_sha256 = ""
    if "tfidf" in settings.features:
        features["tfidf"], terms = count_terms(seen[:count])
    held_out: dict[Features, Matrix] = {}
    if "minilm" in settings.features:
        folder = embedder_folder()
        embeddings = embed(seen, folder=folder, threads=threads)
        features["minilm"], held_out["minilm"] = embeddings[:count], embeddings[count:]
        embedder_sha256 = sha256_file(folder / "model.safetensors")
    corpus = Corpus(features, _high(training), training["cluster"].to_numpy())

    probabilities, folds = nested_probabilities(corpus, settings)
    classifier = train_classifier(corpus, settings)
    judge = make_judge(
        classifier,
        terms=terms,
        masked=settings.masked,
        embedder_sha256=embedder_sha256,
    )
    save_judge(judge, job.out)
    checked = reading_figure(
        high=corpus.high,
        probabilities=probabilities,
        clusters=corpus.clusters,
        folds=folds,
        seed=settings.seed,
    )

    if crossed:
        own_figure = checked
    else:
        if classifier.features == "tfidf":
            held_out["tfidf"], _ = count_terms(seen[count:], terms)
        own_figure = reading_figure(
            high=_high(reference),
            probabilities=classifier.probabilities(held_out[classifier.features]),
            clusters=reference["cluster"].to_numpy(),
            folds=np.zeros(len(reference), dtype=int),
            seed=settings.seed,
        )
    controls = deletion_probabilities(deleted[:count], corpus.high, folds)
    figure = {
        "trained_on": {
            "role": "E",
            "essays": count,
            "clusters": len(np.unique(corpus.clusters)),
        },
        "features": classifier.features,
        "C": classifier.c,
        "calibrated": dict(zip(TRAITS, classifier.calibrated, strict=True)),
        "selection": [
            {"features": c.features, "C": c.c, "mean_accuracy": c.mean_accuracy}
            for c in classifier.selection
        ],
        "cross_validation": checked,
        "reference": own_figure,
        "reference_name": f"{job.settings['corpus_kind']} reference"
        + (", by cross-validation" if crossed else ""),
        "majority_accuracy": majority_accuracy(corpus.high, corpus.high),
        "reference_majority_accuracy": majority_accuracy(
            corpus.high, corpus.high if crossed else _high(reference)
        ),
        "deletion_control": {
            "mean_accuracy": mean_accuracy(
                (controls >= 0.5) == corpus.high, corpus.clusters, seed=settings.seed
            ).as_dict()
        },
        "masked": settings.masked,
    }
    write_json(job.out / "figure.json", figure)
    accuracy = checked["mean_accuracy"]["value"]
    say(
        f"judge of {count} essays: {classifier.features}, C = {classifier.c:g}, "
        f"mean accuracy {accuracy:.3f} in nested cross-validation"
    )


def check_roles(essays: pd.DataFrame, source: Path, *, reference: bool = True) -> None:
    """Check that there are essays of roles E and T and that no cluster of E has another role.

    Parameters
    ----------
    essays
        The table of essays.
    source
        Its file.
    reference
        Whether essays of role T are needed.

    Raises
    ------
    ValueError
        If not; the message names `source`.
    """
    uses = {"E": "the judge learns from them", "T": "they are its reference"}
    for role, use in uses.items():
        if role == "T" and not reference:
            continue
        if not (essays["role"] == role).any():
            raise ValueError(
                f"{source}: no essays of role {role}, but {use}; "
                f"give role {role} a share in the split of the essays"
            )
    clusters = set(essays.loc[essays["role"] == "E", "cluster"])
    stray = essays[(essays["role"] != "E") & essays["cluster"].isin(clusters)]
    if not stray.empty:
        first = stray.iloc[0]
        raise ValueError(
            f"{source}: cluster {first['cluster']} has essays of role E and of role "
            f"{first['role']} ({stray['cluster'].nunique()} such cluster(s)); the judge would read "
            "what it or a run learnt from. Split the essays again by cluster"
        )


def _high(essays: pd.DataFrame) -> np.ndarray:
    return np.asarray(essays[list(TRAITS)] == 1)


if __name__ == "__main__":
    run_step(main)
