"""Variance components of item scores: how much of an answer is target, item, wording, form.

The design is balanced and crossed: profiles × items × instruction wordings × formats × option
orders, one answer in each cell. Profiles, formats and orders are fixed, items and wordings
random; the profiles are split into the trait's own target (1 degree of freedom), the other four
targets (4) and the interactions of targets (26 with 32 profiles, 10 with 16). Main effects and
two-way interactions are components; all higher interactions are pooled into the residual. Where
one of them is not negligible, it biases the components of its own parts too: upwards where what
it has besides is random, downwards where that is fixed.

Expected mean squares follow the rules of Cornfield & Tukey 1956 (Annals of Mathematical
Statistics 27, 907-949; Bennett & Franklin 1954, Statistical analysis in chemistry and the chemical
industry) for the **restricted** mixed model: effects sum to 0 over the levels of a fixed factor.
So the expected mean square of a source holds each source that has all of its factors and besides
them random ones only: own target × item is in that of own target, not in that of item.

Each component is what its source adds to the variance of a single answer around the grand mean,
so that components add up: for a random source its variance; for a fixed one the mean of its
squared effects over the levels of the design, θ²; for a mixed interaction the mean of its variance
over the fixed levels. Cornfield and Tukey's own component of a mixed interaction is that times
levels / (levels − 1) for each fixed factor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mimic.stats.sources import (
    FACTORS,
    Source,
    aliased,
    contrasts,
    crossed_sources,
    expected_mean_squares,
    with_rewording,
)

# Components below this share of the total variance are rounding.
_TOLERANCE = 1e-9


class Component(NamedTuple):
    """One source of variance.

    Attributes
    ----------
    source
        Its name, such as ``own target × item``.
    df
        Degrees of freedom.
    mean_square
        In squared scale points.
    component
        What the source adds to the variance of an answer, in squared scale points; 0 where the
        estimate is negative.
    share
        Of the sum of all components.
    negative
        Whether the estimate was negative and set to 0.
    """

    source: str
    df: int
    mean_square: float
    component: float
    share: float
    negative: bool


class Components(NamedTuple):
    """The components of one trait and run, and what the design could not tell, in words."""

    rows: tuple[Component, ...]
    notes: tuple[str, ...]


def variance_components(
    y: np.ndarray, design: np.ndarray, trait: int, *, variants: np.ndarray | None = None
) -> Components:
    """Variance components of one trait's item scores: mean squares equal their expectations.

    With `variants`, item rewording is a random factor nested in items: each wording puts an item
    in one of its variants. Its sum of squares is what the variants explain of item × wording, that
    is, adjusted for both main effects; its coefficients in the expected mean squares are traces
    (Hartley 1967, Biometrics 23, 105-114). What is left is item × wording.

    Parameters
    ----------
    y
        Item scores of the trait, shape (profiles, items, wordings, formats, orders).
    design
        Target levels as ±1, shape (profiles, 5).
    trait
        Which column of `design` is the trait's own target.
    variants
        The variant of the item that a wording uses, shape (items, wordings). A label is read
        within its item; the same label of another item is another variant.

    Returns
    -------
    Components
        The residual is last. A factor with one level drops out, with a note; where only one is
        left besides the profiles, their interaction is the residual. There are no rows where
        none is left or the answers do not vary.

    Raises
    ------
    ValueError
        If an array has another shape, an answer is missing, or the profiles are not balanced.
    """
    _check(y, design, trait, variants)
    levels = dict(zip(FACTORS, y.shape[1:], strict=True))
    notes = [f"one {name} only, so that {name} drops out" for name, n in levels.items() if n == 1]
    if aliased(design):
        notes.append(
            f"{len(design)} profiles do not tell the effects of targets from their interactions"
        )
    centred = y - y.mean()
    if np.abs(centred).max() <= _TOLERANCE:
        return Components((), (*notes, "the answers do not vary"))
    if max(levels.values()) == 1:
        return Components((), (*notes, "profiles alone leave no residual"))
    found = contrasts(centred, design, trait)
    sources = crossed_sources(found)
    expected = expected_mean_squares(sources)
    if variants is not None:
        sources, expected, note = with_rewording(sources, expected, found=found, variants=variants)
        notes += [] if note is None else [note]
    return Components(_estimate(sources, expected, found.scores), tuple(notes))


def _check(y: np.ndarray, design: np.ndarray, trait: int, variants: np.ndarray | None) -> None:
    if y.ndim != 5 or design.shape != (len(y), 5) or not 0 <= trait < 5:
        raise ValueError(
            f"scores of shape {y.shape}, design of shape {design.shape}, trait {trait}: there must "
            "be scores (profiles, items, wordings, formats, orders), a design (profiles, 5) and a "
            "trait from 0 to 4"
        )
    if variants is not None and variants.shape != y.shape[1:3]:
        raise ValueError(
            f"variants of shape {variants.shape}: there must be one for each of "
            f"{y.shape[1]} items and {y.shape[2]} wordings"
        )
    missing = int((~np.isfinite(y)).sum())
    if missing:
        raise ValueError(
            f"{missing} of {y.size} answers are missing: variance components need one in each "
            "combination of profile, item, wording, format and order (wordings that are nested "
            "in formats have none in the other formats)"
        )


def _estimate(
    sources: list[Source], expected: np.ndarray, scores: np.ndarray
) -> tuple[Component, ...]:
    total = float((scores**2).sum())
    rounding = _TOLERANCE * total / scores.size
    df = scores.size - 1 - sum(source.df for source in sources)
    residual = (total - sum(source.sum_of_squares for source in sources)) / df
    residual = residual if residual > rounding else 0.0
    mean_squares = [source.sum_of_squares / source.df for source in sources]
    estimates = np.linalg.solve(expected, np.array(mean_squares) - residual)
    estimates[np.abs(estimates) <= rounding] = 0.0
    components = [*np.maximum(estimates, 0.0).tolist(), residual]
    rows = zip(
        [*(source.name for source in sources), "residual"],
        [*(source.df for source in sources), df],
        [*mean_squares, residual],
        components,
        [component / sum(components) for component in components],
        [*(estimates < 0).tolist(), False],
        strict=True,
    )
    return tuple(Component(*row) for row in rows)
