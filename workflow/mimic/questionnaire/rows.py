"""The rows of answers by likelihood: what was asked, the options' probabilities, the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mimic.forms.authored import Form
from mimic.progress import say
from mimic.questionnaire.instruments import Item
from mimic.questionnaire.scores import likelihood_scores, with_the_middle
from mimic.questionnaire.subjects import Subject
from mimic.respondents.tree import Question

OPTIONS = ("p1", "p2", "p3", "p4", "p5")


@dataclass(frozen=True)
class Asked:
    """A question and what it is about."""

    subject: Subject
    form: Form
    item: Item
    variant: int
    question: Question


def row_of(asked: Asked, probabilities: list[float]) -> dict[str, Any]:
    """A row of the answers: probabilities of agreement 1 to 5, their mass, the item's score."""
    keyed_plus = np.array([asked.item.keyed == "plus"])
    scores = with_the_middle(likelihood_scores(np.array([probabilities]), keyed_plus))
    if scores.mass[0] <= 0:
        say(f"no mass on any option for the prompt {asked.question.name}: no decision")
    return {
        "subject": asked.subject.subject,
        "profile": str(asked.subject.profile),
        "item": asked.item.id,
        "trait": asked.item.trait,
        "keyed": asked.item.keyed,
        "cluster": asked.item.cluster,
        "variant": asked.variant,
        "form": asked.form.form,
        "format": asked.form.format,
        "wording": asked.form.wording,
        "order": asked.form.order,
        **dict(zip(OPTIONS, probabilities, strict=True)),
        **{name: float(value[0]) for name, value in scores._asdict().items()},
    }
