"""Scoring of the IPIP-NEO-120 against five-factor-e, which follows Johnson's own program."""

from pathlib import Path

import numpy as np
import pytest

from mimic.questionnaire.instruments import cuts, load_instrument
from mimic.questionnaire.protocols import item_scores
from mimic.questionnaire.scores import likelihood_scores
from mimic.stats.fidelity import trait_scores
from mimic.traits import TRAITS

ipipneo = pytest.importorskip("ipipneo", reason="five-factor-e is not installed")
from ipipneo.norm import Norm  # noqa: E402
from ipipneo.reverse import ReverseScored120  # noqa: E402
from ipipneo.utility import organize_list_json  # noqa: E402

INSTRUMENT = load_instrument(Path(__file__).parents[2] / "config/instruments/ipip_neo_120.yaml")
SHEETS = 1_000


def by_five_factor_e(sheet):
    """Trait sums (24 to 120) of raw answers in published order."""
    answers = [{"id_question": n, "id_select": int(raw)} for n, raw in enumerate(sheet, start=1)]
    scorer = ipipneo.IpipNeo(question=120)
    facets = scorer.score(answers=organize_list_json(ReverseScored120({"answers": answers})))
    return scorer.domain(score=facets)


def test_trait_means_agree_on_random_answer_sheets():
    sheets = np.random.default_rng(20).integers(1, 6, size=(SHEETS, 120))
    plus = np.array([item.keyed == "plus" for item in INSTRUMENT.items])
    traits = np.array([TRAITS.index(item.trait) for item in INSTRUMENT.items])
    # An answer is all of the mass; the scale goes from "very inaccurate", 1.
    by_likelihood = likelihood_scores(np.eye(5)[sheets - 1], plus).y
    # Option 1 is the most like oneself there.
    in_words = item_scores(6 - sheets, plus, protocol="corrected")
    theirs = [by_five_factor_e(sheet) for sheet in sheets]
    sums = np.array([[row[trait[0].upper()] for trait in TRAITS] for row in theirs])
    for scores in (by_likelihood, in_words):
        ours = trait_scores(scores[:, None], traits)[0, :, 0]
        # Rounded to nine decimals before they meet a cut.
        np.testing.assert_allclose(ours, sums / 24, rtol=0, atol=1e-9)


def test_norm_cuts_lie_within_the_norms_for_both_sexes_at_all_ages():
    # Johnson's norms by sex and age, as sums of 24 items: neuroticism, extraversion, openness,
    # agreeableness, conscientiousness from position 1. Another sample than the instrument's.
    groups = [
        Norm(sex=sex, age=age, nquestion=120)["ns"] for sex in "MF" for age in (18, 30, 50, 70)
    ]
    for position, letter in enumerate("NEOAC", start=1):
        (trait,) = (trait for trait in TRAITS if trait[0].upper() == letter)
        means = [group[position] / 24 for group in groups]
        assert min(means) < cuts(INSTRUMENT, "norms")[trait] < max(means)
