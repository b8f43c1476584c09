"""Which trainings are packed together: by their times, and by settings alone."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from mimic.packs import list_packs
from mimic.pairs.settings import PairsSettings
from mimic.plan.by_settings import packs_of
from mimic.recipes import FinetuneSettings, Run, list_runs
from mimic.settings import parse_settings
from mimic.study import Study, load_study


def runs_of(values: dict, models: tuple[str, ...] = ("m",)) -> dict[str, Run]:
    settings = parse_settings(FinetuneSettings, values, source="a test")
    return list_runs(settings, models=models, pairs=PairsSettings())


def packs(
    values: dict, size: int, seconds: dict[str, float], models: tuple[str, ...] = ("m",)
) -> list[list[str]]:
    """Packs of runs whose time is that of the longest part of their label in `seconds`."""
    runs = runs_of(values, models)
    times = {
        label: max((part for part in seconds if part in label), key=len, default="")
        for label in runs
    }
    found = list_packs(
        runs.values(),
        size=size,
        seconds={label: seconds.get(part, 1.0) for label, part in times.items()},
    )
    assert list(found) == [members[0] for members in found.values()]
    return [list(members) for members in found.values()]


def test_runs_that_take_equally_long_fill_packs_and_what_is_left_is_sorted_by_time() -> None:
    times = {"sft": 1.0, "dpo": 9.0, "orpo": 8.0}
    assert packs({"methods": ["sft", "dpo", "orpo"], "seeds": [1, 2, 3]}, 2, times) == [
        ["m-sft-s1", "m-sft-s2"],
        ["m-dpo-s1", "m-dpo-s2"],
        ["m-orpo-s1", "m-orpo-s2"],
        # And m-sft-s3 is trained alone.
        ["m-dpo-s3", "m-orpo-s3"],
    ]


def test_what_is_left_of_several_models_shares_packs() -> None:
    times = {"m-sft": 1.0, "n-sft": 2.0, "m-dpo": 9.0, "n-dpo": 8.0}
    assert packs({"methods": ["sft", "dpo"]}, 2, times, models=("m", "n")) == [
        ["m-dpo-s1", "n-dpo-s1"],
        ["n-sft-s1", "m-sft-s1"],
    ]


def test_whole_packs_are_of_one_model_and_method() -> None:
    found = packs({"methods": ["sft", "dpo"], "seeds": [1, 2]}, 2, {}, models=("m", "n"))
    assert found == [
        ["m-sft-s1", "m-sft-s2"],
        ["m-dpo-s1", "m-dpo-s2"],
        ["n-sft-s1", "n-sft-s2"],
        ["n-dpo-s1", "n-dpo-s2"],
    ]


def test_what_is_left_is_held_for_the_shortest_time_of_all_groupings() -> None:
    times = {"a-sft": 7.0, "b-sft": 3.0, "c-sft": 6.0, "d-sft": 1.0, "e-sft": 5.0, "f-sft": 2.0}
    found = packs({"methods": ["sft"]}, 2, times, models=tuple("abcdef"))
    held = sum(max(times[label.removesuffix("-s1")] for label in pack) for pack in found)
    every = (
        sum(max(pair) for pair in zip(order[::2], order[1::2], strict=True))
        for order in itertools.permutations(times.values())
    )
    assert held == min(every)


def test_every_run_is_in_one_pack_at_most_and_none_is_larger_than_asked() -> None:
    values = {"seeds": list(range(1, 8)), "sweep": {"rank": [4, 8]}}
    times = {"sft": 1.0, "dpo": 9.0, "orpo": 8.0}
    trained = {label for label, run in runs_of(values, ("m", "n")).items() if not run.is_base}
    for size in range(2, 9):
        found = packs(values, size, times, models=("m", "n"))
        members = [run for pack in found for run in pack]
        assert len(members) == len(set(members))
        assert set(members) <= trained
        # At most one is left over.
        assert len(trained) - len(members) <= 1
        assert all(2 <= len(pack) <= size for pack in found)


def test_a_training_on_several_devices_is_in_no_pack() -> None:
    wide = {"steps": 12, "accumulation": 2, "launch": {"config": "ddp", "devices": 2}}
    assert packs({"methods": ["sft"], "seeds": [1, 2], "sft": wide}, 2, {}) == []


@pytest.fixture
def study_of(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Study]:
    monkeypatch.chdir(project)

    def make(finetune: dict, **sections: dict) -> Study:
        return load_study({"finetune": finetune, **sections}, source="a test")

    return make


def test_without_the_setting_nothing_is_packed(study_of) -> None:
    assert packs_of(study_of({"seeds": [1, 2, 3]})) == {}


def test_the_plan_says_what_takes_as_long(study_of) -> None:
    # The same number of steps, of 2 and of 8 times as many examples.
    short, long = ({"methods": ["sft"], "sft": {"accumulation": n}} for n in (2, 8))
    recipes = {"short": short, "long": long | {"seeds": [1, 2]}}
    study = study_of({"methods": ["sft"], "pack": 2, "recipes": recipes})
    assert packs_of(study) == {
        "smollm2-sft-long-s1": ("smollm2-sft-long-s1", "smollm2-sft-long-s2"),
        "smollm2-sft-short-s1": ("smollm2-sft-short-s1", "smollm2-sft-s1"),
    }


def test_packs_do_not_depend_on_what_lies_on_the_machine(study_of, tmp_path) -> None:
    finetune = {"pack": 2, "seeds": [1, 2, 3], "sft": {"epochs": 3}}
    corpus = tmp_path / "essays.csv"
    source = {"kind": "csv", "path": str(corpus), "name": "Essays"}
    study = study_of(finetune, essays={"source": source})
    before = packs_of(study)
    corpus.write_text("#AUTHID,TEXT,cEXT,cNEU,cAGR,cCON,cOPN\n")
    assert packs_of(study) == before


def test_a_run_with_an_adapter_for_each_profile_takes_longer(study_of) -> None:
    finetune = {"methods": ["sft"], "seeds": [1, 2, 3], "conditioning": ["prompt", "adapter"]}
    assert packs_of(study_of(finetune | {"pack": 2})) == {
        "smollm2-sft-s1": ("smollm2-sft-s1", "smollm2-sft-s2"),
        "smollm2-sft-adapter-s1": ("smollm2-sft-adapter-s1", "smollm2-sft-adapter-s2"),
        "smollm2-sft-adapter-s3": ("smollm2-sft-adapter-s3", "smollm2-sft-s3"),
    }
