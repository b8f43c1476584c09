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


def test_preference_training_withholds_profiles_but_as_published(study_of) -> None:
    study = study_of(recipes={"as-published": {"split": "published"}})
    withholding = [label for label, run in study.runs.items() if run.withholds_profiles]
    assert withholding == ["smollm2-dpo-s1", "smollm2-orpo-s1"]


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
        (
            {"null_adapters": 5, "sweep": {"rank": [4]}},
            "finetune = {'null_adapters': 5, 'sweep': {'rank': [4]}}: null_adapters is 5, but the "
            "recipe sweeps over values",
        ),
        ({"recipes": {"A b": {}}}, "finetune.recipes.A b = 'A b'"),
    ],
)
def test_a_wrong_recipe_is_named(finetune: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_settings(StudySettings, {"finetune": finetune}, source="mine.yaml")
    assert message in str(caught.value)


WRITE = "Tell  how the VISIT went."


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"pairs": {"request": WRITE}}, "pairs.request"),
        ({"finetune": {"pairs": {"request": WRITE}}}, "finetune.pairs.request"),
        (
            {"finetune": {"recipes": {"a": {"sweep": {"request": ["Write.", WRITE]}}}}},
            "finetune.recipes.a.sweep.request",
        ),
    ],
)
def test_a_situation_that_is_trained_on_is_refused(project, monkeypatch, values, where) -> None:
    monkeypatch.chdir(project)
    writing = {"writing": {"situations": {"visit": "Tell how the visit went."}}}
    message = rf"mine.yaml: writing.situations.visit = .*: {where} trains on the same request"
    with pytest.raises(ValueError, match=message):
        load_study(values | writing, source="mine.yaml")


def test_two_runs_of_one_label_are_refused(study_of) -> None:
    with pytest.raises(ValueError, match="two recipes make a run smollm2-sft-rank8-s1"):
        study_of(methods=["sft"], sweep={"rank": [8]}, recipes={"rank8": {"methods": ["sft"]}})


def test_null_adapters_stand_beside_each_run(study_of) -> None:
    study = study_of(methods=["sft", "dpo"], seeds=[1, 2], null_adapters=3)
    assert list(study.runs)[1:6] == [
        "smollm2-sft-s1",
        "smollm2-sft-s2",
        # The training seeds in turn.
        "smollm2-sft-null1-s1",
        "smollm2-sft-null2-s2",
        "smollm2-sft-null3-s1",
    ]
    null, run = study.runs["smollm2-dpo-null2-s2"], study.runs["smollm2-dpo-s2"]
    assert (null.null, run.null) == (2, None)
    # Nothing but the labels differs.
    assert (null.training, null.pairs, null.seed) == (run.training, run.pairs, run.seed)
    series = study.series["smollm2-dpo"]
    assert series.runs == ("smollm2-dpo-s1", "smollm2-dpo-s2")
    assert series.nulls == tuple(f"smollm2-dpo-null{k}-s{s}" for k, s in ((1, 1), (2, 2), (3, 1)))
    assert series.is_compared


def test_a_series_of_one_run_has_nothing_to_compare(study_of) -> None:
    series = study_of(methods=["sft", "dpo"]).series
    assert list(series) == ["smollm2-sft", "smollm2-dpo"]
    assert not any(one.is_compared for one in series.values())


def test_runs_that_try_values_are_trained_and_not_measured(study_of) -> None:
    study = study_of(methods=["sft"], recipes={"ranks": {"sweep": {"rank": [4, 8]}}})
    tried = [label for label in study.runs if label not in study.measured]
    methods = ("sft", "dpo", "orpo")
    assert tried == [f"smollm2-{m}-ranks-rank{rank}-s1" for m in methods for rank in (4, 8)]
    assert list(study.series) == ["smollm2-sft"]


def test_null_adapters_are_asked_where_they_are_compared(project, monkeypatch) -> None:
    monkeypatch.chdir(project)
    values = {
        "finetune": {"methods": ["sft"], "null_adapters": 1},
        "questionnaire": {"contexts": ["own", "none", "sketches"]},
    }
    study = load_study(values, source="mine.yaml")
    assert study.contexts_of("smollm2-sft-null1-s1") == ("none",)
    assert study.contexts_of("smollm2-sft-s1") == ("own", "none", "sketches")
    values["questionnaire"] = {"contexts": ["human"]}
    with pytest.raises(ValueError, match="no context of questionnaire.contexts .human. tells a"):
        load_study(values, source="mine.yaml")


def test_training_data_are_an_axis(study_of) -> None:
    study = study_of(methods=["sft"], data=["essays", "essays-q-ideal", "essays-q-random"])
    assert {label: run.answers for label, run in study.runs.items()} == {
        "smollm2-base": None,
        "smollm2-sft-s1": None,
        "smollm2-sft-q-ideal-s1": "ideal",
        "smollm2-sft-q-random-s1": "random",
    }
    assert "smollm2-sft-q-ideal" in study.series


def test_runs_of_a_published_split_have_judges_of_their_own(project, monkeypatch) -> None:
    monkeypatch.chdir(project)
    values = {
        "finetune": {
            "methods": ["sft"],
            "recipes": {"as-published": {"split": "published", "methods": ["sft", "orpo"]}},
        },
        "questionnaire": {"contexts": ["none", "human"]},
    }
    study = load_study(values, source="mine.yaml")
    assert {label: run.judge for label, run in study.runs.items()} == {
        "smollm2-base": "reading",
        "smollm2-sft-s1": "reading",
        "smollm2-sft-as-published-s1": "published-sft",
        "smollm2-orpo-as-published-s1": "published-preferences",
    }
    assert study.published_splits == ["published-preferences", "published-sft"]
    # Essays that others are asked about can be in its training.
    assert study.contexts_of("smollm2-sft-as-published-s1") == ("none",)
    values["questionnaire"] = {"contexts": ["human"]}
    with pytest.raises(ValueError, match="finetune.recipes.as-published.split is published, but"):
        load_study(values, source="mine.yaml")


def test_as_published_quantised_runs_are_asked_in_four_bits(study_of) -> None:
    published = {"methods": ["sft", "dpo"], "dpo": {"quantisation": "nf4"}}
    study = study_of(
        methods=["dpo"],
        dpo={"quantisation": "nf4"},
        recipes={"as-published": published | {"asked_as_trained": True}},
    )
    quantised = {run: study.compute_of(run)["quantisation"] for run in study.runs}
    assert quantised == {
        "smollm2-base": "none",
        "smollm2-dpo-s1": "none",
        "smollm2-sft-as-published-s1": "none",
        "smollm2-dpo-as-published-s1": "nf4",
    }


def test_a_run_that_there_is_not_names_the_nearest(study_of) -> None:
    with pytest.raises(ValueError, match="'smollm2-spo-s1'; is smollm2-dpo-s1 meant"):
        study_of().runs["smollm2-spo-s1"]
    with pytest.raises(ValueError, match="no run of this study is called 'else'$"):
        study_of().runs["else"]


def test_conditioning_is_an_axis(study_of) -> None:
    study = study_of(
        methods=["sft"],
        conditioning=["prompt", "token", "adapter", "none"],
        recipes={"few": {"methods": ["dpo"], "conditioning": ["token"], "sweep": {"rank": [8]}}},
    )
    assert {label: run.conditioning for label, run in study.runs.items()} == {
        # What is compared with is told in words.
        "smollm2-base": "prompt",
        "smollm2-sft-s1": "prompt",
        "smollm2-sft-token-s1": "token",
        "smollm2-sft-adapter-s1": "adapter",
        "smollm2-sft-none-s1": "none",
        "smollm2-dpo-few-rank8-token-s1": "token",
    }
    assert study.runs["smollm2-sft-token-s1"].series == "smollm2-sft-token"


def test_profiles_are_withheld_where_prompts_hold_a_target(study_of) -> None:
    study = study_of(methods=["dpo"], conditioning=["prompt", "token", "adapter", "none"])
    withheld = {run.conditioning for run in study.runs.values() if run.withholds_profiles}
    assert withheld == {"prompt", "token"}


def test_adapters_are_trained_for_all_profiles_that_are_answered_or_written_for(
    project, monkeypatch
) -> None:
    monkeypatch.chdir(project)
    values = {"questionnaire": {"profiles": 16}, "writing": {"profiles": 32}}
    assert load_study(values, source="mine.yaml").adapted_profiles == 32
    values = {"questionnaire": {"generation": {"profiles": 32}}}
    assert load_study(values, source="mine.yaml").adapted_profiles == 16
    values["questionnaire"]["protocols"] = ["likelihood", "corrected"]
    assert load_study(values, source="mine.yaml").adapted_profiles == 32


def test_runs_are_asked_where_their_conditioning_makes_sense(project, monkeypatch) -> None:
    monkeypatch.chdir(project)
    finetune = {"methods": ["sft"], "conditioning": ["token", "adapter", "none"]}
    contexts = ["none", "human", "sketches"]
    values = {"finetune": finetune, "questionnaire": {"contexts": contexts}}
    study = load_study(values, source="mine.yaml")
    assert {label: study.contexts_of(label) for label in study.runs} == {
        "smollm2-base": ("none", "human", "sketches"),
        "smollm2-sft-token-s1": ("none", "human", "sketches"),
        "smollm2-sft-adapter-s1": ("none", "sketches"),
        "smollm2-sft-none-s1": ("none", "human"),
    }
    values["questionnaire"] = {"contexts": ["human"]}
    with pytest.raises(ValueError, match="finetune.conditioning has adapter, whose runs aren't"):
        load_study(values, source="mine.yaml")


DDP = {"launch": {"config": "ddp", "devices": 2}, "accumulation": 2}
FSDP = {"launch": {"config": "fsdp2_lora", "devices": 2}, "accumulation": 2}


@pytest.mark.parametrize(
    ("finetune", "message"),
    [
        (
            {"conditioning": ["adapter"], "data": ["essays", "essays-q-ideal"]},
            "conditioning has adapter, whose prompts hold no target, and data has essays-q-ideal",
        ),
        (
            {"conditioning": ["prompt", "none"], "null_adapters": 5},
            "conditioning has none and null_adapters is 5",
        ),
        (
            {"conditioning": ["adapter"], "methods": ["sft"], "sft": DDP},
            "conditioning has adapter and sft.launch.devices is 2",
        ),
        (
            {"conditioning": ["token"], "methods": ["dpo"], "dpo": FSDP},
            "conditioning has token and dpo.launch.config is fsdp2_lora",
        ),
        ({"conditioning": ["token", "token"]}, "finetune.conditioning names token more than once"),
        ({"conditioning": ["words"]}, "finetune.conditioning.0 = 'words'"),
    ],
)
def test_a_conditioning_that_does_not_fit_is_refused(
    finetune: dict[str, Any], message: str
) -> None:
    values = {"finetune": finetune, "compute": {"device": "cuda"}}
    with pytest.raises(ValueError) as caught:
        parse_settings(StudySettings, values, source="mine.yaml")
    assert message in str(caught.value)


def test_several_devices_of_a_method_that_is_not_trained_are_no_matter() -> None:
    finetune = {"conditioning": ["adapter"], "methods": ["dpo"], "sft": DDP}
    parse_settings(StudySettings, {"finetune": finetune}, source="mine.yaml")
