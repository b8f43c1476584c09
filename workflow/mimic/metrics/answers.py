"""Reading a run's answers into arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mimic.stats.bootstrap import Form, Item
from mimic.traits import TRAITS, Profile, design_matrix

_NUMBERS = ("p1", "p2", "p3", "p4", "p5", "mass", "raw", "y")
_COLUMNS = ("profile", *Item._fields, *Form._fields, *_NUMBERS)


@dataclass(frozen=True)
class Answers:
    """One run's answers in one context; every profile answered every item in every form.

    Attributes
    ----------
    profiles, forms, items
        What the axes of the arrays stand for; profiles from all high to all low, forms and items
        sorted.
    options
        Probability of each agreement 1 to 5, unnormalised, shape (profiles, forms, items, 5).
    mass
        Their sums, shape (profiles, forms, items).
    raw
        Mean agreement, shape (profiles, forms, items).
    y
        Item scores, `raw` or 6 − `raw`, shape (profiles, forms, items).
    """

    profiles: tuple[Profile, ...]
    forms: tuple[Form, ...]
    items: tuple[Item, ...]
    options: np.ndarray
    mass: np.ndarray
    raw: np.ndarray
    y: np.ndarray

    @property
    def item_traits(self) -> np.ndarray:
        """Each item's trait as its position in `TRAITS`, shape (items,)."""
        return np.array([TRAITS.index(item.trait) for item in self.items])

    @property
    def design(self) -> np.ndarray:
        """Target levels as ±1, shape (profiles, 5)."""
        return design_matrix(self.profiles)

    @property
    def targets(self) -> np.ndarray:
        """Target levels, high as True, shape (profiles, 5)."""
        return self.design > 0


def load_answers(path: Path) -> Answers:
    """Read an ``answers.parquet``.

    Raises
    ------
    ValueError
        If a column or an answer is missing, double or not a number, or a trait has no item.
    """
    table = pd.read_parquet(path)
    missing = [column for column in _COLUMNS if column not in table]
    if missing:
        raise ValueError(
            f"{path}: no column {', '.join(missing)}; found {', '.join(map(str, table.columns))}"
        )
    labels = ["profile", *Item._fields, *Form._fields]
    table[labels] = table[labels].astype(str)
    profiles = sorted({Profile.parse(label) for label in table["profile"]}, reverse=True)
    items = sorted({Item(*row) for row in _rows(table, Item._fields)})
    forms = sorted({Form(*row) for row in _rows(table, Form._fields)})
    _check_layout(path, table, profiles=profiles, items=items, forms=forms)
    positions = (
        table["item"].map({item.item: n for n, item in enumerate(items)}),
        table["form"].map({form.form: n for n, form in enumerate(forms)}),
        table["profile"].map({str(profile): n for n, profile in enumerate(profiles)}),
    )
    table = table.iloc[np.lexsort([position.to_numpy() for position in positions])]
    shape = (len(profiles), len(forms), len(items))
    numbers = table[list(_NUMBERS)].to_numpy(dtype=np.float64)
    if not np.isfinite(numbers).all():
        row = table.iloc[int(np.argmin(np.isfinite(numbers).all(axis=1)))]
        raise ValueError(
            f"{path}: the answer of {row['profile']} to item {row['item']} in form {row['form']} "
            "has a value that is not a finite number; answer this questionnaire again"
        )
    return Answers(
        profiles=tuple(profiles),
        forms=tuple(forms),
        items=tuple(items),
        options=numbers[:, :5].reshape(*shape, 5),
        mass=numbers[:, 5].reshape(shape),
        raw=numbers[:, 6].reshape(shape),
        y=numbers[:, 7].reshape(shape),
    )


def check_same_layout(run: Answers, base: Answers, *, context: str) -> None:
    """Raise ValueError unless both answered the same items in the same forms and profiles."""
    for what in ("profiles", "forms", "items"):
        if getattr(run, what) != getattr(base, what):
            raise ValueError(
                f"context {context}: the run and its base differ in their {what}, "
                "so their stability cannot be compared; answer both with the same settings"
            )


def _rows(table: pd.DataFrame, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    distinct = table[list(columns)].drop_duplicates()
    return list(distinct.itertuples(index=False, name=None))


def _check_layout(
    path: Path,
    table: pd.DataFrame,
    *,
    profiles: list[Profile],
    items: list[Item],
    forms: list[Form],
) -> None:
    for kind, rows in (("item", items), ("form", forms)):
        ids = [row[0] for row in rows]
        double = sorted({i for i in ids if ids.count(i) > 1})
        if double:
            raise ValueError(f"{path}: {kind} {double[0]} is described in more than one way")
    unknown = sorted({item.trait for item in items} ^ set(TRAITS))
    if unknown:
        raise ValueError(
            f"{path}: trait {unknown[0]} is unknown or has no item; "
            f"there must be items of {', '.join(TRAITS)}"
        )
    keyings = sorted({item.keyed for item in items} - {"plus", "minus"})
    if keyings:
        raise ValueError(f"{path}: keyed = {keyings[0]!r}; allowed are plus and minus")
    cells = len(profiles) * len(items) * len(forms)
    found = len(table[["profile", "item", "form"]].drop_duplicates())
    if found != len(table) or found != cells:
        raise ValueError(
            f"{path}: {len(table)} answers, {found} of them different, but {len(profiles)} "
            f"profiles × {len(forms)} forms × {len(items)} items are {cells}; "
            "each must be answered once"
        )
