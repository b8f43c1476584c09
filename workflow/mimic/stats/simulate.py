"""Answers and texts of invented respondents whose true figures are known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mimic.stats.bootstrap import Form, Item
from mimic.traits import TRAITS, balanced_profiles, design_matrix


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which items are asked in which forms of which profiles.

    Attributes
    ----------
    per_trait
        Items for each trait.
    formats, wordings
        Formats, and instruction wordings in each.
    orders
        Option orders of each; the effects of a wording are the same in both.
    keys
        For each trait the keying and the cluster of its items, such as ``+a -a -b -c``; empty for
        every second one minus-keyed, each its own cluster.
    nested
        Whether each format has wordings of its own, so that they are drawn within formats. The
        same wordings stand in every format otherwise.
    profiles
        16 or 32.
    """

    per_trait: int
    formats: int
    wordings: int
    orders: int = 1
    keys: tuple[str, ...] = ()
    nested: bool = False
    profiles: int = 16

    @property
    def items(self) -> tuple[Item, ...]:
        """The items, by trait."""
        return tuple(
            Item(f"{trait}{n}", trait, "minus" if key[0] == "-" else "plus", f"{trait}{key[1:]}")
            for trait, keys in zip(TRAITS, self._keys(), strict=True)
            for n, key in enumerate(keys)
        )

    def _keys(self) -> list[list[str]]:
        if self.keys:
            return [keys.split() for keys in self.keys]
        return [[f"{'-' if n % 2 else '+'}{n}" for n in range(self.per_trait)]] * len(TRAITS)

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms, by format."""
        forms = []
        for fmt in range(self.formats):
            for wording in range(self.wordings):
                name = f"f{fmt}w{wording}"
                words = name if self.nested else f"w{wording}"
                for order in ("published", "reversed")[: self.orders]:
                    forms.append(Form(f"{name}{order}", f"f{fmt}", words, order))
        return tuple(forms)

    @property
    def item_traits(self) -> np.ndarray:
        """Each item's trait, 0 to 4, shape (items,)."""
        return np.repeat(np.arange(len(TRAITS)), self.per_trait)

    @property
    def design(self) -> np.ndarray:
        """Target levels as ±1, shape (profiles, 5)."""
        return design_matrix(balanced_profiles(self.profiles))


@dataclass(frozen=True, kw_only=True)
class Population:
    """Standard deviations, in scale points, of what item scores are made of.

    Attributes
    ----------
    signal
        B: how far a target moves the scores of its trait up or down.
    item
        Of items: the same for all profiles and forms.
    profile_item
        Of profiles at one item: the same in all forms.
    wording
        Of forms: the same for all profiles and items.
    item_wording
        Of items at one form: the same for all profiles.
    residual
        Of single answers.
    uneven
        Of the logarithm by which the residual differs from item to item, and again from form to
        form; its mean square stays `residual`².
    common
        Share of the variance of `wording`, `item_wording` and `uneven` that two runs have in
        common.
    shared
        Share of the variance of what differs from form to form (`wording`, `item_wording`, the
        forms' part of `uneven`) that belongs to the wording and is the same in all formats.
    """

    signal: float
    item: float
    profile_item: float
    wording: float
    item_wording: float
    residual: float
    uneven: float
    common: float = 0.5
    shared: float = 0.0

    def spread(self, layout: Layout) -> float:
        """S: the standard deviation over forms, root mean square over items and profiles.

        Of F formats × V wordings × O orders, what the formats share varies among V wordings, not
        among FVO forms: the variance over forms with FVO − 1 in its denominator holds
        FO (V − 1)/(FVO − 1) of it on average, and O (FV − 1)/(FVO − 1) of the rest.
        """
        worded = layout.formats * layout.wordings
        forms = worded * layout.orders
        among_wordings = layout.formats * layout.orders * (layout.wordings - 1) / (forms - 1)
        among_worded = layout.orders * (worded - 1) / (forms - 1)
        kept = (1 - self.shared) * among_worded + self.shared * among_wordings
        return math.sqrt(kept * (self.wording**2 + self.item_wording**2) + self.residual**2)


class Answers(NamedTuple):
    """Item scores of a run and of its reference, each of shape (profiles, forms, items)."""

    run: np.ndarray
    reference: np.ndarray


def simulate_answers(
    population: Population,
    layout: Layout,
    *,
    reduction: float = 0.0,
    generator: np.random.Generator,
) -> Answers:
    """Answers of two runs to items and wordings drawn from their populations.

    Both meet the same items and forms. What varies over forms is smaller in the run by the factor
    1 − `reduction`. Scores are not kept within 1 to 5, so that the true figures stay known.

    Parameters
    ----------
    population, layout
        What the scores are made of, and which there are.
    reduction
        The true reduction of S.
    generator
        Source of all effects.
    """
    design, traits = layout.design, layout.item_traits
    profiles, forms, items = layout.profiles, len(layout.forms), len(traits)
    steady = (
        3
        + population.signal * design[:, traits]
        + population.item * generator.standard_normal(items)
        + population.profile_item * generator.standard_normal((profiles, items))
    )

    def of_forms(columns: int) -> np.ndarray:
        effects = generator.standard_normal((layout.formats * layout.wordings, columns))
        if population.shared > 0:
            of_wordings = generator.standard_normal((layout.wordings, columns))
            same = np.tile(of_wordings, (layout.formats, 1))
            effects *= math.sqrt(1 - population.shared)
            effects += math.sqrt(population.shared) * same
        return np.repeat(effects, layout.orders, axis=0)

    def effects() -> tuple[np.ndarray, ...]:
        return of_forms(1), of_forms(items), of_forms(1), generator.standard_normal((1, items))

    in_common = effects()

    def one_run(factor: float) -> np.ndarray:
        wording, item_wording, uneven_forms, uneven_items = (
            math.sqrt(population.common) * common + math.sqrt(1 - population.common) * own
            for common, own in zip(in_common, effects(), strict=True)
        )
        scores = generator.standard_normal((profiles, forms, items))
        # exp(u h − u²) has mean square 1.
        u = population.uneven
        scores *= population.residual * np.exp(u * (uneven_forms + uneven_items) - 2 * u**2)
        scores += population.wording * wording + population.item_wording * item_wording
        scores *= factor
        scores += steady[:, None, :]
        return scores

    return Answers(run=one_run(1 - reduction), reference=one_run(1.0))


@dataclass(frozen=True, kw_only=True)
class TextPopulation:
    """What texts, as a judge reads them, are made of.

    A text's reading of a trait is its target, ±`signal`, plus deviations of its profile ×
    situation with the standard deviation `cell`, plus its own with standard deviation 1; above 0
    it reads as high.

    Attributes
    ----------
    signal, cell
        See above.
    situations, samples
        Situations, and texts of each profile in each.
    profiles
        16 or 32.
    """

    signal: float
    cell: float
    situations: int = 4
    samples: int = 2
    profiles: int = 16

    @property
    def cells(self) -> np.ndarray:
        """The profile × situation of each text, shape (texts,)."""
        return np.repeat(np.arange(self.profiles * self.situations), self.samples)

    @property
    def targets(self) -> np.ndarray:
        """High (True) or low of each text and trait, shape (texts, 5)."""
        design = design_matrix(balanced_profiles(self.profiles))
        return np.repeat(design, self.situations * self.samples, axis=0) > 0


def cell_deviations(population: TextPopulation, *, generator: np.random.Generator) -> np.ndarray:
    """Deviations of profile × situation, shape (cells, 5): they are fixed, not sampled anew."""
    shape = (population.profiles * population.situations, len(TRAITS))
    return population.cell * generator.standard_normal(shape)


def simulate_texts(
    population: TextPopulation, deviations: np.ndarray, *, generator: np.random.Generator
) -> np.ndarray:
    """A judge's probabilities of high for new texts, shape (texts, 5).

    Parameters
    ----------
    population
        What the texts are made of.
    deviations
        What `cell_deviations` gave.
    generator
        Source of the texts' own deviations.
    """
    targets = population.targets
    reading = np.where(targets, population.signal, -population.signal)
    reading = reading + deviations[population.cells] + generator.standard_normal(targets.shape)
    return np.asarray(1 / (1 + np.exp(-reading)))
