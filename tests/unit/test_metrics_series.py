"""Runs of several seeds together, and against their null adapters, on synthetic respondents."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from synthetic_answers import answers_of, at_random, constant, follows, noisy

from mimic.metrics.answers import Answers
from mimic.metrics.nulls import (
    MATCH,
    NOISE,
    TEXTS,
    answers_against_nulls,
    stability_against_nulls,
    texts_against_nulls,
)
from mimic.metrics.questionnaire import exact_match, match_counts
from mimic.metrics.resampling import Resampling
from mimic.metrics.seeds import answers_over_seeds, texts_over_seeds
from mimic.metrics.study import family
from mimic.stats.fidelity import trait_scores
from mimic.stats.multiple import FIGURES
from mimic.stats.permutation import permutation_p
from mimic.stats.stability import spread
from mimic.traits import TRAITS, balanced_profiles

CUT = np.full(5, 3.0)
FAST = Resampling(draws=200, permutations=499, seed=1)
BASE = answers_of(noisy(strength=0.2, sd=0.6, seed=99))


def texts_of(*, hits: float, seed: int, copied: bool = False) -> pd.DataFrame:
    """Two texts of each of 16 profiles, of which a share fits."""
    generator = np.random.default_rng(seed)
    rows = []
    for profile, _sample in product(balanced_profiles(16), range(2)):
        fits = generator.random() < hits
        levels = np.array(profile.levels) == fits
        probabilities = dict(zip(TRAITS, np.where(levels, 0.8, 0.3), strict=True))
        own = {"profile": str(profile), "situation": "visit", "copied": int(copied)}
        rows.append(own | probabilities)
    return pd.DataFrame(rows)


def seeds(count: int, *, strength: float = 0.4) -> list:
    return [answers_of(noisy(strength=strength, sd=0.5, seed=n)) for n in range(count)]


def test_over_seeds_figures_are_means_and_need_five_seeds_to_vary() -> None:
    runs = seeds(5)
    found = answers_over_seeds(runs, BASE, cut=CUT, resampling=FAST)
    matches = [exact_match(run, cut=CUT) for run in runs]
    assert found["exact_match"]["value"] == pytest.approx(np.mean(matches))
    squares = [spread(run.y, run.item_traits)[0] ** 2 for run in runs]
    expected = np.sqrt(np.mean(squares, axis=0)).mean()
    assert found["spread"]["value"] == pytest.approx(expected)
    assert found["spread"]["low"] < expected < found["spread"]["high"]
    assert found["reduction"]["value"] > 0
    assert not any("seeds" in note for note in found["notes"])
    few = answers_over_seeds(runs[:3], BASE, cut=CUT, resampling=FAST)
    assert "3 training seeds, which do not vary: 5 are needed" in few["notes"]


def test_the_same_permutation_of_targets_moves_all_seeds() -> None:
    runs = [answers_of(noisy(strength=0.12, sd=1.2, seed=n)) for n in range(3)]
    found = answers_over_seeds(runs, BASE, cut=CUT, resampling=FAST)["exact_match"]
    scores = np.stack([trait_scores(run.y, run.item_traits)[0] for run in runs])
    decisions, targets = scores >= CUT, runs[0].targets

    def hits(wanted: np.ndarray) -> int:
        return int((decisions == wanted[None, :, None]).all(axis=-1).sum())

    generator = np.random.default_rng(5)
    slow = [hits(targets[generator.permutation(16)]) >= hits(targets) for _ in range(3000)]
    assert (found["hits"], found["cells"]) == (hits(targets), 3 * 16 * 12)
    assert found["p_value"] == pytest.approx(np.mean(slow), abs=0.03)
    assert found["p_value"] * 500 == pytest.approx(round(found["p_value"] * 500))
    # Not the product of three tests: seeds that repeat each other say no more than one of them.
    copies = answers_over_seeds([runs[0]] * 5, BASE, cut=CUT, resampling=FAST)["exact_match"]
    alone = permutation_p(match_counts(runs[:1], cut=CUT), permutations=499, seed=1)
    assert copies["p_value"] == alone > 1 / 500


def test_texts_of_all_seeds_are_permuted_together() -> None:
    runs = [texts_of(hits=0.06, seed=n) for n in range(3)]
    found = texts_over_seeds(runs, FAST)["exact_match"]
    texts = pd.concat(runs)
    decisions = texts[list(TRAITS)].to_numpy() >= 0.5
    levels = {str(profile): np.array(profile.levels) for profile in balanced_profiles(16)}

    def hits(wanted: dict[str, np.ndarray]) -> int:
        fits = (decisions == np.stack([wanted[label] for label in texts["profile"]])).all(axis=1)
        return int(fits.sum())

    generator = np.random.default_rng(6)
    slow = []
    for _ in range(2000):
        moved = dict(zip(levels, generator.permutation(list(levels.values())), strict=True))
        slow.append(hits(moved) >= hits(levels))
    assert found["hits"] == hits(levels)
    assert found["p_value"] == pytest.approx(np.mean(slow), abs=0.04)
    assert texts_over_seeds([texts_of(hits=1, seed=1)] * 2, FAST)["exact_match"]["p_value"] == 0.002


def test_seeds_that_differ_widen_the_interval() -> None:
    alike = [answers_of(noisy(strength=0.3, sd=0.5, seed=n)) for n in range(5)]
    apart = [
        answers_of(noisy(strength=strength, sd=0.5, seed=n))
        for n, strength in enumerate((0.0, 0.1, 0.3, 0.5, 0.6))
    ]
    widths = []
    for runs in (alike, apart):
        area = answers_over_seeds(runs, BASE, cut=CUT, resampling=FAST)["mean_auc"]
        widths.append(area["high"] - area["low"])
    assert widths[1] > 1.5 * widths[0]


def test_texts_over_seeds_draw_seeds_from_five_on() -> None:
    runs = [texts_of(hits=share, seed=n) for n, share in enumerate((0.1, 0.2, 0.5, 0.8, 0.9))]
    wide = texts_over_seeds(runs, FAST)["exact_match"]
    assert wide["value"] == pytest.approx(0.5, abs=0.1)
    narrow = texts_over_seeds(runs[:4], FAST)["exact_match"]
    assert wide["high"] - wide["low"] > 2 * (narrow["high"] - narrow["low"])
    nothing = texts_over_seeds([texts_of(hits=1, seed=1, copied=True)] * 2, FAST)
    assert nothing["exact_match"]["reason"] == "no texts"
    assert nothing["exact_match"]["p_value"] is None


def test_a_run_that_learned_its_labels_is_beyond_its_null_adapters() -> None:
    nulls = [answers_of(noisy(strength=0.05, sd=0.5, seed=50 + n)) for n in range(5)]
    found = answers_against_nulls(seeds(2, strength=0.8), nulls, cut=CUT, resampling=FAST)
    for figure in (NOISE, MATCH):
        assert found[figure]["beyond"] == 5
        assert found[figure]["p_value"] <= 0.01
    assert found[NOISE]["run"] < min(found[NOISE]["nulls"])
    # One seed alone is compared by the figures that the metrics have for it.
    alone = answers_against_nulls(seeds(1), nulls, cut=CUT, resampling=FAST)
    assert alone[MATCH]["run"] == pytest.approx(exact_match(seeds(1)[0], cut=CUT))
    assert alone[MATCH]["nulls"] == pytest.approx([exact_match(null, cut=CUT) for null in nulls])


def test_a_run_that_answers_against_its_targets_is_better_than_no_null_adapter() -> None:
    nulls = [answers_of(noisy(strength=0.05, sd=0.5, seed=50 + n)) for n in range(5)]
    found = answers_against_nulls(seeds(2, strength=-0.8), nulls, cut=CUT, resampling=FAST)[NOISE]
    # Its S/|B| is as low as that of a run that follows them.
    assert found["run"] < min(found["nulls"])
    assert (found["beyond"], found["p_value"]) == (0, 1.0)
    assert "don't move with its targets" in found["reason"]


def steady(strength: float, sd: float, **by_trait: float) -> Answers:
    """Answers whose S is exactly `sd` × √(12/11), and whose B is `strength` or a trait's own."""
    signals = np.repeat([by_trait.get(trait, strength) for trait in TRAITS], 4)
    up = np.resize([1.0, -1.0], 12)[None, :, None]
    return answers_of(lambda levels, keys, size: 3 + (signals * levels + sd * up) * keys)


def test_the_rule_is_applied_to_each_null_adapter() -> None:
    runs = [steady(0.5, 0.3), steady(0.3, 0.3)]
    nulls = [
        steady(0.1, 0.5),
        # Steadier than the run in openness: S/|B| is 0.2/0.4 = 0.5 against 0.3/0.4 = 0.75.
        steady(0.1, 0.2, openness=0.4),
        # The run's B of 0.4 is less than 90 % of 0.5.
        steady(0.1, 0.5, neuroticism=0.5),
    ]
    found = stability_against_nulls(runs, nulls)
    factor = np.sqrt(12 / 11)
    assert found["run"]["openness"]["signal"] == pytest.approx(0.4)
    assert found["run"]["openness"]["noise_to_signal"] == pytest.approx(0.75 * factor)
    assert found["nulls"][1]["openness"]["noise_to_signal"] == pytest.approx(0.5 * factor)
    assert found["more_stable"]["openness"] == [True, False, True]
    assert found["more_stable"]["neuroticism"] == [True, True, False]
    assert found["more_stable"]["extraversion"] == [True, True, True]


def test_a_figure_that_came_out_undefined_counts_as_p_of_one() -> None:
    flat, one_form = answers_of(constant(4)), answers_of(at_random(1), wordings=1)
    found = answers_against_nulls([flat], [BASE], cut=CUT, resampling=FAST)
    assert (found[NOISE]["run"], found[NOISE]["p_value"]) == (None, 1.0)
    assert "no signal" in found[NOISE]["reason"]
    copies = [texts_of(hits=1, seed=1, copied=True)]
    texts = texts_against_nulls(copies, [texts_of(hits=0, seed=2)], FAST)[TEXTS]
    assert texts["p_value"] == 1.0
    # A single form was never going to have a spread: no test, rather than a failed one.
    object.__setattr__(one_form, "forms", one_form.forms[:1])
    object.__setattr__(one_form, "y", one_form.y[:, :1])
    found = answers_against_nulls([one_form], [one_form], cut=CUT, resampling=FAST)
    assert found[NOISE]["p_value"] is None


def test_texts_that_fit_are_beyond_null_adapters_whose_texts_don_t() -> None:
    nulls = [texts_of(hits=0.1, seed=n) for n in range(5)]
    runs = [texts_of(hits=0.9, seed=10), texts_of(hits=0.7, seed=11)]
    found = texts_against_nulls(runs, nulls, FAST)[TEXTS]
    assert (found["beyond"], found["p_value"] <= 0.01) == (5, True)
    assert found["run"] == pytest.approx(0.8, abs=0.1)


def test_the_family_holds_each_series_in_each_figure() -> None:
    runs = [
        {"series": series, "method": method}
        for series, method in (
            ("a-base", "base"),
            ("a-sft", "sft"),
            ("a-sft", "sft"),
            ("a-dpo", "dpo"),
        )
    ]
    figures = {figure: {"p_value": p} for figure, p in zip(FIGURES, (0.01, 0.02, 0.9), strict=True)}
    compared = [{"series": "a-sft", "against_null": {"figures": figures}}]
    found = family(runs, compared)
    assert found["size"] == 3
    by_test = {(test["series"], test["figure"]): test for test in found["tests"]}
    assert len(by_test) == 6
    adjusted = [by_test["a-sft", figure]["adjusted"] for figure in FIGURES]
    # R: p.adjust(c(0.01, 0.02, 0.9), "BH")
    assert adjusted == pytest.approx([0.03, 0.03, 0.9])
    assert by_test["a-dpo", NOISE]["adjusted"] is None
    assert family(runs, [])["size"] == 0


def test_following_the_target_is_more_stable_over_seeds_too() -> None:
    runs = [answers_of(follows(1.5)), answers_of(follows(1.2))]
    found = answers_over_seeds(runs, BASE, cut=CUT, resampling=FAST)
    assert found["more_stable"] == dict.fromkeys(TRAITS, True)
