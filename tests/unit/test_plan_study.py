"""A study as the plan sees it: its jobs, their examples and lengths; and its models' shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mimic.plan.corpus import Lengths, assumed_lengths, essay_lengths, padded_length
from mimic.plan.devices import node_of
from mimic.plan.study_work import Work, architecture_of, work_of
from mimic.plan.time import LOADING_RATE, training_seconds
from mimic.plan.workload import Answering, Training, Writing
from mimic.study import load_models, load_study

# A hundred essays of 101 to 200 tokens.
LENGTHS = Lengths(tokens=tuple(range(101, 201)))
PROMPT = 72

Works = Callable[..., list[Work]]


@pytest.fixture
def work(project: Path, monkeypatch: pytest.MonkeyPatch) -> Works:
    """The jobs of a study with these settings, on a hundred essays."""
    monkeypatch.chdir(project)

    def of(stage: str, /, lengths: Lengths = LENGTHS, **values: Any) -> list[Work]:
        study = load_study(values, source="a test")
        found = work_of(study, lengths, pack_of={"smollm2-sft-s1": "a pack"})
        return [each for each in found if each.stage == stage]

    return of


def training(work: Works, lengths: Lengths = LENGTHS, **finetune: Any) -> Training:
    method = finetune.pop("method", "sft")
    values = {"methods": [method]} | finetune
    roles = {"roles": {"G": 0.5, "E": 0.4, "T": 0.1}}
    (found,) = work("finetune", lengths, finetune=values, essays=roles)
    assert isinstance(found.task, Training)
    return found.task


def test_every_run_that_has_weights_has_its_jobs(work):
    models = {"models": ["smollm2", "gpt-3.5"], "finetune": {"methods": ["sft"], "seeds": [1, 2]}}
    trained = work("finetune", **models)
    assert [each.name for each in trained] == ["smollm2-sft-s1", "smollm2-sft-s2"]
    assert [each.pack for each in trained] == ["a pack", None]
    assert {each.section for each in trained} == {"finetune.sft"}
    runs = ["smollm2-base", "smollm2-sft-s1", "smollm2-sft-s2"]
    assert [each.name for each in work("writing", **models)] == runs
    assert len(work("questionnaire", **models)) == 6


def test_a_recipe_s_settings_are_named_by_their_section(work):
    recipes = {"wide": {"methods": ["dpo"], "dpo": {"lora": {"rank": 64}}}}
    (found,) = work("finetune", finetune={"methods": [], "recipes": recipes})
    assert found.section == "finetune.recipes.wide.dpo"
    assert found.task.adapter.rank == 64


def test_epochs_are_steps_over_the_essays_that_are_trained_on(work):
    # Half of a hundred is of role G, and a fifth of that for validation.
    found = training(work, sft={"epochs": 3, "batch_size": 3, "accumulation": 2})
    assert (found.examples, found.steps) == (40, 3 * 7)
    # Before and after training each validation essay is looked at.
    assert found.looked_at == 2 * 10
    evaluated = training(work, sft={"epochs": 3, "evaluations": 4})
    assert evaluated.looked_at == 6 * 10


def test_pairs_are_three_for_each_essay_or_as_many_as_are_set(work):
    whole = {"epochs": 1, "pairs": None, "batch_size": 1, "checked_pairs": 5, "evaluations": 1}
    found = training(work, method="dpo", dpo=whole)
    # Those of 24 of the 32 profiles.
    assert (found.examples, found.steps) == (90, 90)
    assert found.looked_at == 5 * 8 + 5 * 2
    few = training(work, method="orpo", orpo={"epochs": 2, "pairs": 8, "batch_size": 1})
    assert (few.examples, few.steps) == (8, 16)


def test_published_splits_train_on_more(work):
    published = {"split": "published", "sft": {"epochs": 1, "batch_size": 1}}
    assert training(work, **published).examples == 80
    pairs = {"split": "published", "dpo": {"epochs": 1, "pairs": None, "batch_size": 1}}
    assert training(work, method="dpo", **pairs).examples == 270


def test_each_adapter_of_a_profile_looks_at_its_own_pairs_and_loads_the_model(work):
    many = Lengths(tokens=tuple(range(100, 1700)))
    dpo = {"epochs": 1, "pairs": None, "batch_size": 1, "checked_pairs": 40, "evaluations": 1}
    finetune = {"method": "dpo", "dpo": dpo}
    one = training(work, many, **finetune)
    each = training(work, many, conditioning=["adapter"], **finetune)
    # 640 essays to train on and 160 to look at, of 32 profiles, of which 16 are asked.
    assert (one.adapters, each.adapters, each.divisible) == (1, 16, False)
    assert each.examples == 16 * 20 * 3
    assert one.looked_at == 4 * 40 + 6 * 40
    assert each.looked_at == 16 * (4 * 40 + 6 * 5 * 3)
    assert each.steps == 16 * 60
    # The last step of each adapter's epoch is filled up with examples of its own.
    several = {"method": "sft", "sft": {"epochs": 1.5, "batch_size": 1, "accumulation": 8}}
    assert training(work, many, conditioning=["adapter"], **several).steps == 16 * 5
    shape = architecture_of(load_models(Path("config/models.yaml"))["smollm2"])
    node = node_of("cpu", threads=1)
    starts = [training_seconds(shape, task, node).start for task in (one, each)]
    loading = 4 * shape.parameters / LOADING_RATE
    assert starts[1] - starts[0] == pytest.approx(15 * loading)


def test_what_devices_cannot_share_is_told_by_how_a_run_is_told(work):
    told = {"methods": ["sft"], "conditioning": ["prompt", "token", "none"]}
    found = {each.name: each.task.divisible for each in work("finetune", finetune=told)}
    assert found == {
        "smollm2-sft-s1": True,
        "smollm2-sft-token-s1": False,
        "smollm2-sft-none-s1": True,
    }


def test_items_make_prompts_longer(work):
    plain, items = (training(work, data=[data]) for data in ("essays", "essays-q-ideal"))
    # Half of the twenty items of the Mini-IPIP, of twenty tokens each.
    assert items.longest == min(256, plain.longest + 200)
    assert plain.longest == min(256, 200 + PROMPT)


def test_memory_is_for_the_longest_and_time_for_the_mean_with_its_padding(work):
    wide = {"batch_size": 1, "max_length": 1024}
    found = training(work, sft=wide)
    assert found.longest == 200 + PROMPT
    assert found.mean_length == pytest.approx(150.5 + PROMPT)
    padded = training(work, sft=wide | {"batch_size": 8})
    assert 185 + PROMPT < padded.mean_length < 192 + PROMPT
    sorted_ = training(work, sft=wide | {"batch_size": 8, "length_sorted": True})
    assert sorted_.mean_length == pytest.approx(found.mean_length)
    # Of a corpus that isn't there nobody knows the longest.
    unknown = training(work, replace(LENGTHS, assumed="all of it"), sft=wide)
    assert unknown.longest == 1024


def test_packed_rows_are_full_and_fewer(work):
    packed = {"epochs": 1, "batch_size": 1, "max_length": 1024, "packing": True}
    found = training(work, sft=packed)
    assert found.length == found.longest == 1024
    # Forty essays of 222.5 tokens.
    assert found.steps == 9


def test_runs_that_try_values_are_trained_alone(work):
    swept = {"finetune": {"methods": ["sft"], "sweep": {"rank": [4, 8]}}}
    assert len(work("finetune", **swept)) == 2
    assert [each.name for each in work("writing", **swept)] == ["smollm2-base"]
    assert {each.name.split(",")[0] for each in work("questionnaire", **swept)} == {"smollm2-base"}


def test_what_was_trained_in_4_bits_can_be_asked_so(work):
    found = work(
        "writing",
        compute={"devices": 3},
        finetune={"methods": ["sft"], "asked_as_trained": True, "sft": {"quantisation": "nf4"}},
    )
    assert [each.task.quantisation for each in found] == ["none", "nf4"]
    assert {each.task.devices for each in found} == {3}


def test_texts_of_a_run(work):
    (base,) = work(
        "writing",
        finetune={"methods": []},
        writing={"profiles": 32, "samples": 2, "max_new_tokens": 77, "batch_size": 500},
    )
    # In two situations.
    texts = 32 * 2 * 2
    assert base.task == Writing(
        texts=texts, prompt_length=PROMPT, new_tokens=77, batch_size=texts, precision="float32"
    )


def test_questions_of_each_context(work):
    asked = work(
        "questionnaire",
        finetune={"methods": []},
        writing={"profiles": 16},
        forms={"formats": ["digits", "letters"], "wordings": 3},
        questionnaire={"contexts": ["none", "own", "human", "sketches"], "human_essays": 6},
    )
    tasks = {each.context: each.task for each in asked}
    # Twenty items in two formats, three wordings and two orders; each profile with each sketch.
    sketches = len(yaml.safe_load(Path("config/forms/sketches.yaml").read_text())["sketches"])
    assert {context: task.endings for context, task in tasks.items()} == {
        "none": 16 * 12 * 20,
        "own": 16 * 12 * 20,
        "human": 6 * 12 * 20,
        "sketches": 16 * sketches * 12 * 20,
    }
    assert tasks["own"].prefix_length == 500 > tasks["none"].prefix_length


def test_each_prompt_by_itself_computes_all_of_it(work):
    (shared,), (alone,) = (
        work(
            "questionnaire",
            finetune={"methods": []},
            questionnaire={"contexts": ["none"], "engine": engine},
        )
        for engine in ("shared_prefix", "one_prompt")
    )
    assert isinstance(alone.task, Answering) and isinstance(shared.task, Answering)
    assert (alone.task.prefixes, alone.task.endings) == (0, shared.task.endings)
    assert alone.task.ending_length > 5 * shared.task.ending_length


def test_runs_that_trained_on_items_are_asked_again_in_a_training_wording(work):
    found = work(
        "questionnaire",
        finetune={"methods": ["sft"], "data": ["essays", "essays-q-ideal"], "null_adapters": 1},
        questionnaire={"contexts": ["own", "none"]},
        forms={"formats": ["digits", "letters", "phrases"], "wordings": 3},
    )
    again = [each for each in found if "training wording" in each.name]
    assert [each.name for each in again] == [
        "smollm2-sft-q-ideal-s1, training wording, context none"
    ]
    assert isinstance(again[0].task, Answering)
    # In both orders, without the format phrases, which training may use.
    assert (again[0].task.prefixes, again[0].task.endings) == (16 * 2 * 2, 16 * 2 * 2 * 20)


def test_answers_in_words_are_written_but_not_by_null_adapters(work):
    found = work(
        "questionnaire",
        finetune={"methods": ["sft"], "null_adapters": 1},
        questionnaire={
            "contexts": ["none", "human"],
            "protocols": ["likelihood", "released"],
            "generation": {"profiles": 16, "max_tokens": 50, "batch_size": 9},
        },
    )
    in_words = [each for each in found if isinstance(each.task, Writing)]
    assert [each.name for each in in_words] == [
        "smollm2-base, in words, context none",
        "smollm2-sft-s1, in words, context none",
    ]
    task = in_words[0].task
    assert (task.texts, task.new_tokens, task.batch_size) == (16 * 3 * 20, 50, 9)


def test_a_padded_row_is_as_long_as_the_longest_of_some():
    lengths = (10, 20, 30)
    assert padded_length(lengths, rows=1, prompt=5, max_length=100) == pytest.approx(25)
    # Of nine pairs drawn with replacement one is 10 long, three are 20, five are 30.
    mean = (10 + 3 * 20 + 5 * 30) / 9
    assert padded_length(lengths, rows=2, prompt=0, max_length=100) == pytest.approx(mean)
    assert padded_length(lengths, rows=2, prompt=0, max_length=20) == pytest.approx(170 / 9)


def test_lengths_come_from_the_corpus_or_are_assumed(project, monkeypatch):
    monkeypatch.chdir(project)
    composed = load_study({}, source="a test").settings.essays
    read = essay_lengths(composed)
    assert len(read.tokens) == 96 and not read.assumed
    assert read.tokens == tuple(sorted(read.tokens))
    source = {"kind": "csv", "path": "not-here.csv"}
    absent = load_study({"essays": {"source": source}}, source="a test").settings.essays
    assert essay_lengths(absent) == assumed_lengths(absent)
    assert "2,467 essays" in essay_lengths(absent).assumed


def test_the_models_have_the_parameters_that_their_shapes_make(project):
    models = load_models(project / "config/models.yaml")
    shapes = {name: architecture_of(m) for name, m in models.items() if not m.is_served}
    for name, shape in shapes.items():
        # As exact as the file tells it.
        assert shape.parameters / 1e6 == pytest.approx(models[name].parameters, abs=0.06), name
    four = {name for name, shape in shapes.items() if shape.norms_per_layer == 4}
    assert four == {"gemma-2-2b", "gemma-2-9b-it", "gemma-2-9b-it-abliterated"}
