import dataclasses
from functools import partial

import pandas as pd
import pytest
import yaml

from mimic.chat import render
from mimic.compute import load_tokenizer
from mimic.forms.released import load_released
from mimic.questionnaire import generate
from mimic.questionnaire.generation_settings import GenerationSettings
from mimic.questionnaire.in_words import prompts_of, row_of
from mimic.questionnaire.instruments import load_instrument
from mimic.questionnaire.texts import cut_text, own_texts
from mimic.respondents.asking import answer_missing, sampling_options
from mimic.respondents.generation import GenerationRespondent
from mimic.respondents.store import TextStore
from mimic.settings import parse_settings
from mimic.step import Job
from mimic.traits import TRAITS, balanced_profiles


@pytest.fixture
def job_of(make_job, tiny_model, project, tmp_path):
    def make(out="out", *, texts=(), released=None, adapter=(), **changes) -> Job:
        settings = {"max_tokens": 4, "batch_size": 20} | changes
        job = make_job(
            settings={
                "questionnaire": settings,
                "compute": {"threads": 1},
                "engine_code": "0",
            },
            inputs={
                "model": tiny_model,
                "adapter": adapter or [],
                "released": released or project / "config/forms/released.yaml",
                "texts": list(texts),
                "instrument": project / "config/instruments/mini_ipip_10.yaml",
            },
            out=out,
        )
        return dataclasses.replace(job, answers=tmp_path / "answers")

    return make


@pytest.fixture
def texts_csv(tmp_path):
    """Three texts of each of 16 profiles, of which the first is copied and the second empty."""
    rows = [
        {"profile": str(profile), "text": text, "copied": copied}
        for profile in balanced_profiles(16)
        for text, copied in (("copied", 1), ("", 0), (f"I slept well. {profile} " * 40, 0))
    ]
    path = tmp_path / "texts.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def agrees(asked):
    """Whether a perfect respondent agrees."""
    high = asked.profile.levels[TRAITS.index(asked.item.trait)]
    return high == (asked.item.keyed == "plus")


class Scripted:
    """Answers as a profile says, one prompt at a time and the last first."""

    def __init__(self, asked):
        self.asked = asked

    def answers(self, prompts):
        assert prompts == [one.prompt for one in self.asked]
        for position, one in reversed(list(enumerate(self.asked))):
            symbol = getattr(one.format, "symbols", one.format.options)[0 if agrees(one) else 4]
            yield {position: f"{one.format.lead} {symbol}, because that is how I am."}


def test_every_item_is_answered_in_each_format_and_read(job_of):
    job = job_of()
    generate.main(job)
    table = pd.read_parquet(job.out / "generated.parquet")
    assert list(table.columns) == [
        *("profile", "item", "trait", "keyed", "cluster", "form", "format", "text", "option"),
        "reason",
    ]
    assert len(table) == 3 * 4 * 10
    assert not table.duplicated(["profile", "form", "item"]).any()
    assert list(table["form"].unique()) == ["S1", "S2", "S3"]
    assert (table["form"] == table["format"]).all()
    assert set(table["profile"]) == {str(profile) for profile in balanced_profiles(4)}
    assert ((table["option"] == 0) == (table["reason"] != "")).all()
    # A model without any training says nothing that could be read in all formats.
    assert (table["option"] == 0).any()


def test_the_same_settings_give_the_same_bytes_and_a_temperature_is_seeded(job_of):
    files = []
    for out, changes in (
        ("a", {}),
        ("b", {}),
        ("c", {"temperature": 1.0}),
        ("d", {"temperature": 1.0}),
        ("e", {"temperature": 1.0, "seed": 2}),
    ):
        job = job_of(out, **changes)
        generate.main(job)
        files.append((job.out / "generated.parquet").read_bytes())
    greedy, again, sampled, the_same, other = files
    assert greedy == again != sampled
    assert sampled == the_same != other


@pytest.mark.parametrize("temperature", [0.0, pytest.param(1.0, marks=pytest.mark.slow)])
def test_answers_are_kept_and_only_new_prompts_are_asked(
    job_of, monkeypatch, tmp_path, temperature
):
    asked = []
    real = GenerationRespondent.answers
    monkeypatch.setattr(
        GenerationRespondent,
        "answers",
        lambda self, prompts: asked.append(len(prompts)) or real(self, prompts),
    )
    few = job_of("few", temperature=temperature)
    generate.main(few)
    assert asked == [3 * 4 * 10]
    more = job_of("more", profiles=16, temperature=temperature)
    generate.main(more)
    assert asked[1:] == [3 * 12 * 10]
    alone = job_of("alone", profiles=16, temperature=temperature)
    generate.main(dataclasses.replace(alone, answers=tmp_path / "other"))
    pd.testing.assert_frame_equal(
        *(pd.read_parquet(job.out / "generated.parquet") for job in (more, alone))
    )


def test_an_adapter_answers_otherwise_and_apart(job_of, tiny_adapter, tmp_path):
    base, tuned = job_of("base"), job_of("tuned", adapter=tiny_adapter)
    generate.main(base)
    generate.main(tuned)
    before, after = (pd.read_parquet(j.out / "generated.parquet")["text"] for j in (base, tuned))
    assert (before != after).mean() > 0.5
    assert len(list((tmp_path / "answers").iterdir())) == 2


def test_the_key_of_an_answer_holds_what_it_depends_on():
    def key(**changes):
        options = {"max_tokens": 200, "batch_size": 32, "temperature": 0.0, "seed": 1}
        return sampling_options(**options | changes)

    assert key() == key(seed=9, top_p=0.5)
    assert key() != key(batch_size=8) and key() != key(max_tokens=3)
    sampled = {"temperature": 1.0}
    changes = ({}, {"top_p": 0.5}, {"seed": 2}, {"temperature": 0.5}, {"batch_size": 8})
    keys = [key(**sampled | change) for change in changes]
    assert all(keys.count(one) == 1 for one in keys)


def test_own_texts_stand_in_the_prompt_and_change_answers(job_of, texts_csv):
    plain, own = job_of("plain"), job_of("own", texts=[texts_csv], text_tokens=20)
    generate.main(plain)
    generate.main(own)
    before, after = (pd.read_parquet(j.out / "generated.parquet")["text"] for j in (plain, own))
    assert len(before) == len(after)
    assert (before != after).mean() > 0.5


def test_copied_and_empty_texts_are_passed_over_and_long_ones_cut(
    texts_csv, tiny_model, project, tmp_path
):
    profiles = balanced_profiles(4)
    texts = own_texts(texts_csv, profiles)
    assert all(text.startswith(f"I slept well. {profile}") for profile, text in texts.items())
    tokenizer = load_tokenizer(tiny_model.parent)
    cut = cut_text(tokenizer, texts[profiles[0]], tokens=5)
    assert len(tokenizer(cut)["input_ids"]) == 5
    assert texts[profiles[0]].startswith(cut)
    assert cut_text(tokenizer, "  Short,  as it was.", tokens=500) == "  Short,  as it was."

    released = load_released(project / "config/forms/released.yaml")
    items = load_instrument(project / "config/instruments/mini_ipip_10.yaml").items
    with_text = prompts_of(
        partial(render, tokenizer),
        released,
        profiles=profiles,
        items=items,
        texts=dict.fromkeys(profiles, cut),
    )
    assert all(f"Earlier you wrote this text:\n{cut}\n\n" in one.prompt.text for one in with_text)
    assert all(one.item.statement() in one.prompt.text for one in with_text)
    assert all(one.profile.words() in one.prompt.text for one in with_text)

    table = pd.read_csv(texts_csv, keep_default_na=False)
    table[table["profile"] != str(profiles[1])].to_csv(tmp_path / "lacking.csv", index=False)
    with pytest.raises(ValueError, match=r"lacking.csv: no text of its own for O\+C-E-A\+N\+;"):
        own_texts(tmp_path / "lacking.csv", profiles)


def test_prompts_without_a_place_for_the_text_are_refused_before_anything_is_answered(
    job_of, texts_csv, project, tmp_path
):
    values = yaml.safe_load((project / "config/forms/released.yaml").read_text(encoding="utf-8"))
    request = values["formats"]["S2"]["request"]
    values["formats"]["S2"]["request"] = request.replace("{text}", "none")
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(ValueError, match=r"has no \{text\}"):
        generate.main(job_of(released=path, texts=[texts_csv]))


def test_answers_are_put_back_in_order_and_read_as_options(project, tiny_model, tmp_path):
    released = load_released(project / "config/forms/released.yaml")
    items = load_instrument(project / "config/instruments/mini_ipip_10.yaml").items
    asked = prompts_of(
        partial(render, load_tokenizer(tiny_model.parent)),
        released,
        profiles=balanced_profiles(4),
        items=items,
        texts={},
    )
    with TextStore(tmp_path) as store:
        prompts = [one.prompt for one in asked]
        answers = answer_missing(Scripted(asked), prompts, store, options={})
    rows = [row_of(one, text) for one, text in zip(asked, answers, strict=True)]
    for one, row in zip(asked, rows, strict=True):
        assert row["option"] == (1 if agrees(one) else 5)
        assert row["reason"] == ""
    unread = row_of(asked[0], "I would rather not say.")
    assert (unread["option"], unread["reason"]) == (0, "no option")


def test_top_p_without_a_temperature_is_refused():
    with pytest.raises(ValueError, match="set top_p to 1 or a temperature above 0"):
        parse_settings(GenerationSettings, {"top_p": 0.9}, source="mine.yaml")
    assert GenerationSettings().temperature == 0
