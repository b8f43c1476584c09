from pathlib import Path

import pandas as pd
import pytest

from mimic.files import read_json, read_jsonl, write_json
from mimic.pairs import conversations, preferences
from mimic.pairs.material import PARTS
from mimic.pairs.rejected import differing
from mimic.questionnaire.instruments import load_instrument
from mimic.traits import Profile, withheld_profiles

SETTINGS = {"pairs": {"rejected_per_chosen": 2}, "withholds_profiles": False}


def test_conversations_keep_validation_essays_apart(make_job, essays_csv):
    job = make_job(settings=SETTINGS, inputs={"essays": essays_csv})
    conversations.main(job)
    train, validation = (
        {row["essay"] for row in read_jsonl(job.out / f"{name}.jsonl")}
        for name in ("train", "validation")
    )
    assert train == {f"e{n}" for n in range(8)}
    assert validation == {f"e{n}" for n in range(8, 12)}


@pytest.mark.parametrize("step", [conversations, preferences])
def test_essays_of_other_roles_are_trained_on_by_nobody(make_job, essays_csv, step):
    table = pd.read_csv(essays_csv)
    table.loc[[0, 1, 2], "role"] = ["R", "E", "T"]
    # As in the published splits: outside of the training, the judge's, and for validation.
    table.loc[[8, 9], "role"] = ["E", "none"]
    table.to_csv(essays_csv, index=False)
    job = make_job(settings=SETTINGS, inputs={"essays": essays_csv})
    step.main(job)
    held = {}
    for name in PARTS:
        rows = read_jsonl(job.out / f"{name}.jsonl")
        sides = [side for side in ("essay", "rejected_essay") if side in rows[0]]
        held[name] = {row[side] for row in rows for side in sides}
    assert held == {
        "train": {f"e{n}" for n in range(3, 8)},
        "validation": {f"e{n}" for n in range(8, 12)},
    }


def test_rejected_essays_are_of_the_kind_that_is_set(make_job, essays_csv):
    found = []
    for kind in ("random", "opposite"):
        settings = SETTINGS | {"pairs": {"rejected_per_chosen": 1, "rejected": kind}}
        job = make_job(settings=settings, inputs={"essays": essays_csv}, out=kind)
        preferences.main(job)
        rows = read_jsonl(job.out / "train.jsonl")
        found.append(sum(differing(row["profile"], row["rejected_profile"]) for row in rows))
    assert found[0] < found[1]


@pytest.mark.parametrize(
    ("conditioning", "told"),
    [("token", "a person with <|O+|>, "), ("adapter", "a person. "), ("none", "a person. ")],
)
def test_a_training_prompt_tells_the_target_by_its_conditioning(
    make_job, essays_csv, conditioning, told
):
    settings = SETTINGS | {"conditioning": conditioning}
    job = make_job(settings=settings, inputs={"essays": essays_csv})
    conversations.main(job)
    for row in read_jsonl(job.out / "train.jsonl"):
        level = row["profile"][:2]
        expected = told.replace("O+", level)
        assert row["prompt"][0]["content"].startswith(f"You are {expected}")


def test_a_target_is_told_in_the_words_of_the_settings(make_job, essays_csv):
    words = {"persona": "Put yourself in the place of {target}.", "request": "Write."}
    job = make_job(settings={"pairs": words}, inputs={"essays": essays_csv})
    conversations.main(job)
    for row in read_jsonl(job.out / "train.jsonl"):
        target = Profile.parse(row["profile"]).words()
        (message,) = row["prompt"]
        assert message["content"] == (
            f"Put yourself in the place of a person with {target}. Write."
        )


def test_no_training_pair_holds_a_validation_essay(make_job, essays_csv):
    job = make_job(settings=SETTINGS, inputs={"essays": essays_csv})
    preferences.main(job)
    rows = read_jsonl(job.out / "train.jsonl")
    held_out = {f"e{n}" for n in range(8, 12)}
    assert len(rows) == 16
    assert not held_out & {row[side] for row in rows for side in ("essay", "rejected_essay")}


def test_profiles_that_are_withheld_are_rejected_and_never_chosen(make_job, essays_csv):
    job = make_job(settings=SETTINGS | {"withholds_profiles": True}, inputs={"essays": essays_csv})
    preferences.main(job)
    rows = read_jsonl(job.out / "train.jsonl")
    withheld = {str(profile) for profile in withheld_profiles()}
    own = set(pd.read_csv(essays_csv)["profile"][:8])
    assert {row["profile"] for row in rows} == own - withheld
    assert {row["rejected_profile"] for row in rows} & withheld


@pytest.fixture
def questioned(essays_csv, tmp_path):
    """Inputs of Essays+Q, and the splits and items among them."""
    config = Path(__file__).parents[2] / "config"
    items = load_instrument(config / "instruments/mini_ipip.yaml").items
    splits = {
        "clusters": {item.cluster: ("train", "test")[n // 5 % 2] for n, item in enumerate(items)},
        "item_wordings": {item.text.lower(): ["test", "train", "test", "train"] for item in items},
    }
    write_json(tmp_path / "splits.json", splits)
    inputs = {
        "essays": essays_csv,
        "splits": tmp_path / "splits.json",
        "instrument": config / "instruments/mini_ipip.yaml",
        "rewordings": config / "forms/rewordings.yaml",
    }
    return inputs, splits, items


def test_draws_are_the_settings_seed_s_and_no_other(make_job, questioned):
    for changes in ({"answers": "random"}, {"null": 1}):
        prompts = []
        for number, seed in enumerate((1, 1, 2)):
            settings = {"pairs": {"seed": seed}} | changes
            out = f"{next(iter(changes))}{number}"
            job = make_job(settings=settings, inputs=questioned[0], out=out)
            conversations.main(job)
            prompts.append((job.out / "train.jsonl").read_text())
        assert prompts[0] == prompts[1] != prompts[2]


def test_essays_q_prompts_hold_items_and_the_essay_stays_the_target(
    make_job, essays_csv, questioned
):
    inputs, splits, items = questioned
    job = make_job(settings=SETTINGS | {"answers": "ideal"}, inputs=inputs)
    conversations.main(job)
    rows = read_jsonl(job.out / "train.jsonl")
    texts = dict(pd.read_csv(essays_csv)[["id", "text"]].to_numpy())
    given = set()
    for row in rows:
        (message,) = row["prompt"]
        assert message["role"] == "user"
        ratings = [line for line in message["content"].split("\n") if line.startswith("I ")]
        assert len(ratings) == sum(splits["clusters"][i.cluster] == "train" for i in items)
        given |= {line[-1] for line in ratings}
        assert row["completion"][0]["content"] == texts[row["essay"]]
    assert given == {"1", "5"}
    trained = {cluster for cluster, part in splits["clusters"].items() if part == "train"}
    assert set(read_json(job.out / "items.json")["clusters"]) == trained


def test_a_null_adapter_s_rejected_essays_are_drawn_after_the_permutation(make_job, essays_csv):
    job = make_job(settings=SETTINGS | {"null": 1}, inputs={"essays": essays_csv})
    preferences.main(job)
    rows = [row for name in PARTS for row in read_jsonl(job.out / f"{name}.jsonl")]
    true = dict(pd.read_csv(essays_csv)[["id", "profile"]].to_numpy())
    given = {row["essay"]: row["profile"] for row in rows}
    # Over training and validation essays together, each pair by the labels as they are given.
    assert sorted(given.values()) == sorted(true.values())
    assert given != true
    assert {row["rejected_profile"] == given[row["rejected_essay"]] for row in rows} == {True}
    assert all(row["profile"] != row["rejected_profile"] for row in rows)
    # No training pair holds a validation essay, whatever its label is now.
    held_out = {f"e{n}" for n in range(8, 12)}
    train = read_jsonl(job.out / "train.jsonl")
    assert not held_out & {row[side] for row in train for side in ("essay", "rejected_essay")}
