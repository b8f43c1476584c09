"""The settings of the reference study at full size."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mimic.conditioning import described, persona
from mimic.metrics.confounds import Pair, pairs_of
from mimic.pairs.published import with_published_roles
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
        assert lora.target_modules == (("q_proj", "v_proj") if sft else "all-linear")
        assert training.schedule == "linear"
        if sft:
            assert training.loss_on == "all"
        else:
            # Of ORPO it is named; of DPO it is TRL's default.
            assert training.beta == 0.1
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
    # The other seeds, and null adapters, train as many steps.
    first = [run for run in study.runs.values() if run.training and run.seed == 1]
    assert {published(run) for run in first} == {True, False}
    for run in first:
        steps = steps_of(study, run)
        if published(run):
            assert run.training.warmup_steps > 0.2 * steps, run.label
        else:
            assert run.training.warmup_steps == round(steps / 10), run.label
    sft, dpo = (study.runs[f"gemma-7b-{method}-as-published-s1"] for method in ("sft", "dpo"))
    assert (steps_of(study, sft), steps_of(study, dpo)) == (621, 2097)


def test_training_tells_a_target_in_other_words_than_use_as_published_alone(study: Study) -> None:
    target = Profile.parse("O+C-E+A-N-")
    for run in study.runs.values():
        if run.pairs is not None:
            told = run.pairs.persona.format(target=described(target, run.conditioning))
            assert (told != persona(target, run.conditioning)) == published(run)


def test_attention_is_eager_as_published_and_flash_attention_mended(study: Study) -> None:
    attention = {as_published: set() for as_published in (True, False)}
    for as_published, found in attention.items():
        found |= {run.training.attention for run in trained(study, as_published=as_published)}
    assert attention == {True: {"eager"}, False: {"flash_attention_2"}}


def test_adapters_are_read_at_the_precision_of_their_base_but_as_published(study: Study) -> None:
    for run in trained(study, as_published=False):
        own, base = study.compute_of(run.label), study.compute_of(study.base_of(run.label))
        assert own == base
        assert (run.training.precision, run.training.quantisation) == ("bfloat16", "none")
        assert (base["precision"], base["quantisation"]) == ("bfloat16", "none")
    for run in trained(study, as_published=True):
        read_in = study.compute_of(run.label)["quantisation"]
        assert read_in == run.training.quantisation == ("none" if run.method == "sft" else "nf4")
        if run.method != "sft":
            assert run.training.precision == "float16"


def test_dpo_trains_on_essays_that_sft_is_tested_on_as_published_alone(study: Study) -> None:
    rows = np.arange(MODERATED)
    essays = pd.DataFrame({"cluster": rows, "role": "G", "validation": 0})
    judges = {run.method: run.judge for run in trained(study, as_published=True)}
    assert judges["dpo"] == judges["orpo"]
    sft, dpo = (
        with_published_roles(essays, rows=rows, split=judges[method]) for method in ("sft", "dpo")
    )
    is_tested = (sft["role"] != "G") & (sft["validation"] == 0)
    assert is_tested.sum() == 207
    assert (dpo["role"][is_tested] == "G").mean() > 0.8
    # Mended, all methods train on role G, and what is outside of it is so for all of them.
    mended = trained(study, as_published=False)
    assert {(run.split, run.judge) for run in mended} == {("roles", "reading")}
    roles = study.settings.essays.roles
    assert (roles.G, roles.E, roles.T) == (0.5, 0.25, 0.1)


def test_eight_profiles_are_no_targets_of_mended_preference_training(study: Study) -> None:
    for run in study.runs.values():
        told = run.conditioning in ("prompt", "token")
        mended = run.method in ("dpo", "orpo") and not published(run)
        assert run.withholds_profiles == (mended and told), run.label


def test_batches_hold_nothing_to_sort_and_references_are_computed_once(study: Study) -> None:
    for run in trained(study, as_published=False):
        training = run.training
        assert (training.batch_size, training.accumulation) == (1, 8)
        assert not training.length_sorted
        assert run.method != "dpo" or training.precompute_reference
    for run in trained(study, as_published=True):
        expected = (2, 4) if run.method == "sft" else (1, 8)
        assert (run.training.batch_size, run.training.accumulation) == expected
        assert run.method != "dpo" or not run.training.precompute_reference


def test_one_model_is_told_its_target_in_every_way(study: Study) -> None:
    mended = {
        run.method: run
        for run in study.runs.values()
        if run.model == "llama-3.2-3b-instruct" and run.recipe is None and run.training
    }
    found = set()
    for run in study.runs.values():
        if run.conditioning == "prompt":
            continue
        found.add((run.model, run.conditioning, run.method))
        # Trained alike, but for a warm-up that is a tenth of its own steps.
        warm_up = {"warmup_steps": run.training.warmup_steps}
        assert run.training == mended[run.method].training.model_copy(update=warm_up)
    assert found == {
        ("llama-3.2-3b-instruct", conditioning, method)
        for conditioning in ("token", "adapter", "none")
        for method in ("sft", "dpo")
    }


def test_every_series_that_is_measured_has_five_seeds(study: Study) -> None:
    assert {len(series.runs) for series in study.series.values()} == {5}


def test_every_model_that_is_claimed_of_has_five_null_adapters(study: Study) -> None:
    family = [one for one in study.series.values() if one.nulls]
    assert {len(one.nulls) for one in family} == {5}
    models = [name for name, model in study.models.items() if not model.is_served]
    # Each test of the one family once.
    assert sorted((one.model, one.method) for one in family) == sorted(
        [(model, method) for model in models for method in ("sft", "dpo")]
        + [(model, "orpo") for model in REFERENCE]
    )
    recipes = {study.runs[run].recipe for one in family for run in one.runs}
    assert recipes == {None, "mended"}


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
        # Within one recipe, in which contrasts are made.
        return [
            (run.seed, run.null, run.training, run.pairs, run.split)
            for run in study.runs.values()
            if (run.model, run.method, run.recipe) == (model, method, None)
        ]

    for uncensored, aligned in pairs.items():
        for method in ("sft", "dpo"):
            assert len(trainings(aligned, method)) == 10
            assert trainings(uncensored, method) == trainings(aligned, method)


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
