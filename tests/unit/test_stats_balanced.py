"""Forms find their places among wordings, formats and orders, or are refused in words."""

from __future__ import annotations

import numpy as np
import pytest

from mimic.stats.balanced import balance_forms
from mimic.stats.bootstrap import Form


def forms_of(*cells: tuple[str, str, str]) -> list[Form]:
    return [Form("-".join(cell), cell[1], cell[0], cell[2]) for cell in cells]


CELLS = [
    (wording, fmt, order)
    for fmt in ("digits", "letters", "words")
    for order in ("published", "reversed")
    for wording in ("w2", "w1")
]


def test_forms_find_their_places_by_their_labels() -> None:
    forms = forms_of(*CELLS)
    y = np.random.default_rng(0).normal(size=(4, len(forms), 5))
    balanced = balance_forms(y, forms)
    assert balanced.y.shape == (4, 5, 2, 3, 2)
    for n, form in enumerate(forms):
        place = (
            balanced.wordings.index(form.wording),
            balanced.formats.index(form.format),
            balanced.orders.index(form.order),
        )
        assert (balanced.y[(slice(None), slice(None), *place)] == y[:, n]).all()


def test_wordings_nested_in_formats_are_refused() -> None:
    nested = forms_of(
        *(
            (wording, fmt, order)
            for wording, fmt in (("w1", "digits"), ("w2", "letters"))
            for order in ("published", "reversed")
        )
    )
    with pytest.raises(ValueError, match="nested in formats: w1 stands in digits, not in letters"):
        balance_forms(np.zeros((4, 4, 5)), nested)


def test_forms_that_are_missing_or_double_are_refused() -> None:
    with pytest.raises(ValueError, match="wording w1 in format words is not asked in order rev"):
        balance_forms(np.zeros((4, 11, 5)), forms_of(*CELLS[:-1]))
    with pytest.raises(ValueError, match="13 forms, but only 12 combinations"):
        balance_forms(np.zeros((4, 13, 5)), forms_of(*CELLS, CELLS[0]))
