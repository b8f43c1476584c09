"""Adjusted p-values of the one family."""

from __future__ import annotations

import pytest
from statsmodels.stats.multitest import multipletests

from mimic.stats.multiple import FIGURES, Comparison, adjust

# The 15 p-values of Benjamini & Hochberg 1995, section 4.1: four are rejected at 0.05.
PUBLISHED = (
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
    0.6528, 0.7590, 1.0000,
)  # fmt: skip


def family(values: list[float | None]) -> list[Comparison]:
    return [Comparison(f"run{n // 3}", FIGURES[n % 3], value) for n, value in enumerate(values)]


def test_the_published_example_rejects_four() -> None:
    mixed = list(PUBLISHED[::2] + PUBLISHED[1::2])
    found = adjust(family(list(mixed)))
    adjusted = [test.p for test in found.tests]
    assert sum(p is not None and p <= 0.05 for p in adjusted) == 4
    assert adjusted == pytest.approx(multipletests(mixed, method="fdr_bh")[1])
    # 15 · 0.0095 / 4
    assert adjusted[mixed.index(0.0095)] == pytest.approx(0.035625)
    assert (found.size, found.note) == (15, None)


def test_what_was_not_run_stays_none_and_does_not_count() -> None:
    found = adjust(family([0.01, None, 0.04, None, 0.03, None]))
    assert [test.p for test in found.tests] == pytest.approx([0.03, None, 0.04, None, 0.04, None])
    assert [test[:2] for test in found.tests] == [test[:2] for test in family([None] * 6)]
    assert found.size == 3


@pytest.mark.parametrize("tests", [[], family([None, None, None])])
def test_an_empty_family_says_so(tests: list[Comparison]) -> None:
    found = adjust(tests)
    assert found.tests == tuple(tests)
    assert (found.size, found.note) == (0, "not run")


def test_tests_that_are_not_of_the_family_are_refused() -> None:
    with pytest.raises(ValueError, match="run a: the figure 'AUC' is not of the family; .*S/|B|"):
        adjust([Comparison("a", "AUC", 0.1)])
    with pytest.raises(ValueError, match="given more than once"):
        adjust([Comparison("a", FIGURES[0], 0.1), Comparison("a", FIGURES[0], None)])
    for p in (0.0, 1.2, float("nan")):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            adjust([Comparison("a", FIGURES[0], p)])
