"""Synthetic respondents: their answers are drawn or made up, so that their true figures are known.

A respondent gives its agreement with each item, from 1 (not like me) to 5 (like me), NaN where it
can't be read. `probabilities_of` makes of that what a model would give; `mimic.gates.asking` has it
answered in the study's forms, so that synthetic answers go through the same code as real ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mimic.questionnaire.instruments import Norms
from mimic.stats.bootstrap import Form, Item
from mimic.traits import TRAITS, Profile, design_matrix

# In scale points: what order and agreeing add, how far the general impression moves scores at
# most, the noise of the respondent that is shrunk, and the SD over forms.
ORDER_SHIFT = 0.5
AGREEMENT_SHIFT = 0.75
HALO_STRENGTH = 0.75
NOISE = 0.3
WORDING_SD = 0.2
# The factor on y − 3.
SHRINKAGE = 0.5
# Which way each trait is thought well of.
VALENCE = np.array([1.0, 1.0, 1.0, 1.0, -1.0])
# How far the general impression moves each trait's answers. They differ, so that the trait of the
# target and the trait that is answered can't be taken for each other.
HALO_EFFECT = HALO_STRENGTH * VALENCE * np.array([1.0, 0.8, 0.6, 0.4, 0.2])
# Shares of profiles whose trait the half-perfect respondent answers rightly.
ACCURACIES = (1.0, 0.875, 0.75, 0.625, 0.5)
# Of a normal distribution the mean above the median is 0.798 standard deviations above it.
HUMAN_LEVEL = 0.8
# Sum of the option probabilities; below 1, so that scores must not rest on 1.
MASS = 0.9


@dataclass(frozen=True)
class Questionnaire:
    """What is asked: each profile answers each item in each form."""

    profiles: tuple[Profile, ...]
    forms: tuple[Form, ...]
    items: tuple[Item, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Profiles, forms, items."""
        return len(self.profiles), len(self.forms), len(self.items)

    @property
    def design(self) -> np.ndarray:
        """Target levels as ±1, shape (profiles, 5)."""
        return design_matrix(self.profiles)

    @property
    def targets(self) -> np.ndarray:
        """Target levels, high as True, shape (profiles, 5)."""
        return self.design > 0

    @property
    def item_traits(self) -> np.ndarray:
        """Each item's trait as its position in `TRAITS`, shape (items,)."""
        return np.array([TRAITS.index(item.trait) for item in self.items])

    @property
    def keyed_plus(self) -> np.ndarray:
        """Whether agreement with an item means high, shape (items,)."""
        return np.array([item.keyed == "plus" for item in self.items])

    @property
    def levels(self) -> np.ndarray:
        """±1 of the trait of each item, shape (profiles, 1, items)."""
        return np.asarray(self.design[:, self.item_traits][:, None, :])

    def agreement(self, scores: np.ndarray) -> np.ndarray:
        """The agreement that gives these item scores, shape (profiles, forms, items).

        Parameters
        ----------
        scores
            From 1 to 5, of a shape that broadcasts.
        """
        return np.broadcast_to(np.where(self.keyed_plus, scores, 6 - scores), self.shape)


@dataclass(frozen=True)
class Synthetic:
    """A respondent by its name.

    Attributes
    ----------
    respond
        Gives its agreement from 1 to 5, NaN where it can't be read, shape (profiles, forms,
        items); the generator is its only source of chance.
    """

    name: str
    respond: Callable[[Questionnaire, np.random.Generator], np.ndarray]

    def answer(self, asked: Questionnaire, *, seed: int) -> np.ndarray:
        """Its agreement, shape (profiles, forms, items); the same seed gives the same."""
        return self.respond(asked, np.random.default_rng(seed))


def probabilities_of(agreement: np.ndarray) -> np.ndarray:
    """Probability of each agreement 1 to 5, shape (…, 5).

    The two options around the agreement share `MASS`, so that their mean is the agreement; none
    has any where it can't be read.
    """
    known = np.nan_to_num(agreement, nan=1.0)
    lower = np.clip(np.floor(known), 1, 4)
    options = np.zeros((*agreement.shape, 5))
    places = lower.astype(np.int64)[..., None]
    np.put_along_axis(options, places - 1, (lower + 1 - known)[..., None], axis=-1)
    np.put_along_axis(options, places, (known - lower)[..., None], axis=-1)
    options[np.isnan(agreement)] = 0
    return MASS * options


def human_scores(norms: Norms, design: np.ndarray) -> np.ndarray:
    """Trait scores of people of each profile, shape (profiles, 5).

    The norm's mean ± `HUMAN_LEVEL` standard deviations, kept within 1 and 5.

    Parameters
    ----------
    norms
        Of the instrument.
    design
        Target levels as ±1, shape (profiles, 5).
    """
    mean = np.array([norms.traits[trait].mean for trait in TRAITS])
    sd = np.array([norms.traits[trait].sd for trait in TRAITS])
    return np.clip(mean + HUMAN_LEVEL * sd * design, 1, 5)


def human_like(norms: Norms) -> Synthetic:
    """A respondent as extreme as people are.

    Each item score is drawn by itself as 1 + Binomial(4, (s − 1)/4), s being what `human_scores`
    gives: whole numbers from 1 to 5 with the mean s and a standard deviation of at most 1.
    """

    def respond(asked: Questionnaire, rng: np.random.Generator) -> np.ndarray:
        wanted = human_scores(norms, asked.design)[:, asked.item_traits][:, None, :]
        return asked.agreement(1 + rng.binomial(4, (wanted - 1) / 4, asked.shape))

    return Synthetic("human-like", respond)


def constant(option: int) -> Synthetic:
    """Agrees with every item alike, from 1 to 5."""
    return Synthetic(f"constant {option}", lambda asked, rng: np.full(asked.shape, float(option)))


def _at_random(asked: Questionnaire, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(1, 6, asked.shape).astype(np.float64)


def _order_biased(asked: Questionnaire, rng: np.random.Generator) -> np.ndarray:
    # The first option in the list is drawn towards: in published order that most like me.
    towards = [1 if form.order == "published" else -1 for form in asked.forms]
    return asked.agreement(3 + asked.levels) + ORDER_SHIFT * np.array(towards)[:, None]


def _halo(asked: Questionnaire, rng: np.random.Generator) -> np.ndarray:
    general = (asked.design @ VALENCE)[:, None, None] / len(TRAITS)
    return asked.agreement(3 + asked.levels + general * HALO_EFFECT[asked.item_traits])


def _noisy(asked: Questionnaire, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(0, NOISE, asked.shape)
    return np.clip(asked.agreement(3 + asked.levels) + noise, 1, 5)


def _wording_sensitive(asked: Questionnaire, rng: np.random.Generator) -> np.ndarray:
    # Standardised at each profile and item, so that the SD over forms is known to the digit.
    deviation = rng.standard_normal(asked.shape)
    deviation -= deviation.mean(axis=1, keepdims=True)
    deviation *= WORDING_SD / deviation.std(axis=1, ddof=1, keepdims=True)
    return asked.agreement(3 + 0.5 * asked.levels + deviation)


def _half_perfect(asked: Questionnaire, rng: np.random.Generator) -> np.ndarray:
    profiles = len(asked.profiles)
    right = np.ones((profiles, len(TRAITS)))
    for trait, accuracy in enumerate(ACCURACIES):
        wrong = rng.permutation(profiles)[: round((1 - accuracy) * profiles)]
        right[wrong, trait] = -1
    return asked.agreement(3 + 2 * asked.levels * right[:, asked.item_traits][:, None, :])


PERFECT = Synthetic("perfect", lambda asked, rng: asked.agreement(3 + 2 * asked.levels))
INVERTED = Synthetic("inverted", lambda asked, rng: asked.agreement(3 - 2 * asked.levels))
CONSTANT = tuple(constant(option) for option in range(1, 6))
UNPARSED = Synthetic("unparsed", lambda asked, rng: np.full(asked.shape, math.nan))
RANDOM = Synthetic("random", _at_random)
# Whatever its target, high in every trait: it agrees with plus-keyed items only.
ALL_HIGH = Synthetic("all high", lambda asked, rng: asked.agreement(np.array(4.0)))
# High targets are answered at 3, low ones just below.
AT_THE_CUT = Synthetic(
    "at the cut", lambda asked, rng: asked.agreement(np.where(asked.levels > 0, 3.0, 2.0))
)
HALF_PERFECT = Synthetic("half-perfect", _half_perfect)
ORDER_BIASED = Synthetic("order-biased", _order_biased)
ACQUIESCENT = Synthetic(
    "acquiescent", lambda asked, rng: asked.agreement(3 + asked.levels) + AGREEMENT_SHIFT
)
HALO = Synthetic("halo", _halo)
NOISY = Synthetic("noisy", _noisy)
SHRUNK = Synthetic("shrunk", lambda asked, rng: 3 + SHRINKAGE * (_noisy(asked, rng) - 3))
WORDING_SENSITIVE = Synthetic("wording-sensitive", _wording_sensitive)
