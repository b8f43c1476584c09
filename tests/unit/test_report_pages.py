"""The report's page as a whole, of studies that hold everything or lack a part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import report_example_parts as parts
from report_example import described, example_study, write_inputs

from mimic.report.build import main
from mimic.report.words import failures, scope
from mimic.report.words_limits import limits
from mimic.step import Job


def page_of(folder: Path, study: dict[str, Any]) -> str:
    source, out = folder / "in", folder / "out"
    source.mkdir()
    out.mkdir()
    inputs = write_inputs(source, study)
    names = {run["run"] for run in study["runs"]}
    inputs["logs"] = [path for path in inputs["logs"] if path.parent.name in names]
    settings = {"report": {}, "study": described()}
    main(Job(name="report", settings=settings, inputs=inputs, out=out))
    return (out / "index.html").read_text(encoding="utf-8")


def test_a_failed_gate_is_loud(tmp_path: Path) -> None:
    study = example_study()
    study["gates"] = parts.gates(failed=True)
    assert failures(study)[0] == (
        "The gate “perfect” (likelihood) failed: expected 384/384, found 3/384. No figure of this "
        "page can be trusted."
    )
    page = page_of(tmp_path, study)
    assert '<p class="bad">1 of 3 gates failed' in page
    assert "gates passed" not in page


def test_page_of_everything(tmp_path: Path) -> None:
    page = page_of(tmp_path, example_study())
    assert "<p>3 gates passed" in page
    assert "metrics.cut" not in page
    assert "8 composed essays" in page
    assert "Why 12 of 252 essays were filtered" in page
    # The main table comes first.
    assert page.index("Results by run, questionnaire alone") < page.index('id="essays"')
    assert page.count("<details>") == page.count("</details>") == 15
    for figure in ("components-none", "components-own", "coherence-none", "coherence-own"):
        assert (tmp_path / "out/figures" / f"{figure}.svg").exists()
    assert not (tmp_path / "out/figures/signal-human.svg").exists()


def test_page_of_base_runs_alone(tmp_path: Path) -> None:
    study = example_study()
    study["runs"] = study["runs"][:1]
    study["checks"] = [check for check in study["checks"] if check["run"] == "judge"]
    page = page_of(tmp_path, study)
    assert "No run was trained, and what the prompt alone does could not be told" in page
    assert "trained with one seed" not in page


def test_page_without_essays(tmp_path: Path) -> None:
    study = example_study()
    for run in study["runs"]:
        del run["questionnaire"]["human"]
    study["checks"] = [check for check in study["checks"] if check["context"] is None]
    page = page_of(tmp_path, study)
    assert 'id="essays"' not in page
    assert "composed essays" not in page[: page.index("<pre")]


def test_page_of_essays_alone(tmp_path: Path) -> None:
    study = example_study()
    for run in study["runs"]:
        run["questionnaire"] = {"human": run["questionnaire"]["human"]}
        run["generated"] = {}
        run["baselines"]["prompt_only"]["questionnaire"] = {}
    page = page_of(tmp_path, study)
    assert 'id="essays"' in page
    assert "Results by run" not in page
    assert "more stable" not in page[page.index('class="answer"') : page.index('id="results"')]
    assert scope(study) == "8 composed essays · 20 items in 12 forms"


def test_page_without_answers_in_words_and_sketches(tmp_path: Path) -> None:
    study = example_study()
    for run in study["runs"]:
        run["generated"], run["scales"] = {}, None
    page = page_of(tmp_path, study)
    assert 'id="protocols"' not in page
    assert "α and ω" not in page
    assert "released" not in page[page.index("<main>") : page.index("Stability by run")]


def test_limits_tell_of_rewordings_and_few_essays() -> None:
    study = example_study()
    said = " ".join(limits(study, described())).replace("\xa0", " ")
    assert "12 forms (2 instruction wordings, 3 formats;" in said
    assert "In 62.5 % of its presentations an item stood in a rewording" in said
    assert "rests on 8 composed essays of 7 profiles" in said
    study["runs"][0]["questionnaire"]["none"]["reworded"] = 0.0
    said = " ".join(limits(study, described()))
    assert "rewording" not in said
    assert "Some profiles stand in no essay of a role (role T: 2 of 32)." in said


def test_limits_tell_of_texts_of_one_situation() -> None:
    study = example_study()
    words = "The texts rest on fewer than two situations"
    assert words not in " ".join(limits(study, described()))
    # One of the models is no longer served, and wrote nothing.
    for run, count in zip(study["runs"], (0, 1, 1, 1), strict=True):
        run["texts"]["situations"] = count
    assert words in " ".join(limits(study, described()))


def test_what_training_held_is_shown_where_a_run_trained_on_items(tmp_path: Path) -> None:
    study = example_study()
    for run in study["runs"]:
        run["seen"] = parts.held("none", filled={("unseen", "unseen", "seen"): 0.875})
    study["runs"][1]["item_trained"] = True
    page = page_of(tmp_path, study)
    title = "Items, wordings and profiles, seen and unseen in training"
    assert f"<summary>{title}</summary>" in page
    assert "56 of 64" in page
    assert "in formats that training may not use" in page
    study["runs"][1]["item_trained"] = False
    (tmp_path / "without").mkdir()
    assert title not in page_of(tmp_path / "without", study)


def test_limits_of_one_wording_say_how_often_intervals_hold() -> None:
    study = example_study()
    assert "simulated studies" not in " ".join(limits(study, described()))
    for form in study["runs"][0]["questionnaire"]["none"]["forms"]:
        form["wording"] = "w0"
    said = " ".join(limits(study, described())).replace("\xa0", " ")
    for share in (
        "should hold the true figure in 92 to 98 %",
        "They held accuracy (one trait) in 95.0 %",
        "too seldom S (one trait) in 84.4 %, S (mean) in 56.8 % and reduction in 63.4 %",
        "too often exact match in 98.2 % and exact match (forms averaged) in 99.0 %",
    ):
        assert share in said
