"""Variance components against statsmodels' sums of squares and designs of known variances."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.anova import anova_lm

from mimic.stats.components import Component, Components, variance_components
from mimic.traits import balanced_profiles, design_matrix

DESIGN = design_matrix(balanced_profiles(16))
OWN, OTHER = DESIGN[:, 2], DESIGN[:, 0]
# Three variants of each of eight items over six wordings, balanced within items.
VARIANTS = np.array([np.random.default_rng(n).permutation([0, 0, 1, 1, 2, 2]) for n in range(8)])


def by_name(found: Components) -> dict[str, Component]:
    return {row.source: row for row in found.rows}


def on(axis: int, values: np.ndarray) -> np.ndarray:
    """Values along one axis of (profiles, items, wordings, formats, orders)."""
    shape = [1] * 5
    shape[axis] = len(values)
    return np.asarray(values).reshape(shape)


def random_scores(shape: tuple[int, int, int, int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(3, 1, shape)


def as_table(y: np.ndarray) -> pd.DataFrame:
    index = np.indices(y.shape).reshape(5, -1)
    table = pd.DataFrame(index.T, columns=["p", "i", "v", "f", "o"]).assign(y=y.ravel())
    for trait in range(5):
        table[f"x{trait}"] = DESIGN[table["p"], trait]
    return table


def test_sums_of_squares_are_those_of_statsmodels() -> None:
    y = random_scores((16, 3, 3, 2, 2))
    table = as_table(y)
    found = by_name(variance_components(y, DESIGN, 0))
    names = {"C(i)": "item", "C(v)": "wording", "C(f)": "format", "C(o)": "order"}
    names |= {"x0": "own target"}
    whole = anova_lm(smf.ols("y ~ (C(p) + C(i) + C(v) + C(f) + C(o))**2", table).fit())
    split = anova_lm(
        smf.ols(
            "y ~ (x0 + C(i) + C(v) + C(f) + C(o))**2 + (x1+x2+x3+x4)*(C(i)+C(v)+C(f)+C(o))", table
        ).fit()
    )
    for term, row in split.drop(index="Residual").iterrows():
        parts = str(term).split(":")
        if any(part in ("x1", "x2", "x3", "x4") for part in parts):
            continue
        mine = found[" × ".join(names[part] for part in parts)]
        assert mine.df == row["df"]
        assert mine.df * mine.mean_square == pytest.approx(row["sum_sq"])
    for rest in ("", ":C(i)", ":C(v)", ":C(f)", ":C(o)"):
        suffix = f" × {names[rest[1:]]}" if rest else ""
        other = found[f"other targets{suffix}"]
        squares = sum(split.loc[f"x{u}{rest}", "sum_sq"] for u in range(1, 5))
        assert other.df * other.mean_square == pytest.approx(squares)
        parts = [found[f"{part}{suffix}"] for part in ("own target", "target interactions")]
        everything = sum(row.df * row.mean_square for row in (*parts, other))
        assert everything == pytest.approx(whole.loc[f"C(p){rest}", "sum_sq"])
        assert sum(row.df for row in (*parts, other)) == whole.loc[f"C(p){rest}", "df"]
    assert found["residual"].df == whole.loc["Residual", "df"]
    assert found["residual"].mean_square == pytest.approx(whole.loc["Residual", "mean_sq"])


def test_rewording_is_what_variants_explain_beyond_item_and_wording() -> None:
    y = random_scores((16, 8, 6, 2, 1), seed=1)
    found = by_name(variance_components(y, DESIGN, 0, variants=VARIANTS))
    table = as_table(y)
    table["w"] = [f"{i}-{VARIANTS[i, v]}" for i, v in zip(table["i"], table["v"], strict=True)]

    def unexplained(*columns: str) -> tuple[float, int]:
        matrix = pd.get_dummies(table[list(columns)].astype(str)).to_numpy(dtype=float)
        solution, _, rank, _ = np.linalg.lstsq(matrix, table["y"].to_numpy(), rcond=None)
        return float(((table["y"] - matrix @ solution) ** 2).sum()), int(rank)

    before, small = unexplained("i", "v")
    after, large = unexplained("i", "v", "w")
    rewording, left = found["item rewording"], found["item × wording"]
    assert rewording.df == large - small
    assert rewording.df + left.df == 7 * 5
    assert rewording.df * rewording.mean_square == pytest.approx(before - after)
    plain = by_name(variance_components(y, DESIGN, 0))["item × wording"]
    both = rewording.df * rewording.mean_square + left.df * left.mean_square
    assert both == pytest.approx(plain.df * plain.mean_square)


def test_fixed_effects_alone_give_their_mean_squares() -> None:
    format_effect, order_effect = np.array([0.3, 0.0, -0.3]), np.array([0.05, -0.05])
    y = np.broadcast_to(
        3
        + on(0, 0.5 * OWN + 0.2 * OTHER + 0.1 * OWN * OTHER)
        + on(3, format_effect)
        + on(4, order_effect)
        + on(0, 0.04 * OWN) * on(4, np.array([1.0, -1.0])),
        (16, 4, 3, 3, 2),
    )
    rows = by_name(variance_components(y, DESIGN, 2))
    expected = {
        "own target": 0.25,
        "other targets": 0.04,
        "target interactions": 0.01,
        "format": 0.06,
        "order": 0.0025,
        "own target × order": 0.0016,
    }
    total = sum(expected.values())
    for name, row in rows.items():
        assert row.component == pytest.approx(expected.get(name, 0.0), abs=1e-12)
        assert row.share == pytest.approx(expected.get(name, 0.0) / total, abs=1e-12)
        assert not row.negative
    # The components of answers without a random part add up to their variance.
    assert total == pytest.approx(y.var())
    assert (rows["target interactions"].df, rows["target interactions × item"].df) == (10, 30)


def test_all_32_profiles_have_26_interactions() -> None:
    design = design_matrix(balanced_profiles(32))
    rows = variance_components(
        np.random.default_rng(0).normal(size=(32, 3, 2, 2, 2)), design, 4
    ).rows
    assert [row.df for row in rows[:3]] == [1, 4, 26]
    assert sum(row.df for row in rows) == 32 * 3 * 2 * 2 * 2 - 1
    assert sum(row.share for row in rows) == pytest.approx(1)


TRUTH = {
    "own target": 0.64,
    "other targets": 0.09,
    "target interactions": 0.04,
    "item": 0.25,
    "wording": 0.25,
    "format": 0.06,
    "order": 0.04,
    "own target × item": 0.09,
    "item rewording": 0.09,
    "item × wording": 0.0625,
    "item × order": 0.04,
    "wording × format": 0.06,
    "residual": 0.16,
}


def draw(generator: np.random.Generator) -> np.ndarray:
    """Answers of 16 profiles with the variances of `TRUTH`; mixed effects sum to 0."""

    def normal(sd: float, *shape: int) -> np.ndarray:
        return generator.normal(0, sd, shape)

    by_format = normal(0.3, 1, 1, 6, 3, 1)
    rewording = np.take_along_axis(normal(0.3, 8, 3), VARIANTS, axis=1)
    return np.asarray(
        3
        + on(0, 0.8 * OWN + 0.3 * OTHER + 0.2 * OWN * OTHER)
        + normal(0.5, 1, 8, 1, 1, 1)
        + normal(0.5, 1, 1, 6, 1, 1)
        + on(3, np.array([0.3, 0.0, -0.3]))
        + on(4, np.array([0.2, -0.2]))
        + on(0, OWN) * normal(0.3, 1, 8, 1, 1, 1)
        + (rewording + normal(0.25, 8, 6))[None, :, :, None, None]
        + on(4, np.array([1.0, -1.0])) * normal(0.2, 1, 8, 1, 1, 1)
        + (by_format - by_format.mean(axis=3, keepdims=True))
        + normal(0.4, 16, 8, 6, 3, 2)
    )


def test_known_variances_are_recovered_on_average() -> None:
    generator = np.random.default_rng(7)
    runs = [
        by_name(variance_components(draw(generator), DESIGN, 2, variants=VARIANTS))
        for _ in range(200)
    ]
    for name in runs[0]:
        found = np.array([run[name].component for run in runs])
        if name in TRUTH:
            # Four standard errors of the mean, and those must be small.
            error = found.std(ddof=1) / np.sqrt(len(found))
            assert found.mean() == pytest.approx(TRUTH[name], abs=4 * error), name
            assert error < 0.1 * TRUTH[name], name
        else:
            # Setting negative estimates to 0 leaves a little above it.
            assert found.mean() < 0.002, name
            assert 0.2 < np.mean([run[name].negative for run in runs]) < 0.8, name


def test_rewording_alone_is_not_taken_for_items_or_wordings() -> None:
    # An item's mean and a wording's hold the variants that they happen to have.
    generator = np.random.default_rng(8)
    runs = []
    for _ in range(200):
        effects = np.take_along_axis(generator.normal(size=(8, 3)), VARIANTS, axis=1)
        y = effects[None, :, :, None, None] + generator.normal(0, 0.1, (16, 8, 6, 2, 1))
        runs.append(by_name(variance_components(y, DESIGN, 0, variants=VARIANTS)))
    for name in ("item", "wording"):
        assert 0.3 < np.mean([run[name].negative for run in runs]) < 0.8
    assert np.mean([run["item rewording"].component for run in runs]) == pytest.approx(1, abs=0.1)


def test_negative_estimates_are_zero_and_marked() -> None:
    # Item and wording cancel in their means; only their interaction is there.
    signs = np.array([1.0, -1.0])
    y = np.broadcast_to(3 + on(1, signs) * on(2, signs), (16, 2, 2, 2, 2))
    rows = by_name(variance_components(y, DESIGN, 0))
    for name in ("item", "wording"):
        assert (rows[name].component, rows[name].share, rows[name].negative) == (0.0, 0.0, True)
    assert not rows["order"].negative
    # A sum of squares of 1 in each cell, on one degree of freedom instead of four.
    assert rows["item × wording"].component == pytest.approx(4.0)
    assert rows["item × wording"].share == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("shape", "gone"),
    [
        ((16, 3, 1, 2, 2), ["wording"]),
        ((16, 3, 2, 2, 1), ["order"]),
        ((16, 1, 1, 2, 2), ["item", "wording"]),
    ],
)
def test_a_factor_with_one_level_drops_out(
    shape: tuple[int, int, int, int, int], gone: list[str]
) -> None:
    found = variance_components(random_scores(shape), DESIGN, 1)
    assert found.notes == tuple(f"one {name} only, so that {name} drops out" for name in gone)
    assert not [row.source for row in found.rows if any(name in row.source for name in gone)]
    assert sum(row.df for row in found.rows) == np.prod(shape) - 1
    assert found.rows[-1].source == "residual"


def test_with_items_alone_their_interaction_with_profiles_is_the_residual() -> None:
    y = random_scores((16, 4, 1, 1, 1))
    found = variance_components(y, DESIGN, 0)
    assert [row.source for row in found.rows] == [
        "own target",
        "other targets",
        "target interactions",
        "item",
        "residual",
    ]
    table = y[:, :, 0, 0, 0]
    left = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    assert found.rows[-1].mean_square == pytest.approx((left**2).sum() / 45)
    of_items = 16 * table.mean(axis=0).var(ddof=1)
    assert found.rows[3].mean_square == pytest.approx(of_items)
    assert found.rows[3].component == pytest.approx(
        max(0.0, (of_items - found.rows[-1].mean_square) / 16)
    )


def test_nothing_to_estimate_is_a_note() -> None:
    alone = variance_components(random_scores((16, 1, 1, 1, 1)), DESIGN, 0)
    assert alone.rows == ()
    assert alone.notes[-1] == "profiles alone leave no residual"
    constant = variance_components(np.full((16, 3, 2, 2, 2), 3.0), DESIGN, 0)
    assert constant == Components((), ("the answers do not vary",))


def test_what_the_variants_cannot_tell_is_a_note() -> None:
    y = random_scores((16, 3, 4, 2, 2))
    plain = variance_components(y, DESIGN, 0)
    one = variance_components(y, DESIGN, 0, variants=np.zeros((3, 4), dtype=int))
    assert one.rows == plain.rows
    assert one.notes == ("each item in one variant, so that item rewording drops out",)
    every = variance_components(y, DESIGN, 0, variants=np.tile(np.arange(4), (3, 1)))
    rows = by_name(every)
    assert "item × wording" not in rows
    assert rows["item rewording"].mean_square == pytest.approx(
        by_name(plain)["item × wording"].mean_square
    )
    assert rows["item rewording"].component == pytest.approx(
        by_name(plain)["item × wording"].component
    )
    assert every.notes == (
        "wordings share no variants, so that item rewording and item × wording are one component",
    )
    lone = variance_components(y[:, :1], DESIGN, 0, variants=np.array([[0, 0, 1, 1]]))
    assert lone.notes[-1] == "one item, so that item rewording is part of wording"


def test_eight_profiles_do_not_tell_interactions_from_effects() -> None:
    # A quarter fraction: A = OC, N = OE.
    o, c, e = (level.ravel() for level in np.meshgrid([1, -1], [1, -1], [1, -1], indexing="ij"))
    quarter = np.column_stack([o, c, e, o * c, o * e]).astype(float)
    found = variance_components(random_scores((8, 3, 2, 2, 2)), quarter, 0)
    assert found.notes == ("8 profiles do not tell the effects of targets from their interactions",)
    assert [row.df for row in found.rows[:3]] == [1, 4, 2]


def test_scores_that_do_not_fit_are_refused() -> None:
    y = random_scores((16, 3, 2, 2, 2))
    missing = y.copy()
    missing[0, 0, 0, 1] = np.nan
    refused: list[tuple[Callable[[], Components], str]] = [
        (lambda: variance_components(y[0], DESIGN, 0), "there must be scores"),
        (lambda: variance_components(y, DESIGN, 5), "a trait from 0 to 4"),
        (lambda: variance_components(missing, DESIGN, 0), "2 of 384 answers are missing"),
        (lambda: variance_components(y[:15], DESIGN[:15], 0), "15 profiles are not balanced"),
        (
            lambda: variance_components(y, DESIGN, 0, variants=np.zeros((2, 3))),
            "one for each of 3 items and 2 wordings",
        ),
    ]
    for call, words in refused:
        with pytest.raises(ValueError, match=words):
            call()
