"""The three protocols: from answers to item scores, trait scores, decisions and figures.

``released`` scores as the released code of the reference study does: 1 to 5 in the order of the
options, of which the first means most like me, with only minus-keyed items reversed; high from the
cut upwards; a trait without answers scores 0. Its direction is inverted: whoever answers just as a
profile says gets no trait right. ``corrected`` takes the same answers in the right direction.
``likelihood`` takes item scores from option probabilities, so it begins at `trait_scores`. The
last two decide nothing where a trait has no answer.

The protocols are never mixed: each has columns of its own.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

import numpy as np

from mimic.traits import TRAITS

Protocol = Literal["released", "corrected", "likelihood"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

HIGH, LOW, UNDECIDED = 1, 0, -1

# Scores are rounded before they meet a cut: a mean that is 3 in exact arithmetic must count as 3.
_DECIMALS = 9


class ProtocolFigures(NamedTuple):
    """The figures of a run's answers under one protocol.

    Attributes
    ----------
    exact_match
        Share of profile × form cells whose five decisions all fit.
    hits, cells
        Its numerator and denominator.
    accuracy
        Share of cells whose decision on a trait fits, shape (5,); no decision never fits.
    parsed
        Share of answers that have an item score.
    undecided
        Share of the decisions (cells × traits) that are none.
    """

    exact_match: float
    hits: int
    cells: int
    accuracy: np.ndarray
    parsed: float
    undecided: float


def item_scores(
    option: np.ndarray, keyed_plus: np.ndarray, *, protocol: Literal["released", "corrected"]
) -> np.ndarray:
    """The score of each answer, from 1 to 5.

    ``released``: the option's number, minus-keyed items 6 − number. ``corrected``: the agreement
    6 − number, minus-keyed items 6 − agreement.

    Parameters
    ----------
    option
        1 to 5 in published order, 1 = most like me, and 0 where no option was read; whole numbers,
        shape (profiles, forms, items).
    keyed_plus
        Whether agreement with an item means high, shape (items,).

    Returns
    -------
    numpy.ndarray
        Shape (profiles, forms, items); NaN where no option was read.

    Raises
    ------
    ValueError
        If an option is none of 0 to 5, or the protocol scores no options.
    """
    if protocol not in ("released", "corrected"):
        raise ValueError(f"{protocol!r} scores no options; allowed are released and corrected")
    option = np.asarray(option)
    wrong = ~np.isin(option, np.arange(6))
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"option {option[place]} at (profile, form, item) {place}; allowed are 1 to 5, and 0 "
            "for an answer without an option"
        )
    number = np.where(option == 0, math.nan, option)
    like_me = number if protocol == "released" else 6 - number
    return np.where(np.asarray(keyed_plus, dtype=bool), like_me, 6 - like_me)


def trait_scores(y: np.ndarray, item_traits: np.ndarray, *, protocol: Protocol) -> np.ndarray:
    """Mean of a trait's item scores, unparsed answers left out.

    Parameters
    ----------
    y
        Item scores, NaN for an unparsed answer, shape (profiles, forms, items).
    item_traits
        Each item's trait, 0 to 4, shape (items,).

    Returns
    -------
    numpy.ndarray
        Shape (profiles, forms, 5), rounded to nine decimals. A trait without answers has 0 under
        ``released`` and NaN under the others.
    """
    empty = 0.0 if _known(protocol) == "released" else math.nan
    answered = ~np.isnan(y)
    scores = np.full((*y.shape[:2], len(TRAITS)), empty)
    for trait in range(len(TRAITS)):
        own = item_traits == trait
        count = answered[:, :, own].sum(axis=2)
        total = np.nansum(y[:, :, own], axis=2)
        np.divide(total, count, out=scores[:, :, trait], where=count > 0)
    return np.round(scores, _DECIMALS)


def decisions(scores: np.ndarray, *, cut: float | np.ndarray, protocol: Protocol) -> np.ndarray:
    """High where a trait's score is at least the cut.

    Parameters
    ----------
    scores
        From `trait_scores` under the same protocol, shape (profiles, forms, 5).
    cut
        One for all traits, such as the published 3.0, or one for each, shape (5,).

    Returns
    -------
    numpy.ndarray
        1 high, 0 low, −1 no decision; int8, shape (profiles, forms, 5).

    Raises
    ------
    ValueError
        If a score is no number under ``released``, which knows no "no decision".
    """
    undecided = np.isnan(scores)
    if _known(protocol) == "released" and undecided.any():
        raise ValueError("a trait without a score; under released a trait without answers scores 0")
    decided = np.where(scores >= np.asarray(cut, dtype=float), HIGH, LOW)
    return np.where(undecided, UNDECIDED, decided).astype(np.int8)


def exact_match(decided: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Whether all five decisions of a cell fit its profile; no decision never fits.

    Parameters
    ----------
    decided
        From `decisions`, shape (profiles, forms, 5).
    targets
        Target levels, high as True, shape (profiles, 5).

    Returns
    -------
    numpy.ndarray
        Boolean, shape (profiles, forms).
    """
    return np.asarray(_fits(decided, targets).all(axis=2))


def protocol_figures(
    y: np.ndarray,
    item_traits: np.ndarray,
    targets: np.ndarray,
    *,
    cut: float | np.ndarray,
    protocol: Protocol,
) -> ProtocolFigures:
    """The figures of item scores under one protocol.

    Parameters
    ----------
    y
        Item scores of that protocol, shape (profiles, forms, items): from `item_scores`, or under
        ``likelihood`` from option probabilities.
    item_traits
        Each item's trait, 0 to 4, shape (items,).
    targets
        Target levels, high as True, shape (profiles, 5).
    cut
        One for all traits or one for each, shape (5,).
    """
    decided = decisions(trait_scores(y, item_traits, protocol=protocol), cut=cut, protocol=protocol)
    hits = exact_match(decided, targets)
    return ProtocolFigures(
        exact_match=float(hits.mean()),
        hits=int(hits.sum()),
        cells=hits.size,
        accuracy=_fits(decided, targets).mean(axis=(0, 1)),
        parsed=float((~np.isnan(y)).mean()),
        undecided=float((decided == UNDECIDED).mean()),
    )


def _fits(decided: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return np.asarray(decided == np.asarray(targets, dtype=bool)[:, None, :])


def _known(protocol: Protocol) -> Protocol:
    if protocol not in PROTOCOLS:
        raise ValueError(f"{protocol!r} is no protocol; allowed are {', '.join(PROTOCOLS)}")
    return protocol
