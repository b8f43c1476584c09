"""The tables of answers in words beside answers by likelihood."""

from __future__ import annotations

from typing import Any

from report_cells import details, note_of, row_of, texts
from report_example import example_study

from mimic.report import (
    tables_protocols,
)


def test_protocols_stand_side_by_side() -> None:
    table = tables_protocols.protocols(example_study(), "none")
    assert table.columns == [
        "Run",
        "likelihood, cut: norms of the original form",
        "likelihood, cut: 3.0, as published",
        "released, cut: 3.0, as published",
        "corrected, cut: 3.0, as published",
        "corrected, cut: norms of the original form",
        "Parsed answers",
        "Unparsed, by reason",
    ]
    dpo = row_of(table, "tiny-dpo-s1")
    assert texts(dpo)[1:-1] == ["61.2 %", "30.6 %", "0.0 %", "75.0 %", "66.7 %", "92.5 %"]
    assert dpo[-1].text == "no option 12; no lead-in 6"
    assert details(dpo[1]) == ["[58.7, 63.7]", "p = 0.0001"]
    assert details(dpo[2]) == ["[26.6, 34.6]", "p = 0.23"]
    assert details(dpo[4]) == ["[55.0, 95.0]", "p = 0.0417", "9 of 12", "5.0 % undecided"]
    for words in ("inverted direction", "our instruments", "in kind only", "never mixed"):
        assert words in table.caption
    chance = "one and the same of the targets fits in 25.0 %, where a profile drawn at random fits"
    assert chance in table.caption.replace("\xa0", " ")
    assert "with 4 targets p is hardly below 1/24" in table.caption


def test_protocols_say_which_runs_trained_on_items() -> None:
    study = example_study()
    assert "given for 4 targets, 20 items and 3 formats" in caption_of(study)
    study["runs"][1]["item_trained"] = True
    study["runs"][1]["generated"]["none"]["items"] = 10
    study["runs"][2]["generated"]["none"] = {"not_served": "no longer served"}
    table = tables_protocols.protocols(study, "none")
    assert table.columns[:2] == ["Run", "Items"]
    assert [row[1].text for row in table.rows] == ["20", "10", "–", "20"]
    assert [bool(row[1].details) for row in table.rows] == [False, True, False, False]
    assert details(table.rows[1][1]) == ["item-trained: held-out items and formats"]
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert "given for 4 targets, the items of each run and 3 formats" in caption_of(study)


def test_a_model_that_is_served_no_more_may_come_first() -> None:
    study = example_study()
    expected = tables_protocols.protocols(example_study(), "none")
    first = study["runs"][0]
    first["api"], first["questionnaire"] = {"texts": None}, {}
    first["generated"]["none"] = {"not_served": "no longer served"}
    table = tables_protocols.protocols(study, "none")
    assert (table.columns, table.caption) == (expected.columns, expected.caption)
    assert {cell.text for cell in table.rows[0][1:]} == {"–"}
    assert [texts(row) for row in table.rows[1:]] == [texts(row) for row in expected.rows[1:]]


def caption_of(study: dict[str, Any]) -> str:
    return tables_protocols.protocols(study, "none").caption.replace("\xa0", " ")


def test_many_targets_leave_p_free() -> None:
    study = example_study()
    for run in study["runs"]:
        run["generated"]["none"]["profiles"] = 16
    assert "hardly below" not in tables_protocols.protocols(study, "none").caption


def test_a_protocol_that_was_not_asked_for_has_no_column() -> None:
    study = example_study()
    for run in study["runs"]:
        del run["generated"]["none"]["protocols"]["released"]
    columns = tables_protocols.protocols(study, "none").columns
    assert not any(column.startswith("released") for column in columns)


def test_accuracy_of_each_protocol_by_trait() -> None:
    table = tables_protocols.accuracy(example_study(), "none")
    released = row_of(table, "tiny-dpo-s1", "released, cut: 3.0, as published")
    assert texts(released)[2:] == [*["27.1 %"] * 5, "0.27"]
    assert details(released[2]) == ["AUC 0.27 [0.17, 0.37]"]
    assert details(released[-1]) == ["[0.17, 0.37]"]
    assert note_of(table, released[2]).startswith("No interval: neither item clusters")
    corrected = row_of(table, "tiny-dpo-s1", "corrected, cut: 3.0, as published")
    assert texts(corrected)[2:] == [*["72.9 %"] * 5, "–"]
    assert details(corrected[2]) == ["no AUC"]
    assert note_of(table, corrected[-1]) == "No answer could be read."
    norms = row_of(table, "tiny-dpo-s1", "corrected, cut: norms of the original form")
    assert texts(norms)[2] == "60.0 %"
    assert len(table.rows) == 4 * 3
