import pandas as pd
import pytest

from mimic.pairs.build import conversations, preferences


@pytest.fixture
def essays(essays_csv):
    return pd.read_csv(essays_csv, dtype={"id": str})


def test_a_conversation_names_the_target_and_answers_with_the_essay(essays):
    rows = conversations(essays, request="Write.")
    assert [row["essay"] for row in rows] == list(essays["id"])
    assert rows[0]["prompt"][0]["content"].endswith("high neuroticism. Write.")
    assert rows[0]["completion"] == [{"role": "assistant", "content": essays["text"][0]}]


def test_rejected_essays_differ_in_profile_and_don_t_repeat(essays):
    pairs = preferences(essays, request="Write.", rejected_per_chosen=3, seed=1)
    assert len(pairs) == 3 * len(essays)
    assert all(pair["profile"] != pair["rejected_profile"] for pair in pairs)
    assert len({(pair["essay"], pair["rejected_essay"]) for pair in pairs}) == len(pairs)
    assert pairs == preferences(essays, request="Write.", rejected_per_chosen=3, seed=1)
    assert pairs != preferences(essays, request="Write.", rejected_per_chosen=3, seed=2)


def test_training_order_mixes_the_essays(essays):
    pairs = preferences(essays, request="Write.", rejected_per_chosen=3, seed=1)
    assert len({pair["essay"] for pair in pairs[:9]}) > 3


def test_too_few_others_is_an_error_with_the_mend(essays):
    same = essays.assign(profile=essays["profile"][0])
    with pytest.raises(ValueError, match="only 0 essays differ.*pairs.rejected_per_chosen is 3"):
        preferences(same, request="Write.", rejected_per_chosen=3, seed=1)
