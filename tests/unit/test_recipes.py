"""Recipes and the runs that they make."""

from typing import Any

import pytest

from mimic.settings import parse_settings
from mimic.study import Study, StudySettings, load_study


@pytest.fixture
def study_of(project, monkeypatch):
    monkeypatch.chdir(project)

    def load(**finetune: Any) -> Study:
        return load_study({"finetune": finetune}, source="mine.yaml")

    return load


def test_recipes_stand_beside_the_section_itself(study_of) -> None:
    study = study_of(
        methods=["sft"],
        sft={"learning_rate": 1e-4},
        recipes={"as-published": {"methods": ["sft", "dpo"], "seeds": [1, 2]}},
    )
    assert list(study.runs) == [
        "smollm2-base",
        "smollm2-sft-s1",
        "smollm2-sft-as-published-s1",
        "smollm2-sft-as-published-s2",
        "smollm2-dpo-as-published-s1",
        "smollm2-dpo-as-published-s2",
    ]
    assert study.runs["smollm2-sft-s1"].training.learning_rate == 1e-4
    # A recipe stands alone: it has the default, not what the section above says.
    published = study.runs["smollm2-sft-as-published-s1"]
    assert published.training.learning_rate == 5e-4
    assert published.recipe == "as-published"
    assert {study.base_of(run) for run in study.runs} == {"smollm2-base"}


def test_a_recipe_has_training_data_of_its_own(study_of) -> None:
    study = study_of(methods=["dpo"], recipes={"few": {"pairs": {"rejected_per_chosen": 1}}})
    assert study.runs["smollm2-dpo-s1"].pairs == study.settings.pairs
    assert study.runs["smollm2-dpo-few-s1"].pairs.rejected_per_chosen == 1


def test_a_sweep_makes_a_run_for_each_combination(study_of) -> None:
    study = study_of(
        methods=["sft", "dpo"],
        sweep={"learning_rate": [1e-5, 3e-5], "beta": [0.1, 0.3], "rank": [8]},
    )
    assert list(study.runs)[1:] == [
        # SFT has no beta: it isn't trained twice for it.
        "smollm2-sft-lr1e-5-rank8-s1",
        "smollm2-sft-lr3e-5-rank8-s1",
        "smollm2-dpo-lr1e-5-beta0.1-rank8-s1",
        "smollm2-dpo-lr1e-5-beta0.3-rank8-s1",
        "smollm2-dpo-lr3e-5-beta0.1-rank8-s1",
        "smollm2-dpo-lr3e-5-beta0.3-rank8-s1",
    ]
    run = study.runs["smollm2-dpo-lr3e-5-beta0.1-rank8-s1"]
    assert (run.training.learning_rate, run.training.beta, run.training.lora.rank) == (3e-5, 0.1, 8)
    assert run.training.lora.alpha == study.settings.finetune.dpo.lora.alpha
    assert dict(run.swept) == {"learning_rate": 3e-5, "beta": 0.1, "rank": 8}


def test_a_swept_wording_reaches_the_training_data(study_of) -> None:
    study = study_of(methods=["sft"], sweep={"request": ["Write.", "Tell me."]})
    asked = {label: run.pairs.request for label, run in study.runs.items() if run.pairs}
    assert asked == {"smollm2-sft-request1-s1": "Write.", "smollm2-sft-request2-s1": "Tell me."}


@pytest.mark.parametrize(
    ("finetune", "message"),
    [
        ({"recipes": {"a": {"models": ["b"]}}}, "finetune.recipes.a.models names 'b', which is no"),
        ({"models": ["b"]}, "finetune.models names 'b', which is none of the study's models"),
        ({"recipes": {"a": {"seeds": [1, 1]}}}, "finetune.recipes.a.seeds names 1 more than once"),
        ({"sweep": {"rank": [4, 4]}}, "finetune.sweep.rank names 4 more than once"),
        ({"recipes": {"a": {"dpo": {"betta": 1}}}}, "finetune.recipes.a.dpo.betta: no such sett"),
        ({"recipes": {"A b": {}}}, "finetune.recipes.A b = 'A b'"),
    ],
)
def test_a_wrong_recipe_is_named(finetune: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_settings(StudySettings, {"finetune": finetune}, source="mine.yaml")
    assert message in str(caught.value)


def test_two_runs_of_one_label_are_refused(study_of) -> None:
    with pytest.raises(ValueError, match="two recipes make a run smollm2-sft-rank8-s1"):
        study_of(methods=["sft"], sweep={"rank": [8]}, recipes={"rank8": {"methods": ["sft"]}})
