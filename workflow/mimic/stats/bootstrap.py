"""Bootstrap weights: how much each item, form, training seed or text counts in each draw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

StratumT = TypeVar("StratumT", bound=Hashable)

# How far crossed weights move from 1. Full weights double the noise of a sample, at which an exact
# match varies otherwise than at its own noise; chosen by simulation (decision 0007).
STEP = 0.85
# With fewer training seeds, their draws would say nothing about the next seed.
FEWEST_SEEDS = 5


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

    The rows are blocks of as many draws. In each block some factors vary and the others have
    weight 1; where a factor varies in several blocks, its weights are the same in them. So the
    part of a variance that belongs to factors together can be told apart. All weights are
    1 + `STEP` · (w − 1), w being those of `resample_within`: a figure's variance over the draws of
    a factor is to be divided by `STEP`² (`mimic.stats.crossed.uncertainty`).

    Attributes
    ----------
    items
        Weight of each item, shape (rows, items).
    forms
        Weight of each form, shape (rows, forms).
    seeds
        Weight of each training seed, shape (rows, seeds).
    blocks
        The factors (``items``, ``forms``, ``seeds``) that vary in each block of rows, in order.
    strata
        For each factor, the columns of its weights by stratum, one for each unit; strata with a
        single unit, which can't vary, are left out.
    wordings
        How many instruction wordings vary; one that stands in several formats counts once.
    notes
        What could not vary, in words.
    """

    items: np.ndarray
    forms: np.ndarray
    seeds: np.ndarray
    blocks: tuple[tuple[str, ...], ...]
    strata: Mapping[str, tuple[tuple[int, ...], ...]]
    wordings: int
    notes: tuple[str, ...]

    @property
    def vary(self) -> bool:
        """Whether any draw differs from the sample."""
        return any(self.strata.values())

    def alone(self, factor: str) -> np.ndarray:
        """Weights of a factor in the block where it alone varies, shape (draws, units)."""
        weights = {"items": self.items, "forms": self.forms, "seeds": self.seeds}[factor]
        size = len(weights) // len(self.blocks)
        start = self.blocks.index((factor,)) * size
        return weights[start : start + size]


def resample_within(
    units: Sequence[Hashable],
    strata: Sequence[Hashable],
    *,
    draws: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Rescaled bootstrap weights: units are drawn with replacement within strata.

    Of the n units of a stratum n − 1 are drawn, and the counts are multiplied by n / (n − 1).
    Each weight then has mean 1 and variance 1, and the variance of a weighted mean is that of the
    usual unbiased estimate; n draws of n would give (n − 1)/n of it (Rao & Wu 1988, Journal of the
    American Statistical Association 83, 231-241; as weights: Rao, Wu & Yue 1992, Survey
    Methodology 18, 209-217).

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
        The weight of each row, shape (draws, rows): not negative, not always whole, and often 0.
        The only unit of a stratum has weight 1 in every draw.
    """
    weights = np.ones((draws, len(units)))
    for by_unit in _members(units, strata).values():
        size = len(by_unit)
        if size == 1:
            continue
        counts = generator.multinomial(size - 1, np.full(size, 1 / size), size=draws)
        for column, rows in enumerate(by_unit.values()):
            weights[:, rows] = counts[:, [column]] * (size / (size - 1))
    return weights


def crossed_draws(
    *,
    items: Sequence[Item],
    forms: Sequence[Form],
    seeds: int = 1,
    draws: int = 2000,
    seed: int,
) -> Draws:
    """Weights of the crossed bootstrap of item clusters, instruction wordings and training seeds.

    Item clusters are drawn within trait × keying. Where every instruction wording stands in every
    format, a wording is drawn once for all formats, since its words have the same effects in each
    of them (decision 0010); otherwise wordings are drawn within format. Clusters and wordings are
    drawn independently of each other (Owen 2007, Annals of Applied Statistics 1, 386-411: the
    product of the weights of both factors), training seeds among each other where there are at
    least five. Both option orders of a wording move together. Profiles are the whole population
    and stay fixed. A cluster that holds both keyings is drawn among its like, so that it stays
    whole. The weights depend on the layout and the seed alone: two runs that answered the same
    items in the same forms share their draws.

    Parameters
    ----------
    items, forms
        The layout of the answers.
    seeds
        The number of training seeds whose answers are combined (`mimic.stats.seeds`).
    draws
        The number of draws in each block: items, forms, both; with seeds that vary also seeds
        alone and all three.
    seed
        Seed of the draws.
    """
    keyings: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for item in items:
        keyings[item.cluster].add((item.trait, item.keyed))
    item_strata = [tuple(sorted(keyings[item.cluster])) for item in items]
    clusters = [item.cluster for item in items]
    formats = [form.format for form in forms]
    wordings, form_strata = _form_units(forms)
    seeds_vary = seeds >= FEWEST_SEEDS
    seed_units = list(range(seeds)) if seeds_vary else [0] * seeds

    generator = np.random.default_rng(seed)
    drawn = {
        "items": resample_within(clusters, item_strata, draws=draws, generator=generator),
        "forms": resample_within(wordings, form_strata, draws=draws, generator=generator),
        "seeds": resample_within(seed_units, [0] * seeds, draws=draws, generator=generator),
    }
    blocks: tuple[tuple[str, ...], ...] = (("items",), ("forms",), ("items", "forms"))
    if seeds_vary:
        blocks += (("seeds",), ("items", "forms", "seeds"))

    def rows_of(factor: str) -> np.ndarray:
        fixed = np.ones_like(drawn[factor])
        moved = 1 + STEP * (drawn[factor] - 1)
        return np.concatenate([moved if factor in block else fixed for block in blocks])

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
    if 1 < seeds < FEWEST_SEEDS:
        notes.append(f"{seeds} training seeds, which do not vary: {FEWEST_SEEDS} are needed")
    varying = _columns(wordings, form_strata)
    return Draws(
        items=rows_of("items"),
        forms=rows_of("forms"),
        seeds=rows_of("seeds"),
        blocks=blocks,
        strata={
            "items": _columns(clusters, item_strata),
            "forms": varying,
            "seeds": _columns(seed_units, [0] * seeds),
        },
        wordings=len({forms[column].wording for stratum in varying for column in stratum}),
        notes=tuple(notes),
    )


def _form_units(forms: Sequence[Form]) -> tuple[list[Hashable], list[Hashable]]:
    """The unit and the stratum of each form: what is drawn, and among what."""
    pairs = {(form.format, form.wording) for form in forms}
    formats, wordings = ({pair[place] for pair in pairs} for place in (0, 1))
    if len(pairs) == len(formats) * len(wordings):
        return [form.wording for form in forms], [0] * len(forms)
    return [(form.format, form.wording) for form in forms], [form.format for form in forms]


def _members(
    units: Sequence[Hashable], strata: Sequence[StratumT]
) -> dict[StratumT, dict[Hashable, list[int]]]:
    """The rows of each unit of each stratum, in order of first appearance."""
    members: dict[StratumT, dict[Hashable, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, (unit, stratum) in enumerate(zip(units, strata, strict=True)):
        members[stratum][unit].append(row)
    return members


def _columns(units: Sequence[Hashable], strata: Sequence[Hashable]) -> tuple[tuple[int, ...], ...]:
    """The first row of each unit, by stratum with more than one unit."""
    return tuple(
        tuple(rows[0] for rows in by_unit.values())
        for by_unit in _members(units, strata).values()
        if len(by_unit) > 1
    )


def _lone(units: Sequence[Hashable], strata: Sequence[StratumT]) -> list[StratumT]:
    """The strata with a single unit, in order of first appearance."""
    return [stratum for stratum, found in _members(units, strata).items() if len(found) == 1]
