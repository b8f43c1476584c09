"""The forms of a study: what is added to the project leaves what a study asks."""

import json

import pytest
import yaml

from mimic.forms import build

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
    assert not any(line.startswith("ipip_neo_120") for line in splits["lacking"])
    # With one item for each trait and keying no split can serve both sides.
    assert any(line.startswith("mini_ipip_10: ") for line in splits["lacking"])
