"""Items with an author's answers, for the prompts of Essays+Q."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from mimic.forms.authored import Rewordings
from mimic.forms.splits import TRAIN, digest_of
from mimic.pairs.settings import TrainedItems
from mimic.questionnaire.instruments import Instrument, Item, sentence
from mimic.traits import TRAITS, Profile

Answers = Literal["ideal", "random"]

# A scale of a format that training may use; 5 means "like me", as published.
SCALE = (
    "You rated statements about yourself from 1 (very inaccurate) to 5 (very accurate). "
    "Your ratings were:"
)


class Question(NamedTuple):
    """An item that prompts hold, and the wordings that it may have there."""

    item: Item
    phrases: tuple[str, ...]


def trained_questions(
    instrument: Instrument, rewordings: Rewordings, splits: Mapping[str, Any]
) -> list[Question]:
    """The instrument's items of training clusters, in their training wordings."""
    found = []
    for item in instrument.items:
        if splits["clusters"][item.cluster] == TRAIN:
            phrases = rewordings.variants(item.text)
            parts = splits["item_wordings"][item.text.lower()]
            own = tuple(p for p, part in zip(phrases, parts, strict=False) if part == TRAIN)
            found.append(Question(item, own or (item.text,)))
    return found


def half_of_each_trait(instrument: Instrument, *, seed: int) -> list[Question]:
    """A seeded half of each trait's items in their original words; of an odd number the less."""
    taken: set[str] = set()
    for trait in TRAITS:
        own = [item.id for item in instrument.items if item.trait == trait]
        taken.update(sorted(own, key=lambda name: digest_of(seed, "half", name))[: len(own) // 2])
    return [Question(item, (item.text,)) for item in instrument.items if item.id in taken]


def choose_questions(
    items: TrainedItems,
    *,
    instrument: Instrument,
    rewordings: Rewordings,
    splits: Mapping[str, Any],
    seed: int,
) -> list[Question]:
    """The questions of a run's prompts.

    Raises
    ------
    ValueError
        If there are none, or a trait has no item left that isn't trained on.
    """
    found = (
        trained_questions(instrument, rewordings, splits)
        if items == "train"
        else half_of_each_trait(instrument, seed=seed)
    )
    trained = trained_clusters(found)
    left = {item.trait for item in instrument.items if item.cluster not in trained}
    lacking = [trait for trait in TRAITS if trait not in left]
    if not found or lacking:
        raise ValueError(
            f"pairs.items is {items}, but of the {len(instrument.items)} items of "
            f"{instrument.name} "
            + (f"none of {lacking[0]} would be held out" if found else "none is for training")
            + "; choose a longer questionnaire.instrument"
        )
    return found


def trained_clusters(questions: Sequence[Question]) -> list[str]:
    """The item clusters that a run trains on, by name."""
    return sorted({question.item.cluster for question in questions})


def rated(
    questions: Sequence[Question],
    profile: Profile,
    answers: Answers,
    generator: np.random.Generator,
) -> str:
    """What a prompt says of an author's answers, built from the author's labels.

    Parameters
    ----------
    questions
        The items, in the order in which they stand.
    profile
        The author's.
    answers
        ``ideal``: 5 or 1, as the trait's level and the keying say; ``random``: 4 or 5, and 1 or 2,
        with equal chances.
    generator
        Source of the wordings and of random answers.
    """
    lines = [SCALE]
    for item, phrases in questions:
        high = profile.levels[TRAITS.index(item.trait)]
        phrase = phrases[int(generator.integers(len(phrases)))]
        strong = answers == "ideal" or bool(generator.integers(2))
        agrees = high == (item.keyed == "plus")
        number = (5 if strong else 4) if agrees else (1 if strong else 2)
        lines.append(f"{sentence(phrase)} {number}")
    return "\n".join(lines)
