"""The table of what training held, on the page."""

from __future__ import annotations

from typing import Any

import pytest
import report_example_parts as parts
from report_cells import details, note_of, texts
from report_example import example_study

from mimic.report import tables_seen


@pytest.fixture
def study() -> dict[str, Any]:
    """The example, with an SFT that trained on items, and a base that is served."""
    made = example_study()
    base, sft, *others = made["runs"]
    sft["item_trained"] = True
    shares = {("seen", "seen", "seen"): 0.5, ("seen", "unseen", "seen"): 0.25}
    sft["seen"] = parts.held("none", filled=shares | {("unseen", "seen", "seen"): 0.125})
    for run in others:
        run["seen"] = parts.held("none", filled={("unseen", "unseen", "unseen"): 0.0625})
    base["api"] = {"texts": None}
    return made


def test_each_run_has_a_row_for_seen_and_for_unseen_items(study: dict[str, Any]) -> None:
    table = tables_seen.seen(study)
    assert table is not None
    assert table.columns[2:] == [
        "Wordings seen, profiles seen",
        "Wordings seen, profiles unseen",
        "Wordings unseen, profiles seen",
        "Wordings unseen, profiles unseen",
    ]
    rows = [texts(row) for row in table.rows]
    assert [row[:2] for row in rows[2:4]] == [["tiny-sft-s1", "seen"], ["tiny-sft-s1", "unseen"]]
    assert [row[2:] for row in rows[2:4]] == [
        ["50.0 %", "–", "25.0 %", "–"],
        ["12.5 %"] + ["–"] * 3,
    ]
    assert rows[5][2:] == ["–", "–", "–", "6.2 %"]
    assert details(table.rows[2][2]) == [
        "32 of 64",
        "16 profiles",
        "constant profile 6.2 %",
        "4 forms",
        "10 items",
    ]
    assert note_of(table, table.rows[2][3]) == "So it is."
    # A model of an API.
    assert note_of(table, table.rows[0][2]).startswith("An API serves this model")
    assert "questionnaire alone" in table.caption


def test_a_cell_of_few_profiles_names_the_trait_that_they_share(study: dict[str, Any]) -> None:
    one = study["runs"][1]["seen"]["cells"][0]
    one["targets"] = parts.targets(profiles=4, high_openness=4)
    table = tables_seen.seen(study)
    assert table is not None
    assert details(table.rows[2][2])[1:4] == [
        "4 profiles",
        "all with high openness",
        "constant profile 25.0 %",
    ]


def test_it_stands_on_the_page_only_where_a_run_trained_on_items(study: dict[str, Any]) -> None:
    assert tables_seen.seen(example_study()) is None
    study["runs"][1]["item_trained"] = False
    assert tables_seen.seen(study) is None
