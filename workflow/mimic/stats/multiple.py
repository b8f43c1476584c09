"""The one family of tests whose p-values are adjusted; all others are exploratory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scipy.stats import false_discovery_control

# Fixed before any run: these methods of each model, each against its null adapter, in each figure.
METHODS = ("sft", "dpo", "orpo", "grpo")
FIGURES = ("S/|B|", "questionnaire exact match", "text exact match")

NOT_RUN = "not run"


class Comparison(NamedTuple):
    """A run against its null adapter in one figure; p is None where that was not run."""

    run: str
    figure: str
    p: float | None


class Family(NamedTuple):
    """The family with its adjusted p-values.

    Attributes
    ----------
    tests
        As given, p adjusted; None stays None.
    size
        The number of tests that were run.
    note
        ``not run`` where that is none, otherwise None.
    """

    tests: tuple[Comparison, ...]
    size: int
    note: str | None


def adjust(tests: Sequence[Comparison]) -> Family:
    """Adjust the family's p-values by Benjamini and Hochberg's procedure.

    With the p-values in ascending order, the adjusted i-th is the least of p_j · m/j over j ≥ i, at
    most 1 (Benjamini & Hochberg 1995, Journal of the Royal Statistical Society B 57, 289-300). m
    counts the tests that were run: which were, is decided before anything is measured. A figure
    that came out undefined has p = 1, not None; else the family would shrink with its results.

    Parameters
    ----------
    tests
        Each run of one of `METHODS` in each of `FIGURES`.

    Raises
    ------
    ValueError
        If a figure is not of the family, a test is given twice, or p is not above 0 and at most 1.
    """
    seen: set[tuple[str, str]] = set()
    for test in tests:
        if test.figure not in FIGURES:
            raise ValueError(
                f"run {test.run}: the figure {test.figure!r} is not of the family; "
                f"it holds {', '.join(FIGURES)}"
            )
        if (test.run, test.figure) in seen:
            raise ValueError(f"run {test.run}: {test.figure} is given more than once")
        seen.add((test.run, test.figure))
        if test.p is not None and not 0 < test.p <= 1:
            raise ValueError(
                f"run {test.run}: p of {test.figure} is {test.p}; it must be above 0 and at most 1"
            )
    run = [test.p for test in tests if test.p is not None]
    adjusted = iter(false_discovery_control(run, method="bh") if run else ())
    return Family(
        tests=tuple(
            test if test.p is None else test._replace(p=float(next(adjusted))) for test in tests
        ),
        size=len(run),
        note=None if run else NOT_RUN,
    )
