"""Figures of texts, on made-up readings of a judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mimic.metrics.resampling import Resampling
from mimic.metrics.texts import load_probabilities, text_exact_match, text_figures
from mimic.metrics.withheld import withheld_texts
from mimic.traits import TRAITS, balanced_profiles, withheld_profiles

FAST = Resampling(draws=200, permutations=999, seed=1)


def texts_of(*, samples: int, fits: bool = True, profiles: int = 16) -> pd.DataFrame:
    rows = []
    for profile in balanced_profiles(profiles):
        for situation in ("letter", "trip"):
            for sample in range(samples):
                levels = [high if fits else not high for high in profile.levels]
                rows.append(
                    {
                        "id": f"{profile}-{situation}-{sample}",
                        "profile": str(profile),
                        "situation": situation,
                        "sample": sample,
                        "copied": 0,
                        "deleted": 0,
                        **dict(zip(TRAITS, np.where(levels, 0.8, 0.3), strict=True)),
                    }
                )
    return pd.DataFrame(rows)


def test_texts_that_fit_and_that_do_not() -> None:
    found = text_figures(texts_of(samples=2), FAST)
    assert found["texts"] == found["exact_match"]["hits"] == 64
    assert (found["profiles"], found["situations"]) == (16, 2)
    assert found["exact_match"]["value"] == pytest.approx(1)
    assert found["exact_match"]["p_value"] == 1 / 1000
    assert found["mean_auc"]["value"] == 1
    assert found["copied_exact_match"] is None
    inverted = text_figures(texts_of(samples=2, fits=False), FAST)
    assert inverted["exact_match"]["p_value"] == 1
    assert inverted["mean_auc"]["value"] == 0


def test_a_writer_of_one_text_is_at_chance() -> None:
    texts = texts_of(samples=2, profiles=32)
    texts[list(TRAITS)] = [0.9, 0.1, 0.5, 0.2, 0.7]
    found = text_figures(texts, FAST)
    assert found["exact_match"]["value"] == pytest.approx(1 / 32)
    assert found["exact_match"]["p_value"] == 1
    assert found["mean_auc"]["value"] == 0.5


def test_intervals_of_texts_by_how_many_there_are() -> None:
    many = texts_of(samples=4)
    many.loc[::3, "openness"] = 0.5
    found = text_figures(many, FAST)["exact_match"]
    assert found["interval"] == "text bootstrap"
    assert found["low"] < found["value"] < found["high"]
    single = text_figures(texts_of(samples=1), FAST)
    assert single["exact_match"]["low"] is None
    assert "one text" in single["exact_match"]["reason"]
    one_each = text_figures(texts_of(samples=1).query("situation == 'trip'"), FAST)
    assert one_each["exact_match"]["interval"] == "wilson"
    assert one_each["exact_match"]["n"] == 16
    assert one_each["mean_auc"]["low"] is None


def test_texts_for_withheld_profiles_have_intervals_from_the_draws_of_all() -> None:
    texts = texts_of(samples=4, profiles=32)
    texts.loc[::3, "openness"] = 0.5
    texts.loc[:9, "copied"] = 1
    found = withheld_texts(texts, FAST)
    assert found == withheld_texts(texts, FAST)
    whole = text_figures(texts, FAST)["exact_match"]
    for part in found.values():
        assert part["interval"] == "text bootstrap"
        assert part["low"] < part["value"] < part["high"]
        assert part["value"] == pytest.approx(part["hits"] / part["texts"])
        assert part["n"] == part["texts"]
        # Fewer texts than all.
        assert part["high"] - part["low"] > whole["high"] - whole["low"]
    assert sum(part["hits"] for part in found.values()) == whole["hits"]
    widths = {name: part["high"] - part["low"] for name, part in found.items()}
    assert widths["withheld"] > widths["others"]


def test_what_texts_for_withheld_profiles_rest_on_leaves_copies_out() -> None:
    texts = texts_of(samples=2)
    # Of the first profile, which is withheld, all but one of four texts are copies.
    first = texts["profile"] == texts["profile"][0]
    texts.loc[first & (texts.index > 0), "copied"] = 1
    targets = withheld_texts(texts, FAST)["withheld"]["targets"]
    assert (targets["profiles"], targets["constant_profile"]) == (4, pytest.approx(4 / 13))
    assert targets["high"] == dict.fromkeys(TRAITS, 2) | {"openness": 4}
    texts.loc[first, "copied"] = 1
    assert withheld_texts(texts, FAST)["withheld"]["targets"]["profiles"] == 3


def test_parts_of_the_texts_that_have_none_or_one_each() -> None:
    texts = texts_of(samples=1, profiles=32)
    assert "one text for each" in withheld_texts(texts, FAST)["withheld"]["reason"]
    one_each = withheld_texts(texts.query("situation == 'trip'"), FAST)["others"]
    assert (one_each["interval"], one_each["n"]) == ("wilson", 24)
    aimed_at = ~texts["profile"].isin([str(profile) for profile in withheld_profiles()])
    without = withheld_texts(texts[aimed_at], FAST)["withheld"]
    assert (without["value"], without["reason"]) == (None, "no text for such a profile")
    copies = withheld_texts(texts.assign(copied=1), FAST)
    assert {(part["value"], part["texts"]) for part in copies.values()} == {(None, 0)}


def test_cells_left_with_one_text_are_noted() -> None:
    texts = texts_of(samples=2)
    assert text_figures(texts, FAST)["notes"] == []
    texts.loc[[0, 4, 5], "copied"] = 1
    # Of texts 4 and 5 both are copies, of 0 and 1 one is.
    assert text_figures(texts, FAST)["notes"] == [
        "1 of 31 cells of profile and situation have one text, which cannot vary"
    ]
    # Where no cell can vary, the figures themselves say so.
    assert text_figures(texts_of(samples=1), FAST)["notes"] == []


def test_copied_texts_are_judged_separately() -> None:
    texts = texts_of(samples=2)
    texts.loc[:9, list(TRAITS)] = 1 - texts.loc[:9, list(TRAITS)]
    texts.loc[:9, "copied"] = 1
    found = text_figures(texts, FAST)
    assert found["copied"] == 10
    assert found["exact_match"]["n"] == 54
    assert found["exact_match"]["value"] == pytest.approx(1) == text_exact_match(texts)
    assert found["copied_exact_match"]["value"] == 0
    everything = text_figures(texts.assign(copied=1), FAST)
    assert everything["exact_match"]["value"] is None
    assert everything["exact_match"]["reason"] == "no texts"
    assert text_exact_match(texts.assign(copied=1)) is None


def test_wrong_probabilities_are_refused_in_words(tmp_path: Path) -> None:
    path, texts = tmp_path / "probabilities.csv", texts_of(samples=1)
    for changed, message in (
        (texts.drop(columns="copied"), "no column copied"),
        (pd.concat([texts, texts.iloc[:1]]), "more than once"),
        (texts.assign(neuroticism=1.2), "outside 0 to 1"),
        (texts.assign(neuroticism=np.nan), "outside 0 to 1"),
    ):
        changed.to_csv(path, index=False)
        with pytest.raises(ValueError, match=message):
            load_probabilities(path)
