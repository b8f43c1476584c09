"""Figures of answers in words, on respondents whose options are known."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mimic.metrics import protocols
from mimic.metrics.protocols import generated_figures
from mimic.metrics.resampling import Resampling
from mimic.questionnaire.protocols import item_scores, trait_scores
from mimic.stats.bootstrap import Form, Item, crossed_draws
from mimic.traits import ALL_PROFILES, TRAITS, Profile, balanced_profiles

FAST = Resampling(draws=200, permutations=999, seed=1)
NORMS, PUBLISHED = "norms of the original form", "3.0, as published"
# An option from 1 (most like me) to 5, or 0, for a level ±1 of an item's trait and a keying ±1.
Respondent = Callable[[int, int], int]


def perfect(level: int, keying: int) -> int:
    return 3 - 2 * level * keying


def measured(
    folder: Path,
    respondent: Respondent,
    *,
    profiles: tuple[Profile, ...] = balanced_profiles(16),
    norms: float = 3.0,
    lone_clusters: bool = False,
    per_trait: int = 4,
) -> dict[str, Any]:
    """Four items of each trait, or so many, in three formats, each item a cluster of its own."""
    rows = [
        {
            "profile": str(profile),
            "item": f"{trait}{n}",
            "trait": trait,
            "keyed": "plus" if n % 2 == 0 else "minus",
            "cluster": f"{trait}{n % 2 if lone_clusters else n}",
            "form": form,
            "format": form,
            "option": (option := respondent(1 if high else -1, 1 if n % 2 == 0 else -1)),
            "reason": "" if option else "no option",
        }
        for profile in profiles
        for form in ("s1", "s2", "s3")
        for trait, high in zip(TRAITS, profile.levels, strict=True)
        for n in range(per_trait)
    ]
    path = folder / "generated.parquet"
    pd.DataFrame(rows).to_parquet(path)
    cuts = {NORMS: np.full(5, norms), PUBLISHED: np.full(5, 3.0)}
    found = generated_figures(path, ["released", "corrected"], cuts=cuts, resampling=FAST)
    json.dumps(found, allow_nan=False)
    return found


def test_a_perfect_respondent_is_inverted_by_the_released_code(tmp_path: Path) -> None:
    found = measured(tmp_path, perfect)
    assert found["constant_profile"] == 1 / 16
    released, corrected = (found["protocols"][name] for name in ("released", "corrected"))
    assert corrected["exact_match"]["hits"] == corrected["exact_match"]["cells"] == 48
    assert corrected["exact_match"]["p_value"] == 1 / 1000
    assert corrected["mean_auc"]["value"] == 1
    assert released["exact_match"]["value"] == 0
    assert released["exact_match"]["p_value"] == 1
    assert {area["value"] for area in released["auc"].values()} == {0}
    # At 0 and 1 the draws say nothing: profiles are the trials.
    assert corrected["exact_match"]["interval"] == "wilson of 16 profiles"


@pytest.mark.parametrize("option", [1, 3, 5])
def test_a_constant_respondent_gets_the_constant_share_and_no_evidence(
    tmp_path: Path, option: int
) -> None:
    four = (ALL_PROFILES[0], ALL_PROFILES[5], ALL_PROFILES[26], ALL_PROFILES[31])
    found = measured(tmp_path, lambda level, keying: option, profiles=four)
    assert found["constant_profile"] == 1 / 4
    for figures in found["protocols"].values():
        # Balanced keying: every trait at 3, which is high; the all-high profile is one of the four.
        assert figures["exact_match"]["value"] == pytest.approx(1 / 4)
        assert figures["exact_match"]["p_value"] == 1
        assert figures["mean_auc"]["value"] == 0.5


def test_nothing_parsed_is_low_when_released_and_undecided_when_corrected(tmp_path: Path) -> None:
    found = measured(tmp_path, lambda level, keying: 0)
    assert found["unparsed"] == {"no option": 16 * 3 * 20}
    released, corrected = (found["protocols"][name] for name in ("released", "corrected"))
    assert released["mean_auc"]["value"] == 0.5
    assert corrected["exact_match"]["value"] == 0
    assert corrected["undecided"] == 1
    assert corrected["mean_auc"]["value"] is None
    assert "could be read" in corrected["auc"]["openness"]["reason"]


def test_corrected_has_the_norms_cut_too_and_released_has_not(tmp_path: Path) -> None:
    # High targets reach 3.5.
    weak = measured(
        tmp_path,
        lambda level, keying: 3 if keying < 0 else 3 - level,
        profiles=ALL_PROFILES,
        norms=3.6,
    )
    released, corrected = (weak["protocols"][name] for name in ("released", "corrected"))
    assert released["other_cuts"] == {}
    assert corrected["exact_match"]["value"] == 1
    at_norms = corrected["other_cuts"][NORMS]
    # All is low there.
    assert at_norms["exact_match"]["value"] == pytest.approx(1 / 32)
    assert at_norms["exact_match"]["p_value"] == 1
    assert at_norms["accuracy"]["openness"]["value"] == pytest.approx(0.5)


def unsure(seed: int) -> Respondent:
    generator = np.random.default_rng(seed)
    return lambda level, keying: int(
        np.clip(round(3 - level * keying + generator.normal(0, 1.8)), 1, 5)
    )


def uneven(per_trait: int) -> Respondent:
    """Four kinds of items that each profile answers otherwise, in turn: scores don't depend on how
    many there are."""
    effects = np.random.default_rng(3).normal(0, 1.5, (16, 5, 4))
    calls = itertools.count()

    def answer(level: int, keying: int) -> int:
        cell, place = divmod(next(calls), 5 * per_trait)
        trait, item = divmod(place, per_trait)
        like_me = 0.8 * level + effects[cell // 3, trait, item % 4]
        return int(np.clip(round(3 - like_me * keying), 1, 5))

    return answer


def test_areas_have_intervals_over_item_clusters(tmp_path: Path) -> None:
    few, again, many = (measured(tmp_path, uneven(n), per_trait=n) for n in (4, 4, 16))
    assert few == again
    for found in (few, many):
        released, corrected = (found["protocols"][name] for name in ("released", "corrected"))
        for name in ("mean_auc", *TRAITS):
            own, inverted = (
                figures["mean_auc"] if name == "mean_auc" else figures["auc"][name]
                for figures in (corrected, released)
            )
            assert own["interval"] in ("crossed bootstrap", "wilson of 16 profiles")
            assert own["n"] == 16
            assert 0 <= own["low"] <= own["value"] <= own["high"] <= 1
            # The same answers in the other direction.
            assert inverted["value"] == pytest.approx(1 - own["value"])
            assert inverted["low"] == pytest.approx(1 - own["high"])
    of_few, of_many = (found["protocols"]["corrected"]["mean_auc"] for found in (few, many))
    assert of_few["value"] == pytest.approx(of_many["value"])
    assert of_few["high"] - of_few["low"] > 1.5 * (of_many["high"] - of_many["low"])


def test_intervals_let_item_clusters_vary(tmp_path: Path) -> None:
    found = measured(tmp_path, unsure(3))
    assert found["notes"][0] == "format s1 has one instruction wording, which cannot vary"
    match = found["protocols"]["corrected"]["exact_match"]
    assert match["interval"] == "crossed bootstrap"
    assert match["low"] < match["value"] < match["high"]
    assert match["p_value"] < 0.05
    fixed = measured(tmp_path, unsure(3), lone_clusters=True)["protocols"]["corrected"]
    for one in (fixed["exact_match"], fixed["mean_auc"]):
        assert one["value"] is not None
        assert one["low"] is None
        assert "can vary" in one["reason"]


@pytest.mark.parametrize("protocol", ["released", "corrected"])
def test_draws_of_weight_one_give_the_scores_themselves(protocol: Any) -> None:
    items = [Item(f"{t}{n}", t, "plus", f"{t}{n}") for t in TRAITS for n in range(3)]
    draws = crossed_draws(
        items=items, forms=[Form("s1", "s1", "published", "published")], draws=50, seed=1
    )
    option = np.random.default_rng(1).integers(0, 6, (4, 1, 15))
    option[0, 0, :3] = 0
    asked = protocols._Asked(option, items, np.ones((4, 5), dtype=bool), draws)
    y = item_scores(option, np.ones(15, dtype=bool), protocol=protocol)
    drawn = protocols._drawn_scores(y, asked, protocol)
    expected = trait_scores(y, asked.item_traits, protocol=protocol)
    # Of the three blocks the second lets forms vary alone.
    assert np.array_equal(drawn[50], expected, equal_nan=True)
    assert not np.array_equal(drawn[0], expected, equal_nan=True)


def test_a_missing_answer_is_refused(tmp_path: Path) -> None:
    measured(tmp_path, perfect)
    path = tmp_path / "generated.parquet"
    pd.read_parquet(path).iloc[1:].to_parquet(path)
    cuts = {PUBLISHED: np.full(5, 3.0)}
    with pytest.raises(ValueError, match=r"959 answers, but 16 profiles × 3 formats × 20 items"):
        generated_figures(path, ["released"], cuts=cuts, resampling=FAST)
