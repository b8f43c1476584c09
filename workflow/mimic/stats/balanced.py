"""Answers to forms as a balanced array of wordings, formats and orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mimic.stats.bootstrap import Form


class Balanced(NamedTuple):
    """Item scores with an axis for each factor of the forms.

    Attributes
    ----------
    y
        Item scores, shape (profiles, items, wordings, formats, orders).
    wordings, formats, orders
        What the levels of the last three axes are called, sorted.
    """

    y: np.ndarray
    wordings: tuple[str, ...]
    formats: tuple[str, ...]
    orders: tuple[str, ...]


def balance_forms(y: np.ndarray, forms: Sequence[Form]) -> Balanced:
    """Spread the axis of forms over wordings, formats and orders.

    Parameters
    ----------
    y
        Item scores, shape (profiles, forms, items).
    forms
        What the axis of forms stands for; each wording in each format and order, once.

    Raises
    ------
    ValueError
        If wordings are nested in formats, or a combination is missing or there twice.
    """
    wordings = tuple(sorted({form.wording for form in forms}))
    formats = tuple(sorted({form.format for form in forms}))
    orders = tuple(sorted({form.order for form in forms}))
    positions = {(form.wording, form.format, form.order): n for n, form in enumerate(forms)}
    if len(positions) < len(forms):
        raise ValueError(
            f"{len(forms)} forms, but only {len(positions)} combinations of wording, format and "
            "order; each must be there once"
        )
    for wording in wordings:
        own = sorted({form.format for form in forms if form.wording == wording})
        if len(own) < len(formats):
            raise ValueError(
                f"wordings are nested in formats: {wording} stands in {', '.join(own)}, not in "
                f"{', '.join(name for name in formats if name not in own)}; variance components "
                "need the same wordings in every format"
            )
    shape = (len(wordings), len(formats), len(orders))
    places = np.empty(shape, dtype=int)
    for cell in np.ndindex(shape):
        key = (wordings[cell[0]], formats[cell[1]], orders[cell[2]])
        if key not in positions:
            raise ValueError(
                f"wording {key[0]} in format {key[1]} is not asked in order {key[2]}; variance "
                "components need every wording and format in the same orders"
            )
        places[cell] = positions[key]
    spread = y[:, places.ravel(), :].reshape(len(y), *shape, y.shape[2])
    return Balanced(np.moveaxis(spread, -1, 1), wordings, formats, orders)
