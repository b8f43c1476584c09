"""Reading a run's answers into arrays."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mimic.files import read_json
from mimic.forms.splits import TRAIN
from mimic.stats.bootstrap import Form, Item
from mimic.traits import TRAITS, Profile, design_matrix

_NUMBERS = ("p1", "p2", "p3", "p4", "p5", "mass", "raw", "y")
_COLUMNS = ("subject", "profile", "variant", *Item._fields, *Form._fields, *_NUMBERS)


@dataclass(frozen=True)
class Answers:
    """One run's answers in one context; every item was answered for every subject in every form.

    Attributes
    ----------
    subjects, forms, items
        What the axes of the arrays stand for: targets or essays, from the profile that is all high
        to all low; forms and items sorted.
    profiles
        The profile that each subject is scored against.
    variants
        The number of the item's wording, 0 for the original, shape (forms, items).
    options
        Probability of each agreement 1 to 5, unnormalised, shape (subjects, forms, items, 5).
    mass
        Their sums, shape (subjects, forms, items).
    raw
        Mean agreement, shape (subjects, forms, items).
    y
        Item scores, `raw` or 6 − `raw`, shape (subjects, forms, items); the middle where there is
        no mass.
    """

    subjects: tuple[str, ...]
    profiles: tuple[Profile, ...]
    forms: tuple[Form, ...]
    items: tuple[Item, ...]
    variants: np.ndarray
    options: np.ndarray
    mass: np.ndarray
    raw: np.ndarray
    y: np.ndarray

    @property
    def decided(self) -> np.ndarray:
        """`y` as decisions take it; see `as_decided`."""
        return self.as_decided(self.y)

    def as_decided(self, y: np.ndarray) -> np.ndarray:
        """Item scores of these answers, made in whatever way, as decisions take them.

        NaN, which is no answer, where no option has any mass.
        """
        return np.where(self.mass > 0, y, math.nan)

    @property
    def item_traits(self) -> np.ndarray:
        """Each item's trait as its position in `TRAITS`, shape (items,)."""
        return np.array([TRAITS.index(item.trait) for item in self.items])

    @property
    def design(self) -> np.ndarray:
        """Levels to score against as ±1, shape (subjects, 5)."""
        return design_matrix(self.profiles)

    @property
    def targets(self) -> np.ndarray:
        """Levels to score against, high as True, shape (subjects, 5)."""
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
    labels = ["subject", "profile", *Item._fields, *Form._fields]
    table[labels] = table[labels].astype(str)
    found = _rows(table, ("profile", "subject"))
    # The profile that is all high comes first, a profile's own subjects by name.
    by_name = sorted(found, key=lambda row: row[1])
    ordered = sorted(by_name, key=lambda row: Profile.parse(row[0]), reverse=True)
    subjects = [subject for _, subject in ordered]
    items = sorted({Item(*row) for row in _rows(table, Item._fields)})
    forms = sorted({Form(*row) for row in _rows(table, Form._fields)})
    _check_layout(path, table, subjects=subjects, items=items, forms=forms)
    positions = (
        table["item"].map({item.item: n for n, item in enumerate(items)}),
        table["form"].map({form.form: n for n, form in enumerate(forms)}),
        table["subject"].map({subject: n for n, subject in enumerate(subjects)}),
    )
    table = table.iloc[np.lexsort([position.to_numpy() for position in positions])]
    shape = (len(subjects), len(forms), len(items))
    numbers = table[list(_NUMBERS)].to_numpy(dtype=np.float64)
    if not np.isfinite(numbers).all():
        row = table.iloc[int(np.argmin(np.isfinite(numbers).all(axis=1)))]
        raise ValueError(
            f"{path}: the answer of {row['subject']} to item {row['item']} in form {row['form']} "
            "has a value that is not a finite number; answer this questionnaire again"
        )
    variants = table["variant"].to_numpy(dtype=np.int64).reshape(shape)
    if (variants != variants[0]).any():
        raise ValueError(f"{path}: an item's words in a form differ between subjects")
    return Answers(
        subjects=tuple(subjects),
        profiles=tuple(Profile.parse(label) for label, _ in ordered),
        forms=tuple(forms),
        items=tuple(items),
        variants=variants[0],
        options=numbers[:, :5].reshape(*shape, 5),
        mass=numbers[:, 5].reshape(shape),
        raw=numbers[:, 6].reshape(shape),
        y=numbers[:, 7].reshape(shape),
    )


@dataclass(frozen=True)
class Trained:
    """What of a questionnaire a run trained on; nothing without Essays+Q.

    Attributes
    ----------
    clusters
        Item clusters in its training prompts.
    formats
        Formats that training on items may use.
    """

    clusters: frozenset[str] = frozenset()
    formats: frozenset[str] = frozenset()


def held_out(answers: Answers, trained: Trained) -> Answers:
    """The answers to items of other clusters than trained ones, in formats held out of training.

    All of them where a run trained on no items.

    Raises
    ------
    ValueError
        If a trait has no such item, or there is no such format.
    """
    if not trained.clusters:
        return answers
    items = np.array([item.cluster not in trained.clusters for item in answers.items])
    left = {item.trait for item, kept in zip(answers.items, items, strict=True) if kept}
    lacking = [trait for trait in TRAITS if trait not in left]
    if lacking:
        raise ValueError(
            f"the run trained on all items of {lacking[0]}, so that none is held out; ask a longer "
            "questionnaire.instrument"
        )
    return part_of(answers, forms=held_out_forms(answers, trained), items=items)


def held_out_forms(answers: Answers, trained: Trained) -> np.ndarray:
    """Which forms have a format that training on items may not use, shape (forms,).

    Raises
    ------
    ValueError
        If there is none.
    """
    forms = np.array([form.format not in trained.formats for form in answers.forms])
    if not forms.any():
        asked = sorted({form.format for form in answers.forms})
        raise ValueError(
            f"the run trained on items, and the formats that it was asked in ({', '.join(asked)}) "
            "are all among forms.trained_formats, so that none is held out; ask one more in "
            "forms.formats"
        )
    return forms


def part_of(answers: Answers, *, forms: np.ndarray, items: np.ndarray) -> Answers:
    """The answers in some forms and to some items: booleans of all, shapes (forms,), (items,)."""
    rows, columns = np.flatnonzero(forms), np.flatnonzero(items)

    def cut(values: np.ndarray) -> np.ndarray:
        return values[:, rows][:, :, columns]

    return dataclasses.replace(
        answers,
        forms=tuple(answers.forms[n] for n in rows),
        items=tuple(answers.items[n] for n in columns),
        variants=answers.variants[rows][:, columns],
        options=cut(answers.options),
        mass=cut(answers.mass),
        raw=cut(answers.raw),
        y=cut(answers.y),
    )


def trained_on(manifests: Sequence[Path], splits: Sequence[Path]) -> Trained:
    """What a run trained on, from its training data and ``splits.json``; no files without Essays+Q.

    Parameters
    ----------
    manifests
        Of its training data.
    splits
        What the forms stage says of formats.
    """
    return Trained(
        clusters=frozenset(
            cluster
            for manifest in manifests
            for cluster in read_json(manifest.with_name("items.json"))["clusters"]
        ),
        formats=frozenset(
            name
            for path in splits
            for name, part in read_json(path)["formats"].items()
            if part == TRAIN
        ),
    )


def check_same_layout(run: Answers, base: Answers, *, context: str) -> None:
    """Raise ValueError unless both answered the same items in the same forms and subjects."""
    for what in ("subjects", "profiles", "forms", "items", "variants"):
        if not np.array_equal(getattr(run, what), getattr(base, what)):
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
    subjects: list[str],
    items: list[Item],
    forms: list[Form],
) -> None:
    for kind, ids in (
        ("subject", subjects),
        ("item", [item.item for item in items]),
        ("form", [form.form for form in forms]),
    ):
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
    cells = len(subjects) * len(items) * len(forms)
    found = len(table[["subject", "item", "form"]].drop_duplicates())
    if found != len(table) or found != cells:
        raise ValueError(
            f"{path}: {len(table)} answers, {found} of them different, but {len(subjects)} "
            f"subjects × {len(forms)} forms × {len(items)} items are {cells}; "
            "each must be answered once"
        )
