"""Scoring of synthetic answers by the code that scores real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mimic.gates.asking import Asked
from mimic.metrics.answers import Answers
from mimic.metrics.questionnaire import match_counts
from mimic.questionnaire.instruments import Instrument, cuts
from mimic.questionnaire.protocols import (
    PROTOCOLS,
    Protocol,
    ProtocolFigures,
    item_scores,
    protocol_figures,
)
from mimic.questionnaire.scores import likelihood_scores, with_the_middle
from mimic.respondents.synthetic import probabilities_of
from mimic.stats.fidelity import AnswerFidelity, answer_fidelity
from mimic.traits import TRAITS

# Cuts, as the metrics name them.
PUBLISHED, NORMS = "3.0, as published", "norms of the original form"
PUBLISHED_CUT = np.full(len(TRAITS), 3.0)


@dataclass(frozen=True)
class Scoring:
    """A protocol with a cut.

    Attributes
    ----------
    cut
        For each trait, shape (5,).
    by_norms
        Whether the cut is that of the norms.
    """

    protocol: Protocol
    cut: np.ndarray
    by_norms: bool

    @property
    def cut_name(self) -> str:
        """The cut's name."""
        return NORMS if self.by_norms else PUBLISHED

    def __str__(self) -> str:
        return f"{self.protocol}, norms" if self.by_norms else self.protocol


class Found(NamedTuple):
    """What is found of a respondent, by the functions that make a run's figures.

    Attributes
    ----------
    hits, cells
        Profile × form cells whose five decisions all fit, and all cells.
    share
        The exact match as it is reported.
    accuracy
        Share of cells whose decision on a trait fits, shape (5,).
    """

    hits: int
    cells: int
    share: float
    accuracy: np.ndarray


def scorings(instrument: Instrument) -> tuple[Scoring, ...]:
    """Each protocol at 3.0; ``corrected`` and ``likelihood`` at the norms too, where there are."""
    published = [Scoring(protocol, PUBLISHED_CUT, by_norms=False) for protocol in PROTOCOLS]
    if instrument.norms is None:
        return tuple(published)
    by_trait = cuts(instrument, "norms")
    norms = np.array([by_trait[trait] for trait in TRAITS])
    right = [one.protocol for one in published if one.protocol != "released"]
    return (*published, *(Scoring(protocol, norms, by_norms=True) for protocol in right))


def scores_of(agreement: np.ndarray, asked: Asked, *, protocol: Protocol) -> np.ndarray:
    """Item scores under a protocol, shape (profiles, forms, items); NaN where there is none."""
    if protocol == "likelihood":
        return answers_of(agreement, asked).decided
    return item_scores(asked.options(agreement), asked.keyed_plus, protocol=protocol)


def answers_of(agreement: np.ndarray, asked: Asked) -> Answers:
    """What the metrics read of a run that answers so by likelihood."""
    options = asked.probabilities(probabilities_of(agreement))
    scored = with_the_middle(likelihood_scores(options, asked.keyed_plus))
    return Answers(
        subjects=tuple(map(str, asked.profiles)),
        profiles=asked.profiles,
        forms=asked.forms,
        items=asked.items,
        variants=np.zeros((len(asked.forms), len(asked.items)), dtype=np.int64),
        options=options,
        mass=scored.mass,
        raw=scored.raw,
        y=scored.y,
    )


def found_of(agreement: np.ndarray, asked: Asked, scoring: Scoring) -> Found:
    """Exact match and accuracy of these answers, as the metrics make them.

    Under ``likelihood`` the share is that of `answer_fidelity`, and the hits are those that the
    permutation p rests on; under the other protocols both are of `protocol_figures`.
    """
    if scoring.protocol != "likelihood":
        figures = protocol_figures_of(agreement, asked, scoring)
        return Found(figures.hits, figures.cells, figures.exact_match, figures.accuracy)
    profiles, forms, _ = asked.shape
    counts = match_counts([answers_of(agreement, asked)], cut=scoring.cut)
    fit = fidelity_of(agreement, asked, scoring)
    return Found(
        hits=int(np.trace(counts)),
        cells=profiles * forms,
        share=float(fit.exact_match[0]),
        accuracy=fit.accuracy[0],
    )


def fidelity_of(agreement: np.ndarray, asked: Asked, scoring: Scoring) -> AnswerFidelity:
    """All figures that the metrics make of these answers under ``likelihood``."""
    answers = answers_of(agreement, asked)
    return answer_fidelity(answers.decided, answers.item_traits, answers.targets, cut=scoring.cut)


def protocol_figures_of(agreement: np.ndarray, asked: Asked, scoring: Scoring) -> ProtocolFigures:
    """The figures of these answers under a protocol and cut.

    Under ``likelihood`` item scores are those that the metrics take decisions from.
    """
    return protocol_figures(
        scores_of(agreement, asked, protocol=scoring.protocol),
        asked.item_traits,
        asked.targets,
        cut=scoring.cut,
        protocol=scoring.protocol,
    )
