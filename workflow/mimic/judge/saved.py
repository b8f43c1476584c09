"""A trained judge as files: arrays in ``judge.npz``, the rest in ``judge.json``; no pickle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mimic.files import read_json, write_json
from mimic.judge.classifier import Classifier
from mimic.judge.features import Matrix, count_terms, embed
from mimic.traits import TRAITS

VERSION = 1


@dataclass(frozen=True)
class Judge:
    """A classifier with what it needs to read a text.

    Attributes
    ----------
    classifier
        The fitted regressions.
    terms
        The terms that it counts, in column order; empty for embeddings.
    masked
        Whether trait words are deleted before it reads.
    embedder_sha256
        Digest of the weights of the embedder; empty for words.
    """

    classifier: Classifier
    terms: tuple[str, ...]
    masked: bool
    embedder_sha256: str

    def read(self, texts: Sequence[str], *, embedder: Path | None, threads: int) -> np.ndarray:
        """Probability of high, shape (texts, 5). The texts are masked already, if they are to be.

        `embedder` is the folder of the sentence embeddings; a judge of words needs none.
        `threads` are the CPU threads of the embeddings.

        Raises
        ------
        ValueError
            If the judge needs embeddings and there is no embedder.
        """
        matrix: Matrix
        if self.classifier.features == "tfidf":
            matrix, _ = count_terms(texts, self.terms)
        elif embedder is None:
            raise ValueError("this judge reads sentence embeddings; name the embedder's folder")
        else:
            matrix = embed(texts, folder=embedder, threads=threads)
        return self.classifier.probabilities(matrix)


def make_judge(
    classifier: Classifier,
    *,
    terms: Sequence[str],
    masked: bool,
    embedder_sha256: str,
) -> Judge:
    """A judge from a classifier of counts of `terms` or of embeddings; weightless terms go."""
    if classifier.features != "tfidf":
        return Judge(classifier, (), masked, embedder_sha256)
    kept = np.flatnonzero(classifier.idf)
    slim = replace(
        classifier, idf=classifier.idf[kept], coefficients=classifier.coefficients[:, kept]
    )
    return Judge(slim, tuple(terms[index] for index in kept.tolist()), masked, "")


def save_judge(judge: Judge, folder: Path) -> None:
    """Write ``judge.npz`` and ``judge.json``; the same judge gives the same bytes."""
    classifier = judge.classifier
    np.savez(
        folder / "judge.npz",
        idf=classifier.idf,
        coefficients=classifier.coefficients,
        intercepts=classifier.intercepts,
    )
    write_json(
        folder / "judge.json",
        {
            "version": VERSION,
            "traits": list(TRAITS),
            "features": classifier.features,
            "C": classifier.c,
            "calibrated": list(classifier.calibrated),
            "terms": list(judge.terms),
            "masked": judge.masked,
            "embedder_sha256": judge.embedder_sha256,
        },
    )


def load_judge(folder: Path) -> Judge:
    """Read what `save_judge` wrote.

    Raises
    ------
    ValueError
        If the files are of another version of this format.
    """
    values = read_json(folder / "judge.json")
    if values.get("version") != VERSION:
        raise ValueError(
            f"{folder / 'judge.json'}: version {values.get('version')!r}, this code reads "
            f"{VERSION}; train the judge again"
        )
    with np.load(folder / "judge.npz", allow_pickle=False) as arrays:
        classifier = Classifier(
            features=values["features"],
            c=values["C"],
            idf=arrays["idf"],
            coefficients=arrays["coefficients"],
            intercepts=arrays["intercepts"],
            calibrated=tuple(values["calibrated"]),
            selection=(),
        )
    return Judge(
        classifier,
        tuple(values["terms"]),
        values["masked"],
        values["embedder_sha256"],
    )
