"""Figures of contexts and the study's checks, on synthetic respondents."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic_answers import answers_of, at_random, constant, follows, noisy

from mimic.metrics.answers import Answers, check_same_layout, load_answers
from mimic.metrics.baselines import by_source, constant_share, modal_profile, target_counts
from mimic.metrics.numbers import rounded
from mimic.metrics.questionnaire import acquiescence, order_asymmetry, questionnaire_figures
from mimic.metrics.resampling import Resampling
from mimic.metrics.study import judge_check, learning_checks, mass_checks
from mimic.questionnaire.protocols import protocol_figures
from mimic.traits import TRAITS, Profile, balanced_profiles, design_matrix, withheld_profiles

FAST = Resampling(draws=200, permutations=999, seed=1)
CUTS = {"3.0, as published": np.full(5, 3.0)}


def figures(answers: Answers, base: Answers | None = None) -> dict[str, Any]:
    found = questionnaire_figures(answers, base, cuts=CUTS, resampling=FAST)
    json.dumps(found, allow_nan=False)
    return found


@pytest.mark.parametrize("profiles", [16, 32])
def test_perfect_respondent(profiles: int) -> None:
    found = figures(answers_of(follows(2), profiles=profiles))
    assert found["exact_match"]["value"] == pytest.approx(1)
    assert found["exact_match"]["p_value"] == 1 / 1000
    assert found["exact_match"]["cells"] == found["exact_match"]["hits"] == 12 * profiles
    assert found["exact_match_averaged"]["hits"] == profiles
    assert found["mean_auc"]["value"] == 1
    assert all(t["signal"] == pytest.approx(2) for t in found["stability"]["traits"].values())
    assert found["stability"]["reduction"] is None
    assert found["stability"]["more_stable"] is None


def test_profiles_that_are_withheld_have_a_figure_of_their_own() -> None:
    answers = answers_of(follows(2), profiles=32)
    withheld = [profile in withheld_profiles() for profile in answers.profiles]
    y = np.where(np.array(withheld)[:, None, None], 1.0, answers.y)
    found = figures(dataclasses.replace(answers, y=y))["withheld"]
    counts = {name: (part["profiles"], part["hits"]) for name, part in found.items()}
    # One of the eight has low targets alone, as low scores fit.
    assert counts == {"withheld": (8, 12 * lowest()), "others": (24, 12 * 24)}
    assert found["others"]["low"] > 0.8 > found["withheld"]["high"]
    balanced = {"profiles": 8, "constant_profile": 1 / 8, "high": dict.fromkeys(TRAITS, 4)}
    assert found["withheld"]["targets"] == balanced
    others = {"profiles": 24, "constant_profile": 1 / 24, "high": dict.fromkeys(TRAITS, 12)}
    assert found["others"]["targets"] == others


@pytest.mark.parametrize(("levels", "matched"), [("O-C-E+A+N+", (0, 1)), ("O+C+E+A+N+", (1, 0))])
def test_of_sixteen_profiles_the_withheld_ones_are_told_by_openness(
    levels: str, matched: tuple[int, int]
) -> None:
    """One and the same profile for all gets what the page shows beside it, in one of the parts."""
    answers = answers_of(follows(2))
    constant_profile = design_matrix([Profile.parse(levels)])[0][answers.item_traits]
    y = np.broadcast_to(3 + 2 * constant_profile, answers.y.shape)
    found = figures(dataclasses.replace(answers, y=y))["withheld"]
    half = dict.fromkeys(TRAITS, 2)
    assert found["withheld"]["targets"]["high"] == half | {"openness": 4}
    assert found["others"]["targets"]["high"] == dict.fromkeys(TRAITS, 6) | {"openness": 4}
    shares = [found[name]["targets"]["constant_profile"] for name in ("withheld", "others")]
    assert shares == [1 / 4, 1 / 12]
    for name, share, is_hit in zip(("withheld", "others"), shares, matched, strict=True):
        assert found[name]["value"] == pytest.approx(share * is_hit)


def test_what_a_part_of_the_profiles_is() -> None:
    found = target_counts(["O+C+E-A+N-", "O-C+E-A+N-", "O+C+E-A+N-"])
    assert found == {
        "profiles": 2,
        "constant_profile": 2 / 3,
        "high": dict(zip(TRAITS, (1, 2, 0, 2, 0), strict=True)),
    }


def uneven(levels: np.ndarray, keys: np.ndarray, size: tuple[int, int, int]) -> np.ndarray:
    """Four kinds of items that each profile answers otherwise, in turn: scores don't depend on how
    many there are."""
    effects = np.random.default_rng(3).normal(0, 0.6, (size[0], 1, 5, 4))
    of_items = np.tile(effects, size[2] // 20).reshape(size[0], 1, size[2])
    return 3 + keys * np.clip(0.5 * levels + of_items, -2, 2)


def at_another_cut(answers: Answers) -> dict[str, Any]:
    cuts = {"norms": np.full(5, 3.2), **CUTS}
    found = questionnaire_figures(answers, None, cuts=cuts, resampling=FAST)
    other: dict[str, Any] = found["other_cuts"]["3.0, as published"]
    return other


def test_another_cut_has_the_interval_that_it_has_as_the_primary_one() -> None:
    answers = answers_of(noisy(strength=0.3, sd=0.8, seed=1))
    found = at_another_cut(answers)
    assert found == figures(answers)["exact_match"] == at_another_cut(answers)
    assert found["interval"] == "crossed bootstrap"
    assert found["low"] < found["value"] < found["high"]
    assert found["value"] == pytest.approx(found["hits"] / found["cells"])
    few, many = (at_another_cut(answers_of(uneven, per_trait=n)) for n in (4, 16))
    assert few["hits"] == many["hits"]
    assert few["high"] - few["low"] > 1.5 * (many["high"] - many["low"])
    assert at_another_cut(answers_of(follows(2)))["interval"] == "wilson of 16 profiles"
    one_form = at_another_cut(answers_of(at_random(1), per_trait=2, wordings=1))
    assert one_form["low"] is None
    assert "can vary" in one_form["reason"]


def lowest() -> int:
    return sum(not any(profile.levels) for profile in withheld_profiles())


def test_inverted_respondent() -> None:
    found = figures(answers_of(follows(-2)))
    assert found["exact_match"]["hits"] == 0
    assert found["exact_match"]["p_value"] == 1
    assert found["mean_auc"]["value"] == 0


@pytest.mark.parametrize("option", [1, 2, 3, 4, 5])
def test_constant_respondent(option: int) -> None:
    found = figures(answers_of(constant(option), profiles=32), answers_of(follows(1), profiles=32))
    assert found["exact_match_averaged"]["hits"] == 1
    assert found["exact_match"]["p_value"] == 1
    assert found["mean_auc"]["value"] == 0.5
    assert found["agreement_share"][option - 1] == pytest.approx(1)
    assert found["stability"]["traits"]["openness"]["noise_to_signal"] is None
    assert not any(found["stability"]["more_stable"].values())


def test_answers_without_any_mass_count_as_the_middle_and_have_no_shares() -> None:
    answers = answers_of(follows(2))
    options, mass, y, raw = (
        getattr(answers, name).copy() for name in ("options", "mass", "y", "raw")
    )
    options[0, 0, 0], mass[0, 0, 0], y[0, 0, 0], raw[0, 0, 0] = 0.0, 0.0, 3.0, 3.0
    found = figures(dataclasses.replace(answers, options=options, mass=mass, y=y, raw=raw))
    assert sum(found["agreement_share"]) == pytest.approx(1)
    assert found["mass"]["share_below_half"] == pytest.approx(1 / mass.size)
    nothing = dataclasses.replace(
        answers, options=0 * options, mass=0 * mass, y=0 * y + 3, raw=0 * raw + 3
    )
    found = figures(nothing)
    assert found["agreement_share"] is None
    json.dumps(found, allow_nan=False)
    # No decision fits, not even those of the profile that the middle would make.
    assert found["mass"]["share_without"] == 1
    assert (found["exact_match"]["value"], found["exact_match"]["hits"]) == (0, 0)
    assert found["exact_match_averaged"]["hits"] == found["mean_accuracy"]["value"] == 0
    assert (found["exact_match"]["p_value"], found["mean_auc"]["value"]) == (1, None)


def test_an_answer_without_mass_is_left_out_of_the_mean_that_decides() -> None:
    answers = answers_of(follows(2))
    mass, y = answers.mass.copy(), answers.y.copy()
    rng = np.random.default_rng(0)
    y += rng.normal(0, 1, y.shape)
    lost = rng.random(mass.shape) < 0.4
    # One trait of one cell whole.
    lost[0, 0, answers.item_traits == 0] = True
    mass[lost] = 0.0
    found = figures(dataclasses.replace(answers, mass=mass, y=y))
    expected = protocol_figures(
        np.where(lost, np.nan, y),
        answers.item_traits,
        answers.targets,
        cut=3.0,
        protocol="likelihood",
    )
    assert 0 < expected.undecided < 1
    assert found["exact_match"]["value"] == pytest.approx(expected.exact_match)
    assert found["exact_match"]["hits"] == expected.hits < expected.cells
    accuracy = [found["accuracy"][trait]["value"] for trait in TRAITS]
    assert accuracy == pytest.approx(expected.accuracy)


def test_random_respondent_is_within_chance() -> None:
    found = figures(answers_of(at_random(3), profiles=32))
    assert found["exact_match"]["p_value"] > 0.001
    assert found["mean_auc"]["low"] < 0.5 < found["mean_auc"]["high"]


def test_half_the_noise_halves_the_spread_with_its_interval() -> None:
    base = answers_of(noisy(strength=0.5, sd=0.4, seed=1))
    run = answers_of(noisy(strength=0.5, sd=0.2, seed=2))
    found = figures(run, base)["stability"]
    assert found["reduction"]["value"] == pytest.approx(0.5, abs=0.05)
    assert found["reduction"]["low"] < 0.5 < found["reduction"]["high"]
    assert all(found["more_stable"].values())


def test_shrinking_alone_reduces_the_spread_but_is_not_more_stable() -> None:
    base = answers_of(noisy(strength=0.5, sd=0.4, seed=1))
    run = dataclasses.replace(base, y=3 + 0.7 * (base.y - 3))
    found = figures(run, base)["stability"]
    assert found["reduction"]["value"] == pytest.approx(0.3)
    # The same draws for both: the ratio of their spreads is the same in each.
    assert found["reduction"]["high"] - found["reduction"]["low"] < 1e-9
    assert found["shrunk_base"]["factor"] == pytest.approx(0.7)
    assert found["shrunk_base"]["reduction"] == pytest.approx(0, abs=1e-9)
    assert not any(found["more_stable"].values())


def test_one_form_takes_wilson_and_has_no_spread() -> None:
    answers = answers_of(follows(2))
    one = dataclasses.replace(
        answers,
        forms=answers.forms[:1],
        options=answers.options[:, :1],
        mass=answers.mass[:, :1],
        raw=answers.raw[:, :1],
        y=answers.y[:, :1],
    )
    found = figures(one, one)
    assert found["exact_match"]["interval"] == "wilson"
    assert found["exact_match"]["low"] > 0.7
    assert found["mean_auc"]["interval"] == "wilson of 16 profiles"
    assert found["stability"]["spread"]["reason"] == "a single form has no spread over forms"
    assert found["order_asymmetry"] is None


def test_nothing_to_resample_gives_no_interval() -> None:
    found = figures(answers_of(at_random(1), per_trait=2, wordings=1))
    assert found["mean_accuracy"]["value"] is not None
    assert found["mean_accuracy"]["low"] is None
    assert "can vary" in found["mean_accuracy"]["reason"]
    assert len(found["notes"]) == 3


def test_an_order_biased_respondent_is_found() -> None:
    answers = answers_of(follows(1))
    reversed_order = np.array([form.order == "reversed" for form in answers.forms])
    for sign in (1, -1):
        # The formats may move in opposite directions and must not cancel.
        shift = np.where([form.format == "digits" for form in answers.forms], 0.6, 0.6 * sign)
        raw = answers.raw + (shift * reversed_order)[:, None]
        biased = dataclasses.replace(answers, raw=raw)
        assert order_asymmetry(biased) == pytest.approx(0.6)
    assert order_asymmetry(answers) == pytest.approx(0)


def test_an_acquiescent_respondent_is_found() -> None:
    answers = answers_of(follows(1), per_trait=5)
    assert acquiescence(answers) == pytest.approx(3)
    agreeing = dataclasses.replace(answers, raw=answers.raw + 0.7)
    assert acquiescence(agreeing) == pytest.approx(3.7)
    # Three plus and two minus items: a constant target effect must not look like agreement.
    shifted = np.where([i.keyed == "plus" for i in answers.items], 0.5, -0.5)
    assert acquiescence(dataclasses.replace(answers, raw=answers.raw + shifted)) == pytest.approx(3)


def test_mass_is_reported() -> None:
    answers = answers_of(follows(1))
    mass = answers.mass.copy()
    mass[:4] = 0.2
    found = figures(dataclasses.replace(answers, mass=mass))["mass"]
    assert found == pytest.approx({"mean": 0.8, "share_below_half": 0.25, "share_without": 0})


def table_of(answers: Answers) -> pd.DataFrame:
    rows = []
    for p, profile in enumerate(answers.profiles):
        for f, form in enumerate(answers.forms):
            for i, item in enumerate(answers.items):
                options = {f"p{k + 1}": answers.options[p, f, i, k] for k in range(5)}
                numbers = {"mass": answers.mass[p, f, i], "raw": answers.raw[p, f, i]}
                labels = {"subject": answers.subjects[p], "profile": str(profile)}
                labels |= {"variant": answers.variants[f, i], **item._asdict(), **form._asdict()}
                rows.append(labels | options | numbers | {"y": answers.y[p, f, i]})
    return pd.DataFrame(rows)


def test_answers_are_read_into_the_right_cells_whatever_the_order(tmp_path: Path) -> None:
    table = table_of(answers_of(at_random(5))).sample(frac=1, random_state=1)
    table.to_parquet(tmp_path / "answers.parquet")
    found = load_answers(tmp_path / "answers.parquet")
    assert found.profiles == balanced_profiles(16)
    assert found.subjects == tuple(map(str, found.profiles))
    for p, f, i in ((0, 0, 0), (15, 11, 19), (3, 7, 12), (9, 2, 5)):
        row = table[
            (table["profile"] == str(found.profiles[p]))
            & (table["form"] == found.forms[f].form)
            & (table["item"] == found.items[i].item)
        ].iloc[0]
        assert found.y[p, f, i] == row["y"]
        assert found.raw[p, f, i] == row["raw"]
        assert found.options[p, f, i].tolist() == [row[f"p{k}"] for k in range(1, 6)]


def test_wrong_answers_are_refused_in_words(tmp_path: Path) -> None:
    path, table = tmp_path / "answers.parquet", table_of(answers_of(follows(1)))

    def refused(changed: pd.DataFrame, message: str) -> None:
        changed.to_parquet(path)
        with pytest.raises(ValueError, match=message) as error:
            load_answers(path)
        assert "answers.parquet" in str(error.value)

    refused(table.drop(columns="mass"), "no column mass")
    refused(table.iloc[1:], "3839 answers, 3839 of them different")
    refused(pd.concat([table, table.iloc[:1]]), "3841 answers, 3840 of them different")
    refused(
        table.assign(y=table["y"].where(table.index != 7)), "item conscientiousness3 in .* finite"
    )
    refused(table[table["trait"] != "openness"], "trait openness is unknown or has no item")
    refused(table.assign(keyed="yes"), "keyed = 'yes'")
    refused(table.assign(cluster=[str(n) for n in range(len(table))]), "in more than one way")


def test_a_run_and_base_of_other_layout_are_not_compared() -> None:
    with pytest.raises(ValueError, match=r"context own: .* differ in their forms"):
        check_same_layout(answers_of(follows(1)), answers_of(follows(1), wordings=2), context="own")


def test_modal_profile_is_over_all_essays(tmp_path: Path) -> None:
    levels = [Profile.parse(label).levels for label in ("O+C-E+A-N+", "O-C-E-A-N-", "O+C-E+A-N+")]
    table = pd.DataFrame(levels, columns=list(TRAITS)).astype(int)
    table.to_csv(tmp_path / "essays.csv")
    found = modal_profile(tmp_path / "essays.csv")
    assert found == {"profile": "O+C-E+A-N+", "share_of_essays": pytest.approx(2 / 3)}


def test_one_profile_for_everything_gets_what_is_asked_of_each_source() -> None:
    asked = {"none": ["a", "b", "c", "d"], "human": ["a", "b", "b"]}
    assert by_source(constant_share, asked, ["a", "b"] * 4) == {
        "questionnaire": {"none": 1 / 4, "human": 2 / 3},
        "texts": 1 / 2,
    }


def test_rounding_keeps_ten_digits_and_no_negative_zero() -> None:
    found = rounded({"a": [1 / 3, -0.0, 7, None, True, "x"]})
    assert repr(found) == "{'a': [0.3333333333, 0.0, 7, None, True, 'x']}"


def test_checks_of_learning_mass_and_judge() -> None:
    entry = {"check": "training margin", "before": 0.0, "after": 0.4, "change": 0.4}
    learning = {
        "checks": [
            entry | {"required": True, "passed": True},
            entry | {"required": False, "passed": False},
        ]
    }
    assert learning_checks({"run": "x", "learning": None}) == []
    (check,) = learning_checks({"run": "x", "learning": learning})
    assert check["passed"] is True
    assert "0.000 before training, 0.400 after" in check["detail"]
    mass = {"none": {"mass": {"mean": 0.4, "share_below_half": 0.7}}}
    (check,) = mass_checks({"run": "x", "questionnaire": mass})
    assert check["passed"] is False
    assert "70.0%" in check["detail"]
    judge: dict[str, Any] = {
        "reference_name": "composed reference",
        "reference": {"mean_accuracy": {"value": 0.6, "low": 0.52, "high": 0.7}},
        "majority_accuracy": {"openness": 0.7, "neuroticism": 0.7},
        # What counts is what the majority of E gets on the essays that the bounds are of.
        "reference_majority_accuracy": {"openness": 0.5, "neuroticism": 0.56},
    }
    assert judge_check(judge)["passed"] is False
    judge["reference"]["mean_accuracy"]["low"] = 0.54
    assert judge_check(judge)["passed"] is True
    judge["reference"]["mean_accuracy"]["low"] = None
    assert judge_check(judge)["passed"] is None
