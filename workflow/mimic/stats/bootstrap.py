"""Bootstrap weights: how often each item, form or text stands in each draw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

StratumT = TypeVar("StratumT", bound=Hashable)


class Item(NamedTuple):
    """A questionnaire item: id, trait, keying (``plus`` or ``minus``) and item cluster."""

    item: str
    trait: str
    keyed: str
    cluster: str


class Form(NamedTuple):
    """One way to put items: id, format, instruction wording and option order."""

    form: str
    format: str
    wording: str
    order: str


class Draws(NamedTuple):
    """Weights of crossed bootstrap draws.

    Attributes
    ----------
    items
        Multiplicity of each item, shape (draws, items).
    forms
        Multiplicity of each form, shape (draws, forms).
    notes
        What could not vary, in words.
    """

    items: np.ndarray
    forms: np.ndarray
    notes: tuple[str, ...]

    @property
    def vary(self) -> bool:
        """Whether any draw differs from the sample."""
        return bool((self.items != 1).any() or (self.forms != 1).any())


def resample_within(
    units: Sequence[Hashable],
    strata: Sequence[Hashable],
    *,
    draws: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Draw units with replacement within strata, as many as there are.

    Parameters
    ----------
    units
        The unit of each row, such as an item's cluster; rows of one unit move together.
    strata
        The stratum of each row; all rows of a unit have the same.
    draws
        The number of draws.
    generator
        Source of the draws.

    Returns
    -------
    numpy.ndarray
        How often each row is drawn, shape (draws, rows).
    """
    members: dict[Hashable, dict[Hashable, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, (unit, stratum) in enumerate(zip(units, strata, strict=True)):
        members[stratum][unit].append(row)
    weights = np.zeros((draws, len(units)))
    for by_unit in members.values():
        size = len(by_unit)
        counts = generator.multinomial(size, np.full(size, 1 / size), size=draws)
        for column, rows in enumerate(by_unit.values()):
            weights[:, rows] = counts[:, [column]]
    return weights


def crossed_draws(
    *, items: Sequence[Item], forms: Sequence[Form], draws: int = 2000, seed: int
) -> Draws:
    """Weights of the crossed bootstrap of item clusters and instruction wordings.

    Item clusters are drawn within trait × keying, instruction wordings within format, each
    independently of the other (Owen 2007, Annals of Applied Statistics 1, 386-411: the product of
    the weights of both factors). Both option orders of a wording move together. Profiles are the
    whole population and stay fixed. A cluster that holds both keyings is drawn among its like,
    so that it stays whole. The weights depend on the layout and the seed alone: two runs that
    answered the same items in the same forms share their draws.

    Parameters
    ----------
    items, forms
        The layout of the answers.
    draws
        The number of draws.
    seed
        Seed of the draws.
    """
    keyings: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for item in items:
        keyings[item.cluster].add((item.trait, item.keyed))
    item_strata = [tuple(sorted(keyings[item.cluster])) for item in items]
    clusters = [item.cluster for item in items]
    formats = [form.format for form in forms]
    wordings = [(form.format, form.wording) for form in forms]
    generator = np.random.default_rng(seed)
    notes = [
        f"format {name} has one instruction wording, which cannot vary"
        for name in _lone(wordings, formats)
    ]
    lone = [
        " and ".join(f"{trait} {keyed}" for trait, keyed in stratum)
        for stratum in _lone(clusters, item_strata)
    ]
    if lone:
        notes.append(f"one item cluster each, which cannot vary: {', '.join(lone)}")
    return Draws(
        items=resample_within(clusters, item_strata, draws=draws, generator=generator),
        forms=resample_within(wordings, formats, draws=draws, generator=generator),
        notes=tuple(notes),
    )


def _lone(units: Sequence[Hashable], strata: Sequence[StratumT]) -> list[StratumT]:
    """The strata with a single unit, in order of first appearance."""
    members: dict[StratumT, set[Hashable]] = defaultdict(set)
    for unit, stratum in zip(units, strata, strict=True):
        members[stratum].add(unit)
    return [stratum for stratum, found in members.items() if len(found) == 1]
