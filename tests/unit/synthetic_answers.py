"""Answers of synthetic respondents, for the tests of statistics and metrics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mimic.metrics.answers import Answers
from mimic.stats.bootstrap import Form, Item
from mimic.traits import TRAITS, balanced_profiles, design_matrix

# Raw agreement from ±1 levels of the item's own trait (profiles, 1, 1 or items), keys ±1 (items,).
Respondent = Callable[[np.ndarray, np.ndarray, tuple[int, int, int]], np.ndarray]


def layout(*, per_trait: int = 4, wordings: int = 3) -> tuple[tuple[Form, ...], tuple[Item, ...]]:
    """Two formats × wordings × both orders; items of both keyings, each its own cluster."""
    forms = tuple(
        Form(f"{fmt}-{wording}-{order}", fmt, f"w{wording}", order)
        for fmt in ("digits", "letters")
        for wording in range(wordings)
        for order in ("published", "reversed")
    )
    items = tuple(
        Item(f"{trait}{n}", trait, "plus" if n % 2 == 0 else "minus", f"{trait}-c{n}")
        for trait in TRAITS
        for n in range(per_trait)
    )
    return forms, items


def answers_of(respondent: Respondent, *, profiles: int = 16, **shape: int) -> Answers:
    """The answers of a respondent that gives raw agreement 1 to 5."""
    forms, items = layout(**shape)
    chosen = balanced_profiles(profiles)
    design = design_matrix(chosen)
    traits = np.array([TRAITS.index(item.trait) for item in items])
    keys = np.array([1.0 if item.keyed == "plus" else -1.0 for item in items])
    size = (profiles, len(forms), len(items))
    raw = np.broadcast_to(respondent(design[:, traits][:, None, :], keys, size), size).copy()
    # Two neighbouring options share the probability, so that its mean is the raw agreement.
    lower = np.minimum(np.floor(raw), 4)
    options = np.zeros((*size, 5))
    np.put_along_axis(options, (lower - 1).astype(int)[..., None], (lower + 1 - raw)[..., None], -1)
    np.put_along_axis(options, lower.astype(int)[..., None], (raw - lower)[..., None], -1)
    return Answers(
        subjects=tuple(map(str, chosen)),
        profiles=chosen,
        forms=forms,
        items=items,
        variants=np.zeros((len(forms), len(items)), dtype=np.int64),
        options=options,
        mass=options.sum(axis=-1),
        raw=raw,
        y=np.where(keys > 0, raw, 6 - raw),
    )


def follows(strength: float) -> Respondent:
    """Agrees as its target does: 2 is perfect, −2 inverted."""
    return lambda levels, keys, size: 3 + strength * levels * keys


def constant(option: float) -> Respondent:
    """Gives one answer to everything."""
    return lambda levels, keys, size: np.array(float(option))


def at_random(seed: int) -> Respondent:
    """Draws its agreement without regard to anything."""
    return lambda levels, keys, size: np.random.default_rng(seed).uniform(1, 5, size)


def noisy(*, strength: float, sd: float, seed: int) -> Respondent:
    """Follows its target, with normal noise over forms."""

    def respond(levels: np.ndarray, keys: np.ndarray, size: tuple[int, int, int]) -> np.ndarray:
        noise = np.random.default_rng(seed).normal(0, sd, size)
        return np.asarray(3 + strength * levels * keys + noise)

    return respond
