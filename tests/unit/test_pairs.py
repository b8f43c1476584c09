import re
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from mimic.conditioning import Conditioning, described, persona
from mimic.forms.authored import load_rewordings
from mimic.pairs.build import conversations, preferences
from mimic.pairs.null import permuted_labels
from mimic.pairs.questions import (
    SCALE,
    Question,
    choose_questions,
    half_of_each_trait,
    rated,
    trained_questions,
)
from mimic.pairs.rejected import differing
from mimic.pairs.settings import PairsSettings
from mimic.questionnaire.instruments import load_instrument
from mimic.settings import parse_settings
from mimic.traits import TRAITS, Profile


@pytest.fixture
def essays(essays_csv):
    return pd.read_csv(essays_csv, dtype={"id": str})


def test_a_conversation_asks_and_answers_with_the_essay(essays):
    prompts = [f"Prompt {n}." for n in range(len(essays))]
    rows = conversations(essays, prompts=prompts)
    assert [row["essay"] for row in rows] == list(essays["id"])
    assert [row["prompt"][0]["content"] for row in rows] == prompts
    assert rows[0]["completion"] == [{"role": "assistant", "content": essays["text"][0]}]


def test_rejected_essays_differ_in_profile_and_don_t_repeat(essays):
    pairs = preferences(essays, prompts=[""] * 12, rejected="random", rejected_per_chosen=3, seed=1)
    assert len(pairs) == 3 * len(essays)
    assert all(pair["profile"] != pair["rejected_profile"] for pair in pairs)
    assert len({(pair["essay"], pair["rejected_essay"]) for pair in pairs}) == len(pairs)
    assert pairs == preferences(
        essays, prompts=[""] * 12, rejected="random", rejected_per_chosen=3, seed=1
    )
    assert pairs != preferences(
        essays, prompts=[""] * 12, rejected="random", rejected_per_chosen=3, seed=2
    )


def test_a_pair_asks_for_the_essay_and_against_the_other(essays):
    prompts = [f"Prompt {n}." for n in range(len(essays))]
    texts = dict(zip(essays["id"], essays["text"], strict=True))
    asked = dict(zip(essays["id"], prompts, strict=True))
    for pair in preferences(
        essays, prompts=prompts, rejected="random", rejected_per_chosen=3, seed=1
    ):
        assert pair["prompt"] == [{"role": "user", "content": asked[pair["essay"]]}]
        for side, name in (("chosen", "essay"), ("rejected", "rejected_essay")):
            assert pair[side] == [{"role": "assistant", "content": texts[pair[name]]}]


def test_training_order_mixes_the_essays(essays):
    pairs = preferences(essays, prompts=[""] * 12, rejected="random", rejected_per_chosen=3, seed=1)
    assert len({pair["essay"] for pair in pairs[:9]}) > 3


def test_too_few_others_is_an_error_with_the_mend(essays):
    same = essays.assign(profile=essays["profile"][0])
    with pytest.raises(ValueError, match="only 0 essays differ.*pairs.rejected_per_chosen is 3"):
        preferences(same, prompts=[""] * 12, rejected="random", rejected_per_chosen=3, seed=1)


def pairs_of(essays, kind, *, count=2, seed=1):
    return preferences(
        essays, prompts=[""] * 12, rejected=kind, rejected_per_chosen=count, seed=seed
    )


@pytest.mark.parametrize(("kind", "best"), [("nearest", min), ("opposite", max)])
def test_the_nearest_and_the_opposite_differ_in_the_fewest_and_most_traits(essays, kind, best):
    found = {}
    for pair in pairs_of(essays, kind, count=1):
        found[pair["essay"]] = differing(pair["profile"], pair["rejected_profile"])
    for essay, profile in zip(essays["id"], essays["profile"], strict=True):
        others = {differing(profile, other) for other in essays["profile"]} - {0}
        assert found[essay] == best(others)


def test_length_matched_is_nearest_in_words_among_those_that_differ(essays):
    essays["words"] = [10, 11, 30, 12, 13, 50, 51, 52, 53, 54, 55, 56]
    # The nearest in words has the same profile, and isn't taken.
    essays.loc[1, "profile"] = essays.loc[0, "profile"]
    first = [p["rejected_essay"] for p in pairs_of(essays, "length-matched") if p["essay"] == "e0"]
    assert sorted(first) == ["e3", "e4"]


def test_ties_are_broken_by_the_seed(essays):
    # All have as many words: every other essay is as near as any.
    draws = {
        str([p["rejected_essay"] for p in pairs_of(essays, "length-matched", seed=seed)])
        for seed in (1, 1, 2)
    }
    assert len(draws) == 2


def test_a_pair_of_one_and_the_same_text_is_refused(essays):
    essays.loc[0, "text"] = essays.loc[1, "text"]
    with pytest.raises(ValueError, match="essays e0 and e1 are the same text.*out of the corpus"):
        pairs_of(essays, "random", count=11)


def test_a_null_adapter_has_the_same_label_vectors_at_other_essays(essays):
    labels = [*TRAITS, "profile"]
    found = [permuted_labels(essays, null=null, seed=1) for null in (1, 2)]
    for permuted in found:
        assert permuted.drop(columns=labels).equals(essays.drop(columns=labels))
        # Whole vectors: each profile as often as before, its traits with it.
        rows = [
            sorted(map(tuple, table[labels].to_numpy().tolist())) for table in (permuted, essays)
        ]
        assert rows[0] == rows[1]
        assert list(permuted["profile"]) != list(essays["profile"])
    assert list(found[0]["profile"]) != list(found[1]["profile"])
    assert permuted_labels(essays, null=1, seed=1).equals(found[0])
    assert not permuted_labels(essays, null=1, seed=2).equals(found[0])


INSTRUMENTS = Path(__file__).parents[2] / "config/instruments"
REWORDINGS = load_rewordings(INSTRUMENTS.parent / "forms/rewordings.yaml")


def test_ideal_answers_are_extreme_and_random_ones_on_the_same_side():
    mini = load_instrument(INSTRUMENTS / "mini_ipip.yaml")
    questions = half_of_each_trait(mini, seed=1)
    profile = Profile.parse("O+C-E+A-N+")
    for kind, agreeing, disagreeing in (("ideal", {5}, {1}), ("random", {4, 5}, {1, 2})):
        seen = {True: set(), False: set()}
        for seed in range(20):
            said = rated(questions, profile, kind, np.random.default_rng(seed)).split("\n")[1:]
            assert len(said) == len(questions) == 10
            for question, line in zip(questions, said, strict=True):
                high = profile.levels[TRAITS.index(question.item.trait)]
                seen[high == (question.item.keyed == "plus")].add(int(line[-1]))
                assert line.startswith(question.item.statement())
        assert seen == {True: agreeing, False: disagreeing}


def test_answers_in_prompts_are_on_a_scale_whose_five_is_like_me_in_words_drawn_by_the_seed():
    assert SCALE.index("1 (very inaccurate)") < SCALE.index("5 (very accurate)")
    mini = load_instrument(INSTRUMENTS / "mini_ipip.yaml")
    questions = [
        Question(item, ("go out", "stay in")) for item in mini.items if item.trait == "openness"
    ]
    said = [
        rated(questions, Profile.parse("O+C-E+A-N+"), "ideal", np.random.default_rng(seed))
        for seed in (*range(20), 0)
    ]
    assert said[0] == said[-1]
    assert {line[:-2] for each in said for line in each.split("\n")[1:]} == {
        "I go out.",
        "I stay in.",
    }


def test_the_published_half_is_seeded_and_even_over_traits():
    neo = load_instrument(INSTRUMENTS / "ipip_neo_120.yaml")
    halves = [[q.item.id for q in half_of_each_trait(neo, seed=seed)] for seed in (1, 1, 2)]
    assert halves[0] == halves[1] != halves[2]
    traits = [question.item.trait for question in half_of_each_trait(neo, seed=1)]
    assert [traits.count(trait) for trait in TRAITS] == [12] * 5


def test_items_for_training_stand_in_training_words():
    mini = load_instrument(INSTRUMENTS / "mini_ipip.yaml")
    parts = {item.text.lower(): ["test", "train", "test", "train"] for item in mini.items}
    clusters = {item.cluster: ("train", "test")[n % 2] for n, item in enumerate(mini.items)}
    splits = {"clusters": clusters, "item_wordings": parts}
    found = trained_questions(mini, REWORDINGS, splits)
    assert {question.item.cluster for question in found} == {
        cluster for cluster, part in clusters.items() if part == "train"
    }
    for item, phrases in found:
        every = REWORDINGS.variants(item.text)
        assert phrases == (every[1], every[3])
        assert item.text not in phrases


def test_a_trait_without_a_held_out_item_is_refused():
    mini = load_instrument(INSTRUMENTS / "mini_ipip.yaml")
    clusters = {i.cluster: "train" if i.trait == "openness" else "test" for i in mini.items}
    parts = {item.text.lower(): ["test", "train", "test", "train"] for item in mini.items}
    options = {"instrument": mini, "rewordings": REWORDINGS, "seed": 1}
    splits = {"clusters": clusters, "item_wordings": parts}
    with pytest.raises(ValueError, match="none of openness would be held out; choose a longer"):
        choose_questions("train", splits=splits, **options)
    splits["clusters"] = dict.fromkeys(clusters, "test")
    with pytest.raises(ValueError, match="none is for training"):
        choose_questions("train", splits=splits, **options)


@pytest.mark.parametrize("conditioning", get_args(Conditioning))
def test_a_target_is_told_in_training_as_in_use_unless_the_settings_differ(conditioning):
    target = Profile.parse("O+C-E+A-N+")
    told = PairsSettings().persona.format(target=described(target, conditioning))
    assert told == persona(target, conditioning)


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ("Write as you like.", "has {target} 0 times; write it once"),
        ("You are {target}. Be {target}.", "has {target} 2 times; write it once"),
        ("You are {{target}}.", "has {target} 0 times; write it once"),
        ("You are {profile}.", "{profile} is no placeholder; allowed are {target}"),
        ("You are {target", "a brace that is meant literally is doubled"),
    ],
)
def test_a_wording_that_does_not_tell_the_target_once_is_refused(words, refused):
    with pytest.raises(ValueError, match=f"(?s)mine.yaml.*persona.*{re.escape(refused)}"):
        parse_settings(PairsSettings, {"persona": words}, source="mine.yaml")
