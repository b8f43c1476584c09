"""What trainings ask for of the host: by the plan, and no less than what a tiny one needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mimic.plan.by_settings import LEAST_MB, LEAST_MINUTES, packs_of, resources_of
from mimic.study import Study, load_study

GPU: dict[str, Any] = {"device": "cuda", "precision": "bfloat16"}
# In bfloat16.
LLAMA_8B_MB = 16_060
LONG: dict[str, Any] = {"epochs": 3, "pairs": None, "precision": "bfloat16", "max_length": 2048}


@pytest.fixture
def study_of(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Study]:
    monkeypatch.chdir(project)

    def make(**values: Any) -> Study:
        return load_study(values, source="a test")

    return make


def test_the_default_study_asks_for_what_a_laptop_has(study_of) -> None:
    study = study_of()
    asked = resources_of(study)
    trained = [label for label, run in study.runs.items() if run.training is not None]
    assert len(trained) == 3
    for label in trained:
        assert (asked(label).mem_mb, asked(label).runtime) == (4000, 120)


def test_a_pack_holds_the_weights_of_each_of_its_runs_and_takes_the_longest_s_time(study_of):
    finetune = {
        "methods": ["sft", "dpo"],
        "seeds": [1, 2],
        "pack": 4,
        "sft": {"precision": "bfloat16"},
        "dpo": LONG,
    }
    study = study_of(models=["llama-3.1-8b"], compute=GPU, finetune=finetune)
    asked = resources_of(study)
    ((_, members),) = packs_of(study).items()
    assert len(members) == 4
    pack, each = asked(*members), [asked(label) for label in members]
    assert all(one.mem_mb == pytest.approx(LEAST_MB + LLAMA_8B_MB, rel=0.001) for one in each)
    assert pack.mem_mb == pytest.approx(4 * (LEAST_MB + LLAMA_8B_MB), rel=0.001)
    assert {one.runtime for one in each} == {LEAST_MINUTES, pack.runtime}
    assert pack.runtime > LEAST_MINUTES


def test_a_longer_training_asks_for_more_time(study_of) -> None:
    once, twice = (
        resources_of(
            study_of(
                models=["llama-3.1-8b"],
                compute=GPU,
                finetune={"methods": ["dpo"], "dpo": LONG | {"epochs": epochs}},
            )
        )("llama-3.1-8b-dpo-s1").runtime
        for epochs in (4, 8)
    )
    assert once > LEAST_MINUTES
    assert twice == pytest.approx(2 * once, rel=0.1)


def test_in_4_bits_less_is_loaded_and_by_each_process(study_of) -> None:
    shared = {"launch": {"config": "fsdp1_qlora", "devices": 4}, "accumulation": 4}
    sft = {"precision": "bfloat16", "quantisation": "nf4", **shared}
    study = study_of(
        models=["llama-3.1-70b"], compute=GPU, finetune={"methods": ["sft"], "sft": sft}
    )
    # Every process loads all of them: docs/large-models.md.
    found = resources_of(study)("llama-3.1-70b-sft-s1").mem_mb
    assert 4 * (LEAST_MB + 38_000) < found < 4 * (LEAST_MB + 42_000)


def test_on_a_cpu_the_training_itself_counts(study_of) -> None:
    large = {"methods": ["sft"], "sft": {"batch_size": 8, "max_length": 1024}}
    study = study_of(finetune=large)
    assert 9000 < resources_of(study)("smollm2-sft-s1").mem_mb < 40_000


def test_what_the_plan_does_not_know_asks_for_the_least(study_of) -> None:
    lora = {"target_modules": ["embed_tokens"]}
    sft = {"lora": lora, "accumulation": 2, "launch": {"config": "ddp", "devices": 2}}
    study = study_of(
        models=["llama-3.1-8b"], compute=GPU, finetune={"methods": ["sft"], "sft": sft}
    )
    asked = resources_of(study)("llama-3.1-8b-sft-s1")
    assert (asked.mem_mb, asked.runtime) == (2 * LEAST_MB, LEAST_MINUTES)
