"""Sources of variance of a crossed design: sums of squares and expected mean squares.

For `mimic.stats.components`, which says what the sources are and which model they belong to.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import helmert, null_space

FACTORS = ("item", "wording", "format", "order")
REWORDING = "item rewording"
_PROFILE_PARTS = ("own target", "other targets", "target interactions")
_RANDOM = frozenset({"item", "wording"})
_TOLERANCE = 1e-9


class Source(NamedTuple):
    """A source before its component is estimated.

    Attributes
    ----------
    name
        Such as ``own target × item``.
    factors
        What it crosses: factors, and parts of the profiles.
    df
        Degrees of freedom.
    sum_of_squares
        In squared scale points.
    weight
        The coefficient of its component in its own expected mean square.
    """

    name: str
    factors: frozenset[str]
    df: int
    sum_of_squares: float
    weight: float


class Contrasts(NamedTuple):
    """Scores in orthonormal contrasts along each axis, the mean first.

    The sum of squares of a source is that of a block of `scores`.

    Attributes
    ----------
    scores
        Shape (profiles, items, wordings, formats, orders).
    parts
        Which rows of the profile axis belong to which part of the profiles.
    """

    scores: np.ndarray
    parts: dict[str, slice]

    def block(self, *names: str) -> np.ndarray:
        """The contrasts of a source, at the mean of the factors that it doesn't cross."""
        index: list[slice | int] = [0] * 5
        for name in names:
            if name in self.parts:
                index[0] = self.parts[name]
            else:
                index[1 + FACTORS.index(name)] = slice(1, None)
        return np.asarray(self.scores[tuple(index)])


def contrasts(y: np.ndarray, design: np.ndarray, trait: int) -> Contrasts:
    """Rotate scores into contrasts; those of the profiles are split into parts.

    Parameters
    ----------
    y
        Shape (profiles, items, wordings, formats, orders).
    design
        Target levels as ±1, shape (profiles, 5).
    trait
        Which column of `design` is the trait's own target.

    Raises
    ------
    ValueError
        If the profiles are not balanced.
    """
    profiles = len(design)
    main = np.column_stack([np.ones(profiles), design])
    if not np.allclose(main.T @ main, profiles * np.eye(6)):
        raise ValueError(
            f"the {profiles} profiles are not balanced: the levels ±1 of the five traits must be "
            "equally frequent and uncorrelated; use a balanced set of 16 or all 32"
        )
    order = [0, 1 + trait, *(1 + other for other in range(5) if other != trait)]
    basis = np.vstack([main.T[order] / math.sqrt(profiles), null_space(main.T).T])
    scores = y
    for axis, levels in enumerate(y.shape):
        matrix = basis if axis == 0 else helmert(levels, full=True)
        scores = np.moveaxis(np.tensordot(matrix, scores, axes=(1, axis)), 0, axis)
    rows = (slice(1, 2), slice(2, 6), slice(6, None))
    return Contrasts(scores, dict(zip(_PROFILE_PARTS, rows, strict=True)))


def aliased(design: np.ndarray) -> bool:
    """Whether an interaction of two targets looks like the effect of a third."""
    pairs = [design[:, a] * design[:, b] for a, b in itertools.combinations(range(5), 2)]
    return bool(np.abs(design.T @ np.column_stack(pairs)).max() > _TOLERANCE)


def crossed_sources(found: Contrasts) -> list[Source]:
    """Main effects and two-way interactions, without factors of one level.

    With one factor besides the profiles there are main effects only: the interaction is the
    residual.
    """
    shape = found.scores.shape
    factors = [name for name, levels in zip(FACTORS, shape[1:], strict=True) if levels > 1]
    singles = [*found.parts, *factors]
    pairs = [
        (a, b)
        for a, b in itertools.combinations(singles, 2)
        if not (a in found.parts and b in found.parts) and len(factors) > 1
    ]
    sources = []
    for names in [*((name,) for name in singles), *pairs]:
        squares = found.block(*names) ** 2
        # Levels of the random factors times degrees of freedom of the fixed ones.
        effects = math.prod(
            shape[1 + FACTORS.index(name)] if name in _RANDOM else found.block(name).size
            for name in names
        )
        sources.append(
            Source(
                name=" × ".join(names),
                factors=frozenset(names),
                df=squares.size,
                sum_of_squares=float(squares.sum()),
                weight=found.scores.size / effects,
            )
        )
    return sources


def expected_mean_squares(sources: list[Source]) -> np.ndarray:
    """Coefficients of the components (columns) in the expected mean squares (rows).

    The residual, which is in all of them once, is left out. A component is in a source's mean
    square if it has all of its factors and besides them random ones only (restricted model).
    """
    table = np.zeros((len(sources), len(sources)))
    for row, source in enumerate(sources):
        for column, other in enumerate(sources):
            if source.factors <= other.factors and other.factors - source.factors <= _RANDOM:
                table[row, column] = other.weight
    return table


def with_rewording(
    sources: list[Source], expected: np.ndarray, *, found: Contrasts, variants: np.ndarray
) -> tuple[list[Source], np.ndarray, str | None]:
    """Item rewording taken out of item × wording, before which it is put.

    Parameters
    ----------
    sources, expected
        What `crossed_sources` and `expected_mean_squares` gave.
    found
        The contrasts of the scores.
    variants
        The variant of the item that a wording uses, shape (items, wordings).

    Returns
    -------
    tuple
        Sources, coefficients, and what could not be told, in words. Coefficients are the expected
        sums of squares of the variants' indicators, by their traces, over degrees of freedom.
    """
    items, wordings = variants.shape
    if all(len(set(row)) == 1 for row in variants.tolist()):
        return sources, expected, f"each item in one variant, so that {REWORDING} drops out"
    if items == 1 or wordings == 1:
        return sources, expected, f"one item, so that {REWORDING} is part of wording"
    indicators = [
        np.outer(np.arange(items) == item, variants[item] == variant).astype(float)
        for item in range(items)
        for variant in sorted(set(variants[item].tolist()))
    ]
    of_items, of_wordings = helmert(items, full=True), helmert(wordings, full=True)
    table = np.stack([of_items @ indicator @ of_wordings.T for indicator in indicators])
    within = table[:, 1:, 1:].reshape(len(table), -1)
    _, singular, directions = np.linalg.svd(within, full_matrices=False)
    df = int((singular > _TOLERANCE * max(1.0, singular[0])).sum())
    at = next(n for n, source in enumerate(sources) if source.factors == _RANDOM)
    cells = found.scores.size / variants.size
    rewording = Source(
        name=REWORDING,
        factors=_RANDOM,
        df=df,
        sum_of_squares=float(
            ((directions[:df] @ found.block("item", "wording").ravel()) ** 2).sum()
        ),
        weight=cells * float((singular[:df] ** 2).sum()) / df,
    )
    expected = np.insert(np.insert(expected, at, expected[at], axis=0), at, 0.0, axis=1)
    expected[at, at] = rewording.weight
    for row, source in enumerate(sources):
        if source.factors == {"item"}:
            expected[row, at] = cells * float((table[:, 1:, 0] ** 2).sum()) / source.df
        elif source.factors == {"wording"}:
            expected[row, at] = cells * float((table[:, 0, 1:] ** 2).sum()) / source.df
    left = sources[at]._replace(
        df=sources[at].df - df,
        sum_of_squares=max(sources[at].sum_of_squares - rewording.sum_of_squares, 0.0),
    )
    if left.df:
        return [*sources[:at], rewording, left, *sources[at + 1 :]], expected, None
    expected = np.delete(np.delete(expected, at + 1, axis=0), at + 1, axis=1)
    note = f"wordings share no variants, so that {REWORDING} and {left.name} are one component"
    return [*sources[:at], rewording, *sources[at + 1 :]], expected, note
