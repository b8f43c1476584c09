"""What a gate says."""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.stats import binom

# Figures of chance must lie in a band that holds them with this probability.
SURE = 0.999
_ROUNDING = 1e-6


class Gate(NamedTuple):
    """One check with a known answer.

    Attributes
    ----------
    gate
        What was checked: a respondent, or a property of a statistic.
    of
        What it was checked on: a protocol, an index, a statistic.
    expected, found
        In words and figures.
    passed
        Whether they fit.
    """

    gate: str
    of: str
    expected: str
    found: str
    passed: bool


def equal(gate: str, of: str, *, expected: str, found: str) -> Gate:
    """A gate whose figure is known to the last digit that is shown."""
    return Gate(gate, of, expected, found, passed=expected == found)


def within_band(gate: str, of: str, *, hits: int, cells: int, share: float, chance: float) -> Gate:
    """A gate whose hits must lie in the exact 99.9 % binomial band.

    Where cells hit with different probabilities, their number varies less than a binomial one, so
    that the band is wide enough.

    Parameters
    ----------
    hits, cells
        Hits of independent cells.
    share
        The share of hits as it is reported, which must fit the hits.
    chance
        Their mean probability.
    """
    low, high = (int(bound) for bound in binom.interval(SURE, cells, chance))
    found = f"{hits} of {cells}"
    words = counted(hits, cells, share=share, between=" of ")
    return Gate(
        gate,
        of,
        expected=f"{low} to {high} of {cells}",
        found=words,
        passed=low <= hits <= high and words == found,
    )


def counted(hits: int, cells: int, *, share: float, between: str = "/") -> str:
    """Hits of cells, and the share that is reported of them where it is another."""
    words = f"{hits}{between}{cells}"
    if math.isclose(share * cells, hits, abs_tol=_ROUNDING):
        return words
    return f"{words}, but {figure(share * cells)} by the share"


def figure(value: float) -> str:
    """Six significant digits; 0 where only rounding is left."""
    return f"{round(value, 9) + 0.0:.6g}"


def span(values: list[float]) -> str:
    """The smallest and the largest, or the one that all are."""
    low, high = figure(min(values)), figure(max(values))
    return low if low == high else f"{low} to {high}"
