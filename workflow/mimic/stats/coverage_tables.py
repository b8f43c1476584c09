"""Prints the tables of docs/decisions/0007-bootstrap-of-few-clusters.md, in about ten minutes.

``python -m mimic.stats.coverage_tables``
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mimic.stats.coverage import (
    LARGE,
    MIDDLE,
    POPULATION,
    SMALL,
    TEXTS,
    Coverage,
    Method,
    answer_coverage,
    text_coverage,
)
from mimic.stats.simulate import Layout, Population
from mimic.stats.uniformity import constant_p, permutation_uniformity

METHODS: tuple[Method, ...] = ("former", "percentiles", "score")
# Percentiles need more draws than a variance; the variance has three blocks of them.
_DRAWS: dict[Method, int] = {"former": 300, "percentiles": 300, "score": 100}
LAYOUTS = {"20 × 2 × 3": SMALL, "60 × 3 × 5": MIDDLE, "120 × 5 × 10": LARGE}
TWO_WORDINGS = Layout(per_trait=4, formats=2, wordings=2)
# No effect of items or wordings: all noise is that of single answers.
SINGLE_ANSWERS = Population(
    signal=0.1, item=0, profile_item=0, wording=0, item_wording=0, residual=0.9, uneven=0
)


def main() -> None:
    """Print all tables as Markdown."""
    columns = {
        f"{name}, {method}": answer_coverage(
            POPULATION, layout, method=method, draws=_DRAWS[method]
        )
        for name, layout in LAYOUTS.items()
        for method in METHODS
    }
    _show("Answers: items × formats × wordings in each, and method", columns)
    apart = replace(POPULATION, uneven=0.4, common=0.0)
    _show(
        "Answers of two runs that have nothing in common, 20 × 2 × 3, and method",
        {
            method: answer_coverage(apart, SMALL, method=method, draws=_DRAWS[method])
            for method in METHODS
        },
    )
    others = {
        "20 × 2 × 2": (POPULATION, TWO_WORDINGS),
        "20 × 2 × 3, signal 0.3": (replace(POPULATION, signal=0.3), SMALL),
        "20 × 2 × 3, single answers": (SINGLE_ANSWERS, SMALL),
        "60 × 3 × 5, signal 0.3": (replace(POPULATION, signal=0.3), MIDDLE),
        "120 × 5 × 10, signal 0.3": (replace(POPULATION, signal=0.3), LARGE),
    }
    _show(
        "Answers of other respondents, method score",
        {name: answer_coverage(*respondent) for name, respondent in others.items()},
    )
    texts = {
        "128, signal 0": replace(TEXTS, signal=0.0),
        "128": TEXTS,
        "128, signal 1.5": replace(TEXTS, signal=1.5),
        "128, cells differ more": replace(TEXTS, cell=1.5),
    }
    _show(
        "Texts, two in each cell, and method",
        {
            f"{name}, {method}": text_coverage(population, method=method)
            for name, population in texts.items()
            for method in METHODS
        },
    )
    uniformity = permutation_uniformity()
    print(
        f"p of 500 random respondents: {uniformity.share:.1%} up to 0.05; Kolmogorov-Smirnov test "
        f"of uniformity p = {uniformity.randomised:.2f}. Least p of constant respondents: "
        f"{constant_p().min():g}"
    )


def _show(caption: str, columns: Mapping[str, Sequence[Coverage]]) -> None:
    """Coverage in percent, the true value in brackets."""
    print(f"{caption}\n\n| figure | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for row in zip(*columns.values(), strict=True):
        cells = [f"{100 * found.share:.1f} ({found.truth:.3f})" for found in row]
        print(f"| {row[0].figure} | {' | '.join(cells)} |")
    print(flush=True)


if __name__ == "__main__":
    main()
