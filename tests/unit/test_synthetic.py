"""Synthetic respondents: what they are said to answer is what they answer."""

import math
from unittest.mock import Mock

import numpy as np
import pytest

from mimic.questionnaire.instruments import load_instrument
from mimic.questionnaire.rows import row_of
from mimic.questionnaire.scores import likelihood_scores
from mimic.respondents import synthetic
from mimic.respondents.synthetic import (
    Questionnaire,
    Synthetic,
    human_like,
    human_scores,
    probabilities_of,
)
from mimic.stats.bootstrap import Form, Item
from mimic.traits import ALL_PROFILES, TRAITS

RESPONDENTS = (
    synthetic.PERFECT,
    synthetic.INVERTED,
    *synthetic.CONSTANT,
    synthetic.UNPARSED,
    synthetic.RANDOM,
    synthetic.ALL_HIGH,
    synthetic.AT_THE_CUT,
    synthetic.HALF_PERFECT,
    synthetic.ORDER_BIASED,
    synthetic.ACQUIESCENT,
    synthetic.HALO,
    synthetic.NOISY,
    synthetic.SHRUNK,
    synthetic.WORDING_SENSITIVE,
)
FORMS = tuple(
    Form(f"{fmt}-{wording}-{order}", fmt, wording, order)
    for fmt in ("digits", "letters")
    for wording in ("a", "b")
    for order in ("published", "reversed")
)


@pytest.fixture(scope="module")
def instrument(project):
    return load_instrument(project / "config/instruments/ipip_neo_120.yaml")


@pytest.fixture(scope="module")
def asked(instrument):
    items = tuple(Item(i.id, i.trait, i.keyed, i.cluster) for i in instrument.items)
    return Questionnaire(ALL_PROFILES, FORMS, items)


def item_scores(agreement, asked):
    """Plainly: agreement with a plus-keyed item, 6 minus that with a minus-keyed one."""
    keyed = [item.keyed for item in asked.items]
    columns = [
        agreement[:, :, n] if keyed[n] == "plus" else 6 - agreement[:, :, n]
        for n in range(len(keyed))
    ]
    return np.stack(columns, axis=2)


@pytest.mark.parametrize("respondent", RESPONDENTS, ids=lambda one: one.name)
def test_agreement_is_on_the_scale_and_its_seed_decides_it(respondent: Synthetic, asked) -> None:
    agreement = respondent.answer(asked, seed=3)
    assert agreement.shape == (32, 8, 120)
    assert np.array_equal(agreement, respondent.answer(asked, seed=3), equal_nan=True)
    read = agreement[~np.isnan(agreement)]
    assert ((read >= 1) & (read <= 5)).all()
    assert len(read) == (0 if respondent.name == "unparsed" else agreement.size)


def test_chance_differs_between_seeds(asked) -> None:
    drawn = {"random", "half-perfect", "noisy", "shrunk", "wording-sensitive"}
    differ = {
        one.name
        for one in RESPONDENTS
        if not np.array_equal(one.answer(asked, seed=1), one.answer(asked, seed=2), equal_nan=True)
    }
    assert differ == drawn
    assert len({one.name for one in RESPONDENTS}) == len(RESPONDENTS)


def test_perfect_and_inverted_by_hand(asked) -> None:
    perfect = synthetic.PERFECT.answer(asked, seed=0)
    inverted = synthetic.INVERTED.answer(asked, seed=0)
    for p, profile in enumerate(ALL_PROFILES):
        for i, item in enumerate(asked.items):
            high = profile.levels[TRAITS.index(item.trait)]
            agrees = high == (item.keyed == "plus")
            assert set(perfect[p, :, i]) == {5.0 if agrees else 1.0}
            assert set(inverted[p, :, i]) == {1.0 if agrees else 5.0}


def test_random_takes_each_option_equally_often(asked) -> None:
    agreement = synthetic.RANDOM.answer(asked, seed=1)
    shares = [(agreement == option).mean() for option in range(1, 6)]
    assert shares == pytest.approx([0.2] * 5, abs=0.01)


def test_order_and_agreeing_move_raw_answers(asked) -> None:
    plain = asked.agreement(3 + asked.levels)
    order = synthetic.ORDER_BIASED.answer(asked, seed=0) - plain
    assert np.array_equal(np.unique(order[:, ::2]), [0.5])
    assert np.array_equal(np.unique(order[:, 1::2]), [-0.5])
    assert np.array_equal(np.unique(synthetic.ACQUIESCENT.answer(asked, seed=0) - plain), [0.75])


def test_halo_raises_what_is_thought_well_of(asked) -> None:
    scores = item_scores(synthetic.HALO.answer(asked, seed=0), asked)
    levels = [str(profile) for profile in ALL_PROFILES]
    by_trait = [
        scores[:, 0, [item.trait == trait for item in asked.items]].mean(axis=1) for trait in TRAITS
    ]
    best, worst = levels.index("O+C+E+A+N-"), levels.index("O-C-E-A-N+")
    assert [float(t[best]) for t in by_trait] == pytest.approx([4.75, 4.6, 4.45, 4.3, 1.85])
    assert [float(t[worst]) for t in by_trait] == pytest.approx([1.25, 1.4, 1.55, 1.7, 4.15])


def test_shrunk_is_noisy_nearer_to_three(asked) -> None:
    noisy, shrunk = (one.answer(asked, seed=5) for one in (synthetic.NOISY, synthetic.SHRUNK))
    assert shrunk - 3 == pytest.approx((noisy - 3) / 2)
    noise = noisy - asked.agreement(3 + asked.levels)
    assert noise.std() == pytest.approx(0.3, rel=0.02)


def test_wording_sensitive_has_its_sd_at_every_profile_and_item(asked) -> None:
    scores = item_scores(synthetic.WORDING_SENSITIVE.answer(asked, seed=2), asked)
    assert scores.std(axis=1, ddof=1) == pytest.approx(np.full((32, 120), 0.2))


def test_half_perfect_is_right_in_known_shares(asked) -> None:
    scores = item_scores(synthetic.HALF_PERFECT.answer(asked, seed=4), asked)
    assert set(np.unique(scores)) == {1.0, 5.0}
    for trait, (name, share) in enumerate(zip(TRAITS, synthetic.ACCURACIES, strict=True)):
        own = scores[:, :, [item.trait == name for item in asked.items]]
        right = (own == 5) == np.array([p.levels[trait] for p in ALL_PROFILES])[:, None, None]
        assert right.mean() == share


def test_human_like_answers_around_the_norms(instrument, asked) -> None:
    often = Questionnaire(asked.profiles, asked.forms * 20, asked.items)
    scores = item_scores(human_like(instrument.norms).answer(often, seed=1), asked)
    assert set(np.unique(scores)) == {1.0, 2.0, 3.0, 4.0, 5.0}
    for trait, name in enumerate(TRAITS):
        norm = instrument.norms.traits[name]
        own = scores[:, :, [item.trait == name for item in asked.items]].mean(axis=(1, 2))
        high = np.array([profile.levels[trait] for profile in ALL_PROFILES])
        assert own[high].mean() == pytest.approx(norm.mean + 0.8 * norm.sd, abs=0.01)
        assert own[~high].mean() == pytest.approx(norm.mean - 0.8 * norm.sd, abs=0.01)


def test_people_stay_on_the_scale(instrument) -> None:
    norm = instrument.norms.traits["openness"].model_copy(update={"mean": 4.6, "sd": 1.0})
    traits = {**instrument.norms.traits, "openness": norm}
    norms = instrument.norms.model_copy(update={"traits": traits})
    assert human_scores(norms, np.ones((1, 5)))[0, 0] == 5


def test_probabilities_have_the_agreement_as_mean() -> None:
    agreement = np.array([1.0, 1.25, 2.0, 3.5, 4.9, 5.0])
    options = probabilities_of(agreement)
    assert (options >= 0).all()
    assert options.sum(axis=-1) == pytest.approx(np.full(6, 0.9))
    mean = options @ np.arange(1, 6) / 0.9
    assert mean == pytest.approx(agreement)
    assert options[1] == pytest.approx([0.675, 0.225, 0, 0, 0])
    assert probabilities_of(np.array([math.nan])).tolist() == [[0.0] * 5]


@pytest.mark.parametrize("keyed", ["plus", "minus"])
def test_likelihood_scores_are_those_of_a_row_of_answers(keyed: str) -> None:
    rng = np.random.default_rng(7)
    for probabilities in rng.dirichlet(np.ones(6), size=20)[:, :5]:
        asked = Mock(item=Mock(keyed=keyed))
        row = row_of(asked, probabilities.tolist())
        found = likelihood_scores(probabilities[None], np.array([keyed == "plus"]))
        own = [float(part[0]) for part in found]
        assert own == pytest.approx([row["mass"], row["raw"], row["y"]])


def test_no_mass_has_no_score() -> None:
    found = likelihood_scores(np.zeros((2, 1, 5)), np.array([True]))
    assert (found.mass == 0).all()
    assert np.isnan(found.raw).all()
    assert np.isnan(found.y).all()
