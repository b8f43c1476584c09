"""Which trainings are packed together."""

from mimic.packs import list_packs
from mimic.pairs.settings import PairsSettings
from mimic.recipes import FinetuneSettings, Run, list_runs
from mimic.settings import parse_settings


def runs_of(values: dict, models: tuple[str, ...] = ("m",)) -> dict[str, Run]:
    settings = parse_settings(FinetuneSettings, values, source="a test")
    return list_runs(settings, models=models, pairs=PairsSettings())


def packs_of(values: dict, size: int | None, models: tuple[str, ...] = ("m",)) -> list[list[str]]:
    packs = list_packs(runs_of(values, models).values(), size=size)
    assert list(packs) == [members[0] for members in packs.values()]
    return [list(members) for members in packs.values()]


def test_without_the_setting_nothing_is_packed() -> None:
    assert packs_of({"seeds": [1, 2, 3]}, None) == []
    assert FinetuneSettings().pack is None


def test_runs_of_one_method_and_length_fill_packs_and_what_is_left_shares_one() -> None:
    assert packs_of({"methods": ["sft", "dpo", "orpo"], "seeds": [1, 2, 3]}, 2) == [
        ["m-sft-s1", "m-sft-s2"],
        ["m-dpo-s1", "m-dpo-s2"],
        ["m-orpo-s1", "m-orpo-s2"],
        # And m-orpo-s3 is trained alone.
        ["m-sft-s3", "m-dpo-s3"],
    ]


def test_other_lengths_are_packed_apart_where_that_costs_no_further_pack() -> None:
    long = {"methods": ["sft"], "seeds": [1, 2], "sft": {"steps": 500}}
    short = {"methods": ["sft"], "seeds": [1, 2], "recipes": {"long": long}}
    assert packs_of(short, 2) == [
        ["m-sft-s1", "m-sft-s2"],
        ["m-sft-long-s1", "m-sft-long-s2"],
    ]
    assert packs_of(short, 4) == [["m-sft-s1", "m-sft-s2", "m-sft-long-s1", "m-sft-long-s2"]]


def test_models_are_never_packed_together() -> None:
    assert packs_of({"methods": ["sft", "dpo"]}, 4, models=("m", "n")) == [
        ["m-sft-s1", "m-dpo-s1"],
        ["n-sft-s1", "n-dpo-s1"],
    ]
    assert packs_of({"methods": ["sft"]}, 4, models=("m", "n")) == []


def test_every_run_is_in_one_pack_at_most_and_none_is_larger_than_asked() -> None:
    runs = runs_of({"seeds": list(range(1, 8)), "sweep": {"rank": [4, 8]}}, models=("m", "n"))
    for size in range(2, 9):
        members = [run for pack in list_packs(runs.values(), size=size).values() for run in pack]
        assert len(members) == len(set(members))
        trained = {label for label, run in runs.items() if not run.is_base}
        assert set(members) <= trained
        # At most one of each model is left over.
        assert len(trained) - len(members) <= 2
        packs = list_packs(runs.values(), size=size).values()
        assert all(2 <= len(pack) <= size for pack in packs)


def test_a_training_on_several_devices_is_in_no_pack() -> None:
    wide = {"steps": 12, "accumulation": 2, "launch": {"config": "ddp", "devices": 2}}
    assert packs_of({"methods": ["sft"], "seeds": [1, 2], "sft": wide}, 2) == []
