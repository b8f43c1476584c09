import dataclasses
import json

import pandas as pd
import pytest

from mimic.forms import build, seen
from mimic.questionnaire import ask
from mimic.stats.reliability import MIN_ROWS

INSTRUMENTS = ("ipip_bffm_50", "ipip_neo_120", "mini_ipip")


@pytest.fixture
def made_forms(make_job, project):
    def make(out="forms", **settings):
        job = make_job(
            settings={"forms": {"formats": ["digits"], **settings}},
            inputs={
                "authored": project / "config/forms/authored.yaml",
                "rewordings": project / "config/forms/rewordings.yaml",
                "instruments": [project / f"config/instruments/{n}.yaml" for n in INSTRUMENTS],
            },
            out=out,
        )
        build.main(job)
        return job.out

    return make


@pytest.fixture
def job_of(make_job, tiny_model, project, tmp_path):
    def make(forms, out="out", store="answers", instrument="mini_ipip", settings=None, **inputs):
        job = make_job(
            settings={
                "questionnaire": {"batch_tokens": 128, **(settings or {})},
                "compute": {"threads": 1},
                "engine_code": "0",
            },
            inputs={
                "model": tiny_model,
                "adapter": [],
                "forms": forms / "forms.json",
                "words": forms / "words.json",
                "texts": [],
                "essays": [],
                "sketches": [],
                "instrument": project / f"config/instruments/{instrument}.yaml",
                **inputs,
            },
            out=out,
        )
        return dataclasses.replace(job, answers=tmp_path / store)

    return make


def answers_of(job):
    ask.main(job)
    return pd.read_parquet(job.out / "answers.parquet")


def test_all_cells_are_answered_and_scored_by_keying(job_of, made_forms):
    answers = answers_of(job_of(made_forms()))
    assert len(answers) == 16 * 2 * 20
    assert not answers.duplicated(["subject", "form", "item"]).any()
    assert (answers["subject"] == answers["profile"]).all()
    shares = answers[[f"p{k}" for k in range(1, 6)]]
    assert answers["mass"].to_numpy() == pytest.approx(shares.sum(axis=1).to_numpy())
    raw = sum(k * answers[f"p{k}"] for k in range(1, 6)) / answers["mass"]
    assert answers["raw"].to_numpy() == pytest.approx(raw.to_numpy())
    minus = answers["keyed"] == "minus"
    assert minus.sum() == 16 * 2 * 11
    assert (answers["y"][minus] == 6 - answers["raw"][minus]).all()
    assert (answers["y"][~minus] == answers["raw"][~minus]).all()
    # Words: half of the items of all instruments stand in their original words.
    assert 0.2 < (answers["variant"] == 0).mean() < 0.8


def test_the_words_of_a_wording_are_asked(job_of, made_forms, monkeypatch):
    seen = []
    real = ask.request
    monkeypatch.setattr(
        ask, "request", lambda form, **k: seen.append(k["statement"]) or real(form, **k)
    )
    forms = made_forms()
    answers_of(job_of(forms))
    (words,) = json.loads((forms / "words.json").read_text()).values()
    asked = {s for s in seen if s != "#"}
    assert len(asked) == 20
    assert asked < {ask.sentence(own["phrase"]) for own in words.values()}


def test_forms_in_a_training_wording_are_asked_as_those_of_a_study(
    job_of, made_forms, make_job, project
):
    study = made_forms(formats=["digits", "phrases"])
    made = make_job(
        settings={"forms": {"formats": ["digits", "phrases"]}, "items": "train"},
        inputs={
            "authored": project / "config/forms/authored.yaml",
            "rewordings": project / "config/forms/rewordings.yaml",
            "instrument": project / "config/instruments/mini_ipip.yaml",
            "splits": study / "splits.json",
        },
        out="seen",
    )
    seen.main(made)
    splits = json.loads((study / "splits.json").read_text())
    answers = answers_of(job_of(made.out))
    # Both orders of the one format that is held out.
    assert len(answers) == 16 * 2 * 20
    assert set(answers["format"]) == {"digits"}
    assert {splits["wordings"][wording] for wording in answers["wording"]} == {"train"}
    assert (answers["variant"] > 0).all()


def test_a_further_wording_asks_only_what_is_new(job_of, made_forms, monkeypatch):
    asked = []
    real = ask.SharedPrefix.answer
    monkeypatch.setattr(
        ask.SharedPrefix,
        "answer",
        lambda self, questions: asked.append(len(questions)) or real(self, questions),
    )
    one, two = made_forms(), made_forms("two", wordings=2)
    first = answers_of(job_of(one))
    assert sum(asked) == len(first) == 16 * 2 * 20
    more = answers_of(job_of(two, out="more"))
    assert sum(asked) == len(more) == 2 * len(first)
    pd.testing.assert_frame_equal(more, answers_of(job_of(two, out="alone", store="other")))
    assert sum(asked) == 4 * len(first)
    assert answers_of(job_of(one, out="back")).equals(first)
    assert sum(asked) == 4 * len(first)


def test_another_adapter_or_engine_has_a_store_of_its_own(
    job_of, made_forms, tmp_path, tiny_adapter
):
    forms = made_forms()
    ten = {"instrument": "mini_ipip_10"}
    base = answers_of(job_of(forms, **ten))
    one_prompt = answers_of(job_of(forms, out="other", settings={"engine": "one_prompt"}, **ten))
    assert len(list((tmp_path / "answers").iterdir())) == 2
    assert one_prompt["y"].to_numpy() == pytest.approx(base["y"].to_numpy(), abs=1e-4)
    tuned = answers_of(job_of(forms, out="tuned", adapter=tiny_adapter, **ten))
    assert len(list((tmp_path / "answers").iterdir())) == 3
    assert ((tuned["y"] - base["y"]).abs() > 1e-4).all()


def test_the_run_s_own_text_changes_its_answers(job_of, made_forms, tmp_path):
    forms = made_forms()
    answers = answers_of(job_of(forms))
    texts = tmp_path / "texts.csv"
    profiles = answers["profile"].unique()
    table = pd.DataFrame({"profile": profiles, "text": "I slept well.", "copied": 0})
    table.to_csv(texts, index=False)
    own = answers_of(job_of(forms, out="own", texts=[texts]))
    assert not (own["raw"] == answers["raw"]).any()

    table.loc[0, "copied"] = 1
    table.to_csv(texts, index=False)
    with pytest.raises(ValueError, match=r"no text of its own for O\+C\+E\+A\+N\+; raise"):
        ask.main(job_of(forms, out="lacking", texts=[texts]))


def test_held_out_essays_are_asked_about_without_a_target(job_of, made_forms, tmp_path):
    essays = tmp_path / "essays.csv"
    profiles = ["O+C+E+A+N+", "O-C-E-A-N-", "O+C+E+A+N+", "O-C+E-A+N-"]
    table = pd.DataFrame(
        {
            "id": ["007", "e2", "e3", "e4"],
            "text": ["I slept, and all.", "I ate.", "I ran.", "NA"],
            "profile": profiles,
            "role": ["T", "T", "T", "G"],
        }
    )
    table.to_csv(essays, index=False)
    forms = made_forms()
    two = answers_of(job_of(forms, essays=[essays], settings={"human_essays": 2}))
    # Different profiles first.
    assert set(two["profile"]) == {"O+C+E+A+N+", "O-C-E-A-N-"}
    three = answers_of(job_of(forms, out="three", essays=[essays], settings={"human_essays": 3}))
    assert set(three["subject"]) == {"007", "e2", "e3"}
    assert len(three) == 3 * 2 * 20
    with pytest.raises(ValueError, match="3 essays in role T, but questionnaire.human_essays is 9"):
        ask.main(job_of(forms, out="nine", essays=[essays], settings={"human_essays": 9}))


@pytest.mark.slow
def test_sketches_multiply_the_rows(job_of, made_forms, project):
    sketches = project / "config/forms/sketches.yaml"
    job = job_of(made_forms(), sketches=[sketches], instrument="mini_ipip_10")
    answers = answers_of(job)
    assert len(answers) == 16 * 13 * 2 * 10
    # At 16 profiles there are rows enough for α and ω.
    assert answers["subject"].nunique() == 16 * 13 >= MIN_ROWS
    assert answers.groupby("profile")["subject"].nunique().eq(13).all()


def test_an_option_that_begins_another_is_refused(job_of, made_forms):
    forms = made_forms()
    values = json.loads((forms / "forms.json").read_text())
    values[0]["answers"][0] = values[0]["answers"][1] + values[0]["answers"][2]
    (forms / "forms.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match="is the beginning of"):
        ask.main(job_of(forms))
