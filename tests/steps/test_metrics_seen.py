"""Metrics of runs that trained on items, from files to files."""

from __future__ import annotations

from pathlib import Path

import pytest
from metrics_files import run_step, write_answers, write_files

from mimic.files import write_json


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return write_files(tmp_path)


@pytest.fixture
def trained(tmp_path: Path) -> dict[str, list[Path]]:
    """What a run that trained on two items of each trait has besides, in the format phrases."""
    write_json(tmp_path / "items.json", {"clusters": [f"c{n}" for n in range(10)]})
    write_json(tmp_path / "splits.json", {"formats": {"digits": "test", "phrases": "train"}})
    seen = write_answers(tmp_path / "seen/answers.parquet", sd=0.1, seed=3, variant=2)
    return {
        "trained_items": [tmp_path / "manifest.json"],
        "splits": [tmp_path / "splits.json"],
        "seen": [seen.with_name("manifest.json")],
    }


def test_a_run_that_trained_on_items_is_measured_on_the_others(
    files: dict[str, Path], trained: dict[str, list[Path]], tmp_path: Path
) -> None:
    items = trained
    run = run_step(files, tmp_path / "trained", method="sft", items=items)
    whole = run_step(files, tmp_path / "whole", method="sft")
    assert (run["item_trained"], whole["item_trained"]) == (True, False)
    assert run["questionnaire"]["own"]["items"] == 10
    assert whole["questionnaire"]["own"]["items"] == 20
    # Its base is measured on the same items.
    base = run["baselines"]["prompt_only"]["questionnaire"]["none"]
    assert base != whole["baselines"]["prompt_only"]["questionnaire"]["none"]
    write_json(tmp_path / "items.json", {"clusters": [f"c{n}" for n in range(0, 20, 5)]})
    with pytest.raises(ValueError, match="all items of openness, so that none is held out"):
        run_step(files, tmp_path / "out", method="sft", items=items)


def test_a_run_that_trained_on_items_is_measured_in_other_formats(
    files: dict[str, Path], trained: dict[str, list[Path]], tmp_path: Path
) -> None:
    both = ("digits", "phrases")
    for name, sd in (("run", 0.1), ("base", 0.5)):
        files[name] = write_answers(
            tmp_path / f"both/{name}/answers.parquet", sd=sd, seed=1, formats=both
        )
    run = run_step(files, tmp_path / "trained", method="sft", items=trained)
    other = run_step(files, tmp_path / "other", method="sft")
    for figures, formats in ((run, {"digits"}), (other, set(both))):
        for found in figures["questionnaire"].values():
            assert {form["format"] for form in found["forms"]} == formats
            assert found["exact_match"]["cells"] == 16 * 6 * len(formats)
    # The base that it is compared with is measured alike.
    base = run["baselines"]["prompt_only"]["questionnaire"]["none"]
    assert base != other["baselines"]["prompt_only"]["questionnaire"]["none"]
    write_json(tmp_path / "splits.json", {"formats": dict.fromkeys(both, "train")})
    with pytest.raises(ValueError, match=r"\(digits, phrases\) are all among forms.trained_form"):
        run_step(files, tmp_path / "none", method="sft", items=trained)


def test_what_training_held_is_told_in_one_context(
    files: dict[str, Path], trained: dict[str, list[Path]], tmp_path: Path
) -> None:
    # Withheld profiles are those of preference training alone.
    run = run_step(files, tmp_path / "metrics", method="dpo", items=trained)
    assert run["seen"]["context"] == "none"
    profiles = [one["counts"]["profiles"] for one in run["seen"]["cells"]]
    assert sorted(profiles) == [4] * 4 + [12] * 4
    parts = [
        one
        for one in run["seen"]["cells"]
        if one["cell"]["items"] == one["cell"]["wordings"] == "unseen"
    ]
    match = run["questionnaire"]["none"]["exact_match"]
    assert sum(one["hits"] for one in parts) == match["hits"]
    base = run_step(files, tmp_path / "metrics", method="base")
    filled = [one["cell"] for one in base["seen"]["cells"] if one["value"] is not None]
    assert filled == [{"items": "unseen", "wordings": "unseen", "profiles": "unseen"}]
