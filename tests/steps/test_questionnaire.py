import pandas as pd
import pytest

from mimic.forms import build
from mimic.questionnaire import ask


@pytest.fixture
def forms(make_job, project):
    job = make_job(
        settings={"forms": {"formats": ["digits"]}},
        inputs={"authored": project / "config/forms/authored.yaml"},
        out="forms",
    )
    build.main(job)
    return job.out / "forms.json"


def job_of(make_job, tiny_model, project, forms, texts=(), out="out"):
    return make_job(
        settings={"questionnaire": {"batch_tokens": 128}, "compute": {"threads": 1}},
        inputs={
            "model": tiny_model,
            "adapter": [],
            "forms": forms,
            "texts": list(texts),
            "instrument": project / "config/instruments/mini_ipip.yaml",
        },
        out=out,
    )


def test_all_cells_are_answered_and_scored_by_keying(make_job, tiny_model, project, forms):
    job = job_of(make_job, tiny_model, project, forms)
    ask.main(job)
    answers = pd.read_parquet(job.out / "answers.parquet")
    assert len(answers) == 16 * 2 * 20
    assert not answers.duplicated(["profile", "form", "item"]).any()
    shares = answers[[f"p{k}" for k in range(1, 6)]]
    assert answers["mass"].to_numpy() == pytest.approx(shares.sum(axis=1).to_numpy())
    raw = sum(k * answers[f"p{k}"] for k in range(1, 6)) / answers["mass"]
    assert answers["raw"].to_numpy() == pytest.approx(raw.to_numpy())
    minus = answers["keyed"] == "minus"
    assert minus.sum() == 16 * 2 * 11
    assert (answers["y"][minus] == 6 - answers["raw"][minus]).all()
    assert (answers["y"][~minus] == answers["raw"][~minus]).all()


def test_the_run_s_own_text_changes_its_answers(make_job, tiny_model, project, forms, tmp_path):
    plain = job_of(make_job, tiny_model, project, forms)
    ask.main(plain)
    answers = pd.read_parquet(plain.out / "answers.parquet")
    texts = tmp_path / "texts.csv"
    profiles = answers["profile"].unique()
    table = pd.DataFrame({"profile": profiles, "text": "I slept well.", "copied": 0})
    table.to_csv(texts, index=False)
    own = job_of(make_job, tiny_model, project, forms, texts=[texts], out="own")
    ask.main(own)
    assert not (pd.read_parquet(own.out / "answers.parquet")["raw"] == answers["raw"]).any()

    table.loc[0, "copied"] = 1
    table.to_csv(texts, index=False)
    lacking = job_of(make_job, tiny_model, project, forms, texts=[texts], out="lacking")
    with pytest.raises(ValueError, match=r"no text of its own for O\+C\+E\+A\+N\+; raise"):
        ask.main(lacking)
