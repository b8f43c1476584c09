"""Prints the tables of docs/decisions/0007-bootstrap-of-few-clusters.md, in half an hour.

``python -m mimic.stats.coverage_tables [default|crossed|nested|texts]``; all without a name.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mimic.stats.coverage import (
    DEFAULT,
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
FIVE_FORMATS = Layout(per_trait=4, formats=5, wordings=5)
# Formats have wordings, and effects of wordings, of their own.
APART = replace(POPULATION, shared=0.0)
# No effect of items or wordings: all noise is that of single answers.
SINGLE_ANSWERS = Population(
    signal=0.1, item=0, profile_item=0, wording=0, item_wording=0, residual=0.9, uneven=0
)


def default_table() -> None:
    """Print the table of the default study's layout."""
    _show(
        "The layout of the default study: share of the effects of wordings that formats have in "
        "common",
        {
            f"{shared:g}": answer_coverage(replace(POPULATION, shared=shared), DEFAULT)
            for shared in (0.0, 0.5, 1.0)
        },
    )


def crossed_tables() -> None:
    """Print the tables of the same wordings in every format."""
    layouts = {"20 × 2 × 2": TWO_WORDINGS, **LAYOUTS, "20 × 5 × 5": FIVE_FORMATS}
    _show(
        "The same wordings in every format: items × formats × wordings, and share of the effects "
        "of wordings that formats have in common",
        {
            f"{name}, {shared:g}": answer_coverage(replace(POPULATION, shared=shared), layout)
            for name, layout in layouts.items()
            for shared in (0.0, 0.5, 1.0)
        },
    )
    _show(
        "The same wordings in every format, but drawn within formats",
        {
            f"{name}, {shared:g}": answer_coverage(
                replace(POPULATION, shared=shared), replace(layout, nested=True)
            )
            for name, layout in (("20 × 2 × 3", SMALL), ("20 × 5 × 5", FIVE_FORMATS))
            for shared in (0.5, 1.0)
        },
    )
    strong = replace(POPULATION, signal=0.3)
    _show(
        "The same wordings in every format, signal 0.3",
        {name: answer_coverage(strong, layout) for name, layout in LAYOUTS.items()},
    )


def nested_tables() -> None:
    """Print the tables of wordings of its own in each format."""
    columns = {
        f"{name}, {method}": answer_coverage(
            APART, replace(layout, nested=True), method=method, draws=_DRAWS[method]
        )
        for name, layout in LAYOUTS.items()
        for method in METHODS
    }
    _show("Answers: items × formats × wordings in each, and method", columns)
    nothing_in_common = replace(APART, uneven=0.4, common=0.0)
    small, middle, large = (replace(layout, nested=True) for layout in LAYOUTS.values())
    _show(
        "Answers of two runs that have nothing in common, 20 × 2 × 3, and method",
        {
            method: answer_coverage(nothing_in_common, small, method=method, draws=_DRAWS[method])
            for method in METHODS
        },
    )
    strong = replace(APART, signal=0.3)
    others = {
        "20 × 2 × 2": (APART, replace(TWO_WORDINGS, nested=True)),
        "20 × 2 × 3, signal 0.3": (strong, small),
        "20 × 2 × 3, single answers": (SINGLE_ANSWERS, small),
        "60 × 3 × 5, signal 0.3": (strong, middle),
        "120 × 5 × 10, signal 0.3": (strong, large),
    }
    _show(
        "Answers of other respondents, method score",
        {name: answer_coverage(*respondent) for name, respondent in others.items()},
    )


def text_tables() -> None:
    """Print the table of texts, and what is known of permutation p."""
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


TABLES = {
    "default": default_table,
    "crossed": crossed_tables,
    "nested": nested_tables,
    "texts": text_tables,
}


def main() -> None:
    """Print the tables of one kind as Markdown, or all."""
    parser = argparse.ArgumentParser(description="Coverage of the intervals.")
    parser.add_argument("table", nargs="?", choices=TABLES, help="which; all without")
    table = parser.parse_args().table
    for name in [table] if table else TABLES:
        TABLES[name]()


def _show(caption: str, columns: Mapping[str, Sequence[Coverage]]) -> None:
    """Coverage in percent, the true value in brackets."""
    print(f"{caption}\n\n| figure | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for row in zip(*columns.values(), strict=True):
        cells = [
            "no interval"
            if math.isnan(found.width)
            else f"{100 * found.share:.1f} ({found.truth:.3f})"
            for found in row
        ]
        print(f"| {row[0].figure} | {' | '.join(cells)} |")
    print(flush=True)


if __name__ == "__main__":
    main()
