"""The settings of the reference study at full size."""

from pathlib import Path

import pytest

from mimic.conditioning import described, persona
from mimic.metrics.confounds import Pair, pairs_of
from mimic.plan.corpus import Lengths
from mimic.plan.study_work import count_items, training_of
from mimic.recipes import Run
from mimic.study import Study, load_study, read_settings
from mimic.traits import Profile

# What the published filter leaves of 2,467 essays.
MODERATED = 2070
REFERENCE = ("gemma-2-2b", "gemma-7b", "llama-3.1-8b", "llama-3.2-3b-instruct")


@pytest.fixture
def study(project: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(project)
    path = Path("config/paper.yaml")
    return load_study(read_settings(path), source=str(path))


def published(run: Run) -> bool:
    """Whether a run is trained as published, with Essays+Q or without."""
    return (run.recipe or "").startswith("as-published")


def trained(study: Study, *, as_published: bool) -> list[Run]:
    """The runs that are trained as published, or the mended ones."""
    found = [run for run in study.runs.values() if run.training is not None]
    return [run for run in found if published(run) == as_published]


def variants(study: Study) -> set[str]:
    """The models that aligned ones are compared with uncensored ones in."""
    pairs = {name: model.pair for name, model in study.models.items() if model.pair}
    return {*pairs, *(pair for pair in pairs.values() if pair)}


def test_runs_as_published_have_the_published_settings(study: Study) -> None:
    runs = trained(study, as_published=True)
    assert {run.model for run in runs} == set(REFERENCE)
    for run in runs:
        training = run.training
        assert training is not None and run.pairs is not None
        sft = run.method == "sft"
        assert (training.epochs, training.batch_size * training.accumulation) == (3, 8)
        assert (training.max_length, training.warmup_steps) == (4000, 500)
        assert training.learning_rate == (1e-5 if sft else 8e-6)
        lora = training.lora
        assert (lora.rank, lora.alpha, lora.dropout) == ((8, 32, 0.1) if sft else (16, 32, 0.05))
        assert training.attention == "eager"
        assert training.quantisation == ("none" if sft else "nf4")
        assert (run.split, run.pairs.rejected, run.pairs.rejected_per_chosen) == (
            "published",
            "random",
            3,
        )
    assert {run.data for run in runs} == {"essays", "essays-q-ideal", "essays-q-random"}


def steps_of(study: Study, run: Run) -> float:
    """Optimizer steps with the essays that moderation leaves, of one adapter where there are 32."""
    lengths = Lengths(tokens=(790,) * MODERATED)
    steps = training_of(study, run, lengths, items=count_items(study)).steps
    return steps / (study.adapted_profiles if run.conditioning == "adapter" else 1)


def test_warm_up_is_a_tenth_of_the_steps_but_as_published(study: Study) -> None:
    for run in trained(study, as_published=False):
        assert run.training.warmup_steps == round(steps_of(study, run) / 10), run.label
    for run in trained(study, as_published=True):
        assert run.training.warmup_steps > 0.2 * steps_of(study, run), run.label
    sft, dpo = (study.runs[f"gemma-7b-{method}-as-published-s1"] for method in ("sft", "dpo"))
    assert (steps_of(study, sft), steps_of(study, dpo)) == (621, 2097)


def test_training_tells_a_target_in_other_words_than_use_as_published_alone(study: Study) -> None:
    target = Profile.parse("O+C-E+A-N-")
    for run in study.runs.values():
        if run.pairs is not None:
            told = run.pairs.persona.format(target=described(target, run.conditioning))
            assert (told != persona(target, run.conditioning)) == published(run)


def test_every_series_that_is_measured_has_five_seeds(study: Study) -> None:
    assert {len(series.runs) for series in study.series.values()} == {5}


def test_every_model_that_is_claimed_of_has_five_null_adapters(study: Study) -> None:
    family = {name: one for name, one in study.series.items() if one.nulls}
    assert {len(one.nulls) for one in family.values()} == {5}
    recipes = {study.runs[run].recipe for one in family.values() for run in one.runs}
    assert recipes == {None, "variants"}
    # No test of the one family stands there twice.
    methods = [(one.model, one.method) for one in family.values()]
    assert sorted(methods) == sorted(
        {(model, method) for model in REFERENCE for method in ("sft", "dpo", "orpo")}
        | {(model, method) for model in variants(study) for method in ("sft", "dpo")}
    )


def test_nothing_swept_is_measured_and_its_seed_is_no_other_s(study: Study) -> None:
    swept = [run for run in study.runs.values() if run.is_swept]
    assert {value for run in swept for value, _ in run.swept} == {
        "learning_rate",
        "rank",
        "beta",
        "request",
    }
    assert not {run.label for run in swept} & set(study.measured)
    assert not {run.seed for run in swept} & {run.seed for run in study.measured.values()}


def test_three_uncensored_models_are_trained_as_what_they_were_made_from(study: Study) -> None:
    pairs = {name: model.pair for name, model in study.models.items() if model.pair}
    assert {study.models[name].aligned for name in pairs} == {"uncensored"}
    assert {study.models[name].aligned for name in pairs.values()} == {"aligned"}
    assert len(set(pairs.values())) == 3

    def trainings(model: str, method: str) -> list[tuple[object, ...]]:
        recipe = None if model in REFERENCE else "variants"
        return [
            (run.seed, run.null, run.training, run.pairs, run.split)
            for run in study.runs.values()
            if (run.model, run.method, run.recipe) == (model, method, recipe)
        ]

    for uncensored, aligned in pairs.items():
        for method in ("sft", "dpo"):
            assert trainings(uncensored, method) == trainings(aligned, method) != []


def test_every_model_is_named_with_a_revision(study: Study) -> None:
    for name, model in study.models.items():
        if name != "gpt-3.5":
            assert len(model.source.revision) == 40


def test_no_attention_is_asked_of_gemma_2_that_it_cannot_have(study: Study) -> None:
    # It caps its scores, which sdpa can't.
    assert study.settings.compute.attention == "eager"
    for run in study.runs.values():
        if run.training is not None and run.model.startswith("gemma-2"):
            assert run.training.attention in ("eager", "flash_attention_2")


def test_alignment_has_three_pairs_and_size_two_in_one_family(study: Study) -> None:
    models = {
        name: model.model_dump(include={"aligned", "pair", "family", "parameters"})
        for name, model in study.models.items()
        if not model.is_served
    }
    pairs = pairs_of(models)
    assert [pair.unit for pair in pairs if pair.kind == "alignment"] == [
        "llama-3.1-8b-instruct",
        "llama-3.2-3b-instruct",
        "gemma-2-9b-it",
    ]
    large, small = "llama-3.1-8b-instruct", "llama-3.2-3b-instruct"
    assert [pair for pair in pairs if pair.kind == "size"] == [
        Pair("size", "llama-3", large, small),
        Pair("size", "llama-3", f"{large}-abliterated", f"{small}-abliterated"),
    ]
