"""Texts of a run: sampled and greedy, of the base and of an adapter; copies; a damaged model."""

import dataclasses
import json
import shutil

import pandas as pd
import pytest

from mimic.chat import encode
from mimic.compute import load_tokenizer
from mimic.writing import write
from mimic.writing.settings import WritingSettings


@pytest.fixture
def job_of(make_job, essays_csv, tiny_model, project):
    def make(out="out", *, model=None, adapter=(), **changes):
        settings = {"max_new_tokens": 8, "batch_size": 16} | changes
        job = make_job(
            settings={"writing": settings, "compute": {"threads": 1}, "engine_code": "0"},
            inputs={
                "model": model or tiny_model,
                "adapter": adapter or [],
                "essays": essays_csv,
                "trait_words": project / "workflow/resources/trait_words.yaml",
            },
            out=out,
        )
        return dataclasses.replace(job, answers=job.out.with_suffix(".answers"))

    return make


def texts_of(job):
    write.main(job)
    return pd.read_csv(job.out / "texts.csv", keep_default_na=False)


def test_one_text_for_each_profile_situation_and_sample(job_of):
    job = job_of()
    texts = texts_of(job)
    assert len(texts) == 64
    assert set(texts.groupby(["profile", "situation"]).size()) == {2}
    assert set(texts["situation"]) == set(WritingSettings().situations)
    assert texts["id"].is_unique
    # With a temperature the two samples of a profile differ.
    assert texts["text"].nunique() > 32
    hygiene = json.loads((job.out / "hygiene.json").read_text())
    assert hygiene["texts"] == 64
    assert hygiene["chat_template"] == "own"


def test_the_default_has_two_situations_and_texts_that_can_be_resampled():
    assert len(WritingSettings().situations) >= 2
    assert WritingSettings().samples >= 2


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(job_of):
    folders = []
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        job = job_of(out, seed=seed)
        write.main(job)
        folders.append((job.out / "texts.csv").read_bytes())
    assert folders[0] == folders[1] != folders[2]


def test_a_further_sample_leaves_the_others(job_of):
    two, three = texts_of(job_of("two")), texts_of(job_of("three", samples=3))
    kept = three[three["sample"] < 2].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, two)


def test_greedy_texts_don_t_follow_the_seed_and_an_adapter_writes_others(job_of, tiny_adapter):
    greedy = {"temperature": 0.0, "samples": 1}
    base = texts_of(job_of("base", **greedy))
    assert texts_of(job_of("again", seed=5, **greedy)).equals(base)
    tuned = texts_of(job_of("tuned", adapter=tiny_adapter, **greedy))
    assert (tuned["text"] != base["text"]).mean() > 0.5


def test_a_model_without_a_chat_template_writes_by_the_plain_one_and_says_so(
    job_of, tiny_model, tmp_path
):
    folder = shutil.copytree(tiny_model.parent, tmp_path / "base_model")
    (folder / "chat_template.jinja").unlink()
    greedy = {"temperature": 0.0, "samples": 1}
    job = job_of("plain", model=folder / "manifest.json", **greedy)
    assert (texts_of(job)["text"] != texts_of(job_of("own", **greedy))["text"]).any()
    assert json.loads((job.out / "hygiene.json").read_text())["chat_template"] == "plain"


def test_the_model_s_own_repetition_penalty_does_not_count(job_of, tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model.parent, tmp_path / "penalising")
    own = json.loads((folder / "generation_config.json").read_text())
    changed = own | {"repetition_penalty": 5.0, "no_repeat_ngram_size": 1}
    (folder / "generation_config.json").write_text(json.dumps(changed))
    greedy = {"temperature": 0.0, "samples": 1, "max_new_tokens": 16}
    penal = texts_of(job_of("penal", model=folder / "manifest.json", **greedy))
    assert penal.equals(texts_of(job_of("plain", **greedy)))


def test_a_text_that_stands_in_a_training_essay_is_marked(job_of, make_job, essays_csv, tiny_model):
    greedy = {"temperature": 0.0, "samples": 1, "max_new_tokens": 24}
    before = texts_of(job_of("before", **greedy))
    assert not before["copied"].any()
    tokenizer = load_tokenizer(tiny_model.parent)
    copied = next(t for t in before["text"] if len(encode(tokenizer, t)) >= 12)
    essays = pd.read_csv(essays_csv)
    essays.loc[0, "text"] = copied
    # Text that pandas would take for a missing value.
    essays.loc[1, "text"] = "NA"
    essays.to_csv(essays_csv, index=False)
    after = texts_of(job_of("after", **greedy))
    assert (after["copied"] == (after["text"] == copied)).all()
    assert after["copied"].sum() >= 1


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_a_model_that_gives_no_numbers_is_an_error(job_of, tiny_model, tmp_path, temperature):
    import torch
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_model.parent, tmp_path / "damaged_model")
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] = torch.full_like(weights["model.norm.weight"], torch.nan)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    job = job_of(model=folder / "manifest.json", temperature=temperature, samples=1)
    with pytest.raises(ValueError, match="no numbers for the prompt for a text about .* for O"):
        write.main(job)
