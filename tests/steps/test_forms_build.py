"""The forms of a study: what is added to the project leaves what a study asks."""

import json
from pathlib import Path

import pytest
import yaml

from mimic.forms import build, seen
from mimic.forms.authored import load_rewordings
from mimic.pairs.questions import half_of_each_trait, trained_questions
from mimic.questionnaire.instruments import load_instrument

ALL = ("ipip_bffm_50", "ipip_neo_120", "mini_ipip", "mini_ipip_10")


@pytest.fixture
def made(make_job, project):
    def make(out, *, authored=None, instruments=ALL):
        job = make_job(
            settings={"forms": {"wordings": 2}},
            inputs={
                "authored": authored or project / "config/forms/authored.yaml",
                "rewordings": project / "config/forms/rewordings.yaml",
                "instruments": [project / f"config/instruments/{n}.yaml" for n in instruments],
            },
            out=out,
        )
        build.main(job)
        return [
            json.loads((job.out / f"{name}.json").read_text())
            for name in ("forms", "words", "splits")
        ]

    return make


def test_an_instrument_that_is_not_asked_changes_nothing_that_is(made):
    forms, words, _ = made("all")
    fewer_forms, fewer_words, splits = made("fewer", instruments=("mini_ipip",))
    assert fewer_forms == forms
    for wording, own in fewer_words.items():
        assert own == {text: words[wording][text] for text in own}
    assert set(splits["items"]) == {"mini_ipip"}


def test_an_eleventh_wording_changes_nothing_that_is_asked(made, project, tmp_path):
    forms, words, splits = made("ten")
    values = yaml.safe_load((project / "config/forms/authored.yaml").read_text(encoding="utf-8"))
    values["wordings"]["added"] = "Say whether the statement is about someone like you."
    path = tmp_path / "eleven.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    more_forms, more_words, more_splits = made("eleven", authored=path)
    assert (more_forms, more_words) == (forms, words)
    assert more_splits.pop("wordings") == splits.pop("wordings") | {"added": "test"}
    assert more_splits == splits


def test_the_summary_counts_items_and_names_what_a_side_lacks(made):
    _, _, splits = made("all")
    neo = splits["items"]["ipip_neo_120"]["extraversion"]
    assert (
        neo["train"]["plus"] + neo["test"]["plus"]
        > 3 * (neo["train"]["minus"] + neo["test"]["minus"]) - 1
    )
    # Both sides have items of each trait and keying, but not of each facet.
    assert [line for line in splits["lacking"] if line.startswith("ipip_neo_120")] == [
        "ipip_neo_120: train has no item of facet O1 of openness",
        "ipip_neo_120: train has no item of facet C6 of conscientiousness",
    ]
    # With one item for each trait and keying no split can serve both sides.
    assert any(line.startswith("mini_ipip_10: ") for line in splits["lacking"])


@pytest.fixture
def made_again(make_job, project, made, tmp_path):
    """Forms in a training wording, made from a study's splits."""

    def make(kind, **changes):
        made(f"{kind}-study")
        splits = tmp_path / f"{kind}-study/splits.json"
        splits.write_text(json.dumps(json.loads(splits.read_text()) | changes))
        job = make_job(
            settings={"forms": {"formats": ["digits", "phrases", "letters"]}, "items": kind},
            inputs={
                "authored": project / "config/forms/authored.yaml",
                "rewordings": project / "config/forms/rewordings.yaml",
                "instrument": project / "config/instruments/mini_ipip.yaml",
                "splits": splits,
            },
            out=kind,
        )
        seen.main(job)
        read = [json.loads((job.out / f"{name}.json").read_text()) for name in ("forms", "words")]
        return *read, json.loads(splits.read_text())

    return make


def test_forms_in_a_training_wording_stand_in_held_out_formats(made_again):
    forms, words, splits = made_again("train")
    (wording,) = {form["wording"] for form in forms}
    assert splits["wordings"][wording] == "train"
    # Without phrases, which training may use; both orders.
    assert [form["format"] for form in forms] == ["digits", "digits", "letters", "letters"]
    assert list(words) == [wording]
    every = dict.fromkeys(splits["wordings"], "test")
    with pytest.raises(ValueError, match="none is for training"):
        made_again("published", wordings=every)


def test_items_stand_in_the_words_that_prompts_of_training_hold(made_again, project):
    mini = load_instrument(project / "config/instruments/mini_ipip.yaml")
    rewordings = load_rewordings(project / "config/forms/rewordings.yaml")
    (_, trained, splits), (_, published, _) = made_again("train"), made_again("published")
    asked = {
        "train": (trained, trained_questions(mini, rewordings, splits)),
        "published": (published, half_of_each_trait(mini, seed=1)),
    }
    for words, questions in asked.values():
        (own,) = words.values()
        assert len(own) == 20 and 8 <= len(questions) < 20
        for item, phrases in questions:
            assert own[item.text.lower()]["phrase"] in phrases
    (own,) = trained.values()
    # None in words that tests have, whichever side its cluster is on.
    for text, word in own.items():
        assert splits["item_wordings"][text][word["variant"]] == "train"


def test_the_default_study_asks_in_test_wordings_alone(make_job, project):
    settings = yaml.safe_load((project / "config/config.yaml").read_text(encoding="utf-8"))
    paths = sorted(Path(project / "config/instruments").glob("*.yaml"))
    job = make_job(
        settings={"forms": settings["forms"]},
        inputs={
            "authored": project / "config/forms/authored.yaml",
            "rewordings": project / "config/forms/rewordings.yaml",
            "instruments": paths,
        },
    )
    build.main(job)
    forms, words, splits = (
        json.loads((job.out / f"{name}.json").read_text()) for name in ("forms", "words", "splits")
    )
    (wording,) = words
    assert splits["wordings"][wording] == "test"
    assert [form["form"] for form in forms] == [
        f"{name}-{wording}-{order}"
        for name in ("digits", "letters")
        for order in ("published", "reversed")
    ]
    for text, word in words[wording].items():
        assert splits["item_wordings"][text][word["variant"]] == "test"
