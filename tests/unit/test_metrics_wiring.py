"""What the metrics hand to the statistics: cuts, strata, weights, rows and columns."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic_answers import answers_of, constant, follows, noisy

from mimic.metrics.answers import Answers
from mimic.metrics.numbers import NORMS, cuts_of
from mimic.metrics.protocols import PUBLISHED_CUT
from mimic.metrics.questionnaire import questionnaire_figures
from mimic.metrics.resampling import Resampling
from mimic.metrics.seeds import answers_over_seeds
from mimic.metrics.texts import text_figures, text_weights
from mimic.questionnaire.instruments import load_instrument
from mimic.stats.fidelity import text_fidelity
from mimic.traits import TRAITS, balanced_profiles, design_matrix

INSTRUMENTS = Path(__file__).parents[2] / "config/instruments"
FAST = Resampling(draws=200, permutations=99, seed=1)
CUTS = {PUBLISHED_CUT: np.full(5, 3.0)}


def figures(answers: Answers, base: Answers | None = None) -> dict[str, Any]:
    return questionnaire_figures(answers, base, cuts=CUTS, resampling=FAST)


def test_the_norms_cut_is_the_primary_one() -> None:
    cuts = cuts_of(load_instrument(INSTRUMENTS / "ipip_neo_120.yaml"))
    # Their order decides which of them is primary.
    assert list(cuts) == [NORMS, PUBLISHED_CUT]
    assert list(cuts_of(load_instrument(INSTRUMENTS / "mini_ipip_10.yaml"))) == [PUBLISHED_CUT]
    # Openness, with a norm that nobody reaches, is low whatever the target.
    found = questionnaire_figures(
        answers_of(follows(1)),
        None,
        cuts={NORMS: np.array([4.5, 3, 3, 3, 3]), **CUTS},
        resampling=FAST,
    )
    assert found["cut"] == NORMS
    assert found["exact_match"]["value"] == found["accuracy"]["openness"]["value"] == 0.5
    assert found["other_cuts"][PUBLISHED_CUT]["value"] == 1


def test_texts_are_resampled_within_profile_and_situation() -> None:
    """Texts of a cell are all alike, so that drawing among them moves nothing."""
    rows = []
    for place, profile in enumerate(balanced_profiles(16)):
        for turn, situation in enumerate(("letter", "trip")):
            # Profiles differ in whether their texts fit, and so do situations.
            fits = (place // (1 + turn)) % 3 > 0
            levels = np.array(profile.levels) == fits
            own = {"profile": str(profile), "situation": situation, "copied": 0}
            own |= dict(zip(TRAITS, np.where(levels, 0.8, 0.3), strict=True))
            rows += [{"id": f"{profile}-{situation}-{n}", **own} for n in range(3)]
    texts = pd.DataFrame(rows)
    weights = text_weights(texts, FAST)
    assert (weights != 1).any()
    targets = design_matrix(balanced_profiles(16)).repeat(6, axis=0) > 0
    drawn = text_fidelity(texts[list(TRAITS)].to_numpy(), targets, weights=weights)
    assert np.ptp(drawn.exact_match) < 1e-9
    assert np.ptp(drawn.auc, axis=0) == pytest.approx(0, abs=1e-9)
    found = text_figures(texts, FAST)
    for figure in (found["exact_match"], found["mean_auc"]):
        assert 0.5 < figure["value"] < 1
        # Where draws say nothing, texts are the trials.
        assert figure["interval"] == "wilson of 96 texts"


def test_crosstalk_stands_by_the_trait_that_is_answered() -> None:
    answers = answers_of(constant(3))
    # Conscientiousness follows the target of openness, and nothing follows anything else.
    moved = 0.5 * answers.design[:, 0, None, None] * (answers.item_traits == 1)
    found = figures(dataclasses.replace(answers, y=answers.y + moved))["stability"]["traits"]
    for trait in TRAITS:
        assert found[trait]["signal"] == pytest.approx(0, abs=1e-9)
        expected = {other: 0.0 for other in TRAITS if other != trait}
        if trait == "conscientiousness":
            expected["openness"] = 0.5
        assert found[trait]["crosstalk"] == pytest.approx(expected, abs=1e-9)


def test_a_reduction_over_seeds_has_the_same_draws_for_run_and_base() -> None:
    base = answers_of(noisy(strength=0.5, sd=0.4, seed=1))
    run = dataclasses.replace(base, y=3 + 0.7 * (base.y - 3))
    for seeds in (2, 5):
        found = answers_over_seeds([run] * seeds, base, cut=np.full(5, 3.0), resampling=FAST)
        assert found["reduction"]["value"] == pytest.approx(0.3)
        assert found["reduction"]["high"] - found["reduction"]["low"] < 1e-9
        assert found["spread"]["high"] - found["spread"]["low"] > 0.01


def test_scores_with_agreement_taken_out_are_those_without_it() -> None:
    # Three plus-keyed items and two minus-keyed ones: agreeing lifts T by 0.7 / 5, above the cut.
    plain = answers_of(follows(0.1), per_trait=5)
    keys = np.array([1 if item.keyed == "plus" else -1 for item in plain.items])
    agreeing = dataclasses.replace(plain, raw=plain.raw + 0.7, y=plain.y + 0.7 * keys)
    found = figures(agreeing)
    assert found["exact_match"]["value"] == 1 / 16
    assert found["sensitivity"]["agreement_corrected"]["exact_match"] == 1


def test_published_reductions_are_those_of_the_run_from_its_base() -> None:
    base = answers_of(noisy(strength=0.5, sd=0.4, seed=1))
    run = dataclasses.replace(base, y=3 + 0.6 * (base.y - 3))
    found = figures(run, base)["published_stability"]
    for name in ("sd_over_profiles", "sd_over_items"):
        assert found[name]["reduction"] == pytest.approx(dict.fromkeys(TRAITS, 0.4))


def test_reworded_is_the_share_of_items_that_stand_in_other_words() -> None:
    answers = answers_of(follows(1))
    variants = np.zeros_like(answers.variants)
    variants[:, ::4] = np.arange(12)[:, None] % 2 * 3
    found = figures(dataclasses.replace(answers, variants=variants))
    assert found["reworded"] == 1 / 8
