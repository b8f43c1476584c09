"""What runs answer and write that are told their target by tokens, by adapters, or not at all."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file, save_file

from mimic.finetune import sft
from mimic.forms import build
from mimic.pairs import conversations
from mimic.questionnaire import ask, generate, rows
from mimic.traits import TRAITS, Profile, balanced_profiles
from mimic.writing import write

PROFILES = balanced_profiles(16)
OPTIONS = list(rows.OPTIONS)


@pytest.fixture
def job_of(make_job, tiny_model, project, tmp_path, essays_csv):
    """Makes a job of a step that answers or writes."""

    def make(step, *, out, conditioning, adapter=(), settings=None, essays=(), texts=()):
        key, given = {
            ask: ("questionnaire", {"batch_tokens": 128}),
            generate: ("questionnaire", {"max_tokens": 4, "batch_size": 20}),
            write: ("writing", {"max_new_tokens": 8, "batch_size": 16}),
        }[step]
        instrument = project / "config/instruments/mini_ipip_10.yaml"
        inputs = {"model": tiny_model, "adapter": adapter or [], "texts": list(texts)}
        if step is ask:
            forms = make_job(
                settings={"forms": {"formats": ["digits"]}},
                inputs={
                    "authored": project / "config/forms/authored.yaml",
                    "rewordings": project / "config/forms/rewordings.yaml",
                    "instruments": [instrument],
                },
                out=f"{out}-forms",
            )
            build.main(forms)
            inputs |= {"forms": forms.out / "forms.json", "words": forms.out / "words.json"}
            inputs |= {"essays": list(essays), "sketches": []}
        if step is write:
            inputs |= {
                "essays": essays_csv,
                "trait_words": project / "workflow/resources/trait_words.yaml",
            }
        job = make_job(
            settings={
                key: given | (settings or {}),
                "compute": {"threads": 1},
                "engine_code": "0",
                "conditioning": conditioning,
            },
            inputs=inputs
            | {"instrument": instrument, "released": project / "config/forms/released.yaml"},
            out=out,
        )
        return dataclasses.replace(job, answers=tmp_path / "answers")

    return make


@pytest.fixture
def results_of(job_of):
    """Runs such a job and reads what it wrote."""

    def run(step, **options):
        job = job_of(step, **options)
        step.main(job)
        if step is write:
            return pd.read_csv(job.out / "texts.csv", keep_default_na=False)
        name = "answers" if step is ask else "generated"
        return pd.read_parquet(job.out / f"{name}.parquet")

    return run


def by_profile(answers):
    """Option probabilities of each profile, in the same order of forms and items."""
    return {
        profile: own.sort_values(["form", "item"])[OPTIONS].to_numpy()
        for profile, own in answers.groupby("profile")
    }


@pytest.fixture
def token_adapter(make_job, tiny_model, tmp_path):
    """An adapter with learned target tokens, trained at a high rate."""
    columns = ["id", "text", *TRAITS, "profile", "words", "cluster", "role", "validation"]
    rows = []
    for number, profile in enumerate(PROFILES):
        levels = [int(high) for high in profile.levels]
        text = "I went out and met people." if levels[0] else "I stayed, and read 3 books."
        rows.append([f"e{number}", text, *levels, str(profile), 6, number, "G", int(number > 12)])
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "e.csv", index=False)
    pairs = make_job(
        settings={"pairs": {}, "conditioning": "token"},
        inputs={"essays": tmp_path / "e.csv"},
        out="pairs",
    )
    conversations.main(pairs)
    (pairs.out / "manifest.json").write_text("{}")
    job = make_job(
        settings={
            "run": {"model": "tiny", "seed": 1},
            "compute": {"threads": 1},
            "conditioning": "token",
            "sft": {"learning_rate": 0.05, "warmup_steps": 0, "max_length": 128, "steps": 8},
        },
        inputs={"model": tiny_model, "pairs": pairs.out / "manifest.json"},
        out="trained",
    )
    sft.main(job)
    (job.out / "manifest.json").write_text("{}")
    return job.out / "manifest.json"


def test_learned_tokens_stand_in_prompts_and_their_embeddings_answer(
    results_of, token_adapter, tiny_model, smollm2_tokenizer
):
    # The engine compares its first answer with that of a plain forward pass.
    options = {"conditioning": "token", "adapter": token_adapter}
    shared = results_of(ask, out="shared", **options)
    own = by_profile(shared)
    assert len({answers.tobytes() for answers in own.values()}) == len(PROFILES)
    one = results_of(ask, out="one", settings={"engine": "one_prompt"}, **options)
    for profile, answers in by_profile(one).items():
        assert np.log(answers) == pytest.approx(np.log(own[profile]), abs=1e-4)

    # It is the embeddings that answer: in another order they answer otherwise.
    folder = token_adapter.parent
    other = shutil.copytree(folder, folder.with_name("other"))
    weights = load_file(other / "adapter_model.safetensors")
    (rows,) = [name for name in weights if "lora" not in name]
    weights[rows] = weights[rows].flip(0).contiguous()
    save_file(weights, other / "adapter_model.safetensors", metadata={"format": "pt"})
    (other / "manifest.json").write_text("turned round")
    turned = results_of(ask, out="turned", conditioning="token", adapter=other / "manifest.json")
    apart = [np.abs(np.log(own[p] / found)).max() for p, found in by_profile(turned).items()]
    assert min(apart) > 0.05

    texts = results_of(write, out="texts", settings={"temperature": 0, "samples": 1}, **options)
    assert texts.groupby("profile")["text"].sum().nunique() > 1
    assert not texts["text"].str.contains("<|", regex=False).any()
    words = results_of(generate, out="words", **options)
    assert words.groupby("profile")["text"].sum().nunique() > 1


@pytest.fixture
def adapters(tiny_adapter, tmp_path):
    """An adapter for each profile: one that changes nothing where openness is low."""
    folder = tmp_path / "adapters-of-a-run"
    weights = load_file(tiny_adapter.parent / "adapter_model.safetensors")
    nothing = {name: weight * ("lora_B" not in name) for name, weight in weights.items()}
    for profile in PROFILES:
        own = folder / "adapters" / str(profile)
        own.mkdir(parents=True)
        shutil.copy(tiny_adapter.parent / "adapter_config.json", own)
        save = weights if profile.levels[0] else nothing
        save_file(save, own / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / "manifest.json").write_text("of a run")
    return folder / "manifest.json"


@pytest.mark.slow
def test_each_profile_is_answered_and_written_for_with_its_own_adapter(
    results_of, adapters, tiny_adapter
):
    told = by_profile(results_of(ask, out="a", conditioning="adapter", adapter=adapters))
    changed, unchanged = (
        by_profile(results_of(ask, out=out, conditioning="none", adapter=adapter))
        for out, adapter in (("changed", tiny_adapter), ("unchanged", ()))
    )
    for profile, answers in told.items():
        expected = changed if Profile.parse(profile).levels[0] else unchanged
        assert np.array_equal(answers, expected[profile])

    greedy = {"settings": {"temperature": 0, "samples": 1}}
    texts = results_of(write, out="t", conditioning="adapter", adapter=adapters, **greedy)
    plain = results_of(write, out="p", conditioning="none", **greedy)
    assert list(texts["id"]) == list(plain["id"])
    same = texts["text"] == plain["text"]
    high = texts["profile"].str.startswith("O+")
    assert same[~high].all()
    assert not same[high].all()

    words = results_of(generate, out="w", conditioning="adapter", adapter=adapters)
    assert set(words.groupby("profile").size()) == {30}
    by_level = words.groupby(words["profile"].str[:2])["text"]
    assert by_level.nunique().min() > 1
    first, second = (
        list(words[words["profile"] == p]["text"]) for p in ("O+C+E-A-N+", "O-C+E+A+N-")
    )
    assert first != second


def test_about_an_essay_no_adapter_of_a_profile_is_asked(job_of, adapters, essays_csv):
    job = job_of(ask, out="a", conditioning="adapter", adapter=adapters, essays=[essays_csv])
    with pytest.raises(ValueError, match="none for the author of an essay.*leave out the context"):
        ask.main(job)


def test_without_a_target_all_profiles_are_answered_alike_and_texts_drawn_apart(results_of):
    answers = by_profile(results_of(ask, out="a", conditioning="none"))
    assert len(answers) == 16
    assert len({own.tobytes() for own in answers.values()}) == 1
    words = results_of(generate, out="w", conditioning="none")
    assert {len(set(texts)) for _, texts in words.groupby(["form", "item"])["text"]} == {1}
    texts = results_of(write, out="t", conditioning="none")
    # 64 draws from two prompts, the samples of a profile and those of profiles.
    assert texts["text"].nunique() > 48
    assert (texts["trait_words"] == 0).mean() > 0.9
