"""What the steps of the metrics stage hand on: cuts, trained items, contexts."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from metrics_files import INSTRUMENTS, run_series, run_step, write_answers, write_files

from mimic.files import write_json
from mimic.metrics.numbers import NORMS
from mimic.metrics.protocols import PUBLISHED_CUT
from mimic.questionnaire.instruments import content_digest
from mimic.traits import TRAITS, balanced_profiles


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return write_files(tmp_path)


@pytest.fixture
def instrument(tmp_path: Path) -> Path:
    """The Mini-IPIP with norms of openness far below all answers, so that all of it is high."""
    values = yaml.safe_load((INSTRUMENTS / "mini_ipip.yaml").read_text(encoding="utf-8"))
    for trait, norm in values["norms"]["traits"].items():
        norm["median"] = 1.2 if trait == "openness" else 3.0
    path = tmp_path / "instrument.yaml"
    values["digest"] = content_digest(values)
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def test_the_norms_cut_decides_all_figures_of_a_run(
    files: dict[str, Path], instrument: Path, tmp_path: Path
) -> None:
    # The base answers as its targets say, too.
    files["base"] = files["run"]
    run = run_step(files, tmp_path / "out", method="sft", inputs={"instrument": [instrument]})
    found = run["questionnaire"]["own"]
    assert (found["cut"], list(found["other_cuts"])) == (NORMS, [PUBLISHED_CUT])
    assert found["exact_match"]["value"] == 0.5
    assert found["other_cuts"][PUBLISHED_CUT]["value"] == 1
    assert found["coherence"]["observed"] == 0.5
    assert run["baselines"]["prompt_only"]["questionnaire"] == {"none": 0.5, "own": 0.5}
    values = {cell["value"] for cell in run["seen"]["cells"]}
    assert values == {0.5, None}


def test_the_norms_cut_decides_all_figures_of_a_series(
    files: dict[str, Path], instrument: Path, tmp_path: Path
) -> None:
    run_series(
        files,
        tmp_path,
        contexts=["none"],
        instrument=instrument,
        answers=[files["run"], files["run"]],
        base_answers=[files["base"]],
        null_answers=[files["run"]],
    )
    series = json.loads((tmp_path / "tiny-sft.json").read_text())
    found = series["over_seeds"]["questionnaire"]["none"]
    assert found["exact_match"]["value"] == 0.5
    match = series["against_null"]["figures"]["questionnaire exact match"]
    assert (match["run"], match["nulls"]) == (0.5, [0.5])


def test_trained_items_do_not_count_in_answers_in_words(
    files: dict[str, Path], tmp_path: Path
) -> None:
    """Trained items are answered as the target says, the others against it."""
    rows = [
        {
            "profile": str(profile),
            "item": f"{trait}{n}",
            "trait": trait,
            "keyed": "plus",
            "cluster": f"{trait}{n}",
            "form": "s1",
            "format": "s1",
            "option": 1 if high == (n < 2) else 5,
            "reason": "",
        }
        for profile in balanced_profiles(16)
        for trait, high in zip(TRAITS, profile.levels, strict=True)
        for n in range(3)
    ]
    generated = tmp_path / "generated.parquet"
    pd.DataFrame(rows).to_parquet(generated)
    trained = [f"{trait}{n}" for trait in TRAITS for n in range(2)]
    write_json(tmp_path / "items.json", {"clusters": trained})
    write_json(tmp_path / "splits.json", {"formats": {"digits": "test"}})
    seen = write_answers(tmp_path / "seen/answers.parquet", sd=0.1, seed=3, variant=2)
    of_items = {
        "trained_items": [tmp_path / "manifest.json"],
        "splits": [tmp_path / "splits.json"],
        "seen": [seen.with_name("manifest.json")],
    }
    shares = {}
    for name, items in (("trained", of_items), ("other", {})):
        run = run_step(
            files,
            tmp_path / name,
            method="sft",
            settings={"generated": ["none"], "protocols": ["released", "corrected"]},
            items=items,
            inputs={"generated": [generated]},
        )
        found = run["generated"]["none"]
        assert found["items"] == (5 if items else 15)
        # The released code scores in the inverted direction.
        shares[name] = [
            found["protocols"][protocol]["exact_match"]["value"]
            for protocol in ("released", "corrected")
        ]
    assert shares == {"trained": [1.0, 0.0], "other": [0.0, 1.0]}


def test_essays_are_no_targets_and_sketches_make_scales(
    files: dict[str, Path], tmp_path: Path
) -> None:
    paths = [files["run"]] * 3
    run = run_step(
        files,
        tmp_path / "out",
        method="sft",
        settings={"contexts": ["none", "human", "sketches"]},
        inputs={"answers": paths, "base_answers": paths},
    )
    none, human = (run["questionnaire"][name] for name in ("none", "human"))
    assert set(run["questionnaire"]) == {"none", "human"}
    # At an exact match of 1 the trials are what was asked about.
    assert none["mean_auc"]["interval"] == "wilson of 16 profiles"
    assert human["mean_auc"]["interval"] == "wilson of 16 essays"
    assert (none["withheld"] is None, human["withheld"]) == (False, None)
    assert "icc" not in human
    assert run["scales"]["rows"] == 16
    assert set(run["scales"]["alpha"]) == set(run["scales"]["omega"]) == set(TRAITS)
