"""What the report says of runs that differ in their seed alone, and of their null adapters."""

from __future__ import annotations

import copy

import pytest
from report_example import example_study, with_null_adapters, with_seeds

from mimic.report import facts, tables, tables_contrasts
from mimic.report.words import answer


def test_a_series_of_several_seeds_has_a_row_of_its_own() -> None:
    for count, note in ((3, True), (5, False)):
        table = tables.results(with_seeds(count), "none")
        names = [row[0].text for row in table.rows]
        assert names[1:3] == ["tiny-sft-s1", f"tiny-sft over {count} seeds"]
        row = table.rows[2]
        assert row[2].text == table.rows[1][2].text
        assert len(row) == len(table.columns)
        assert bool(row[0].note) == note
    assert len(tables.results(with_seeds(3), "own").rows[2]) == 9


def test_a_series_of_seeds_is_tested_once_and_in_place_of_its_runs() -> None:
    study = with_seeds(3)
    over = study["series"][0]["over_seeds"]
    for part in (*over["questionnaire"].values(), over["texts"]):
        part["exact_match"] = part["exact_match"] | {"p_value": 0.0002}
    # Two more seeds, of which any would pass for itself.
    single = copy.deepcopy(study["runs"][1])
    single["questionnaire"]["none"]["exact_match"]["p_value"] = 0.0001
    seeds = [single | {"run": f"tiny-sft-s{n}"} for n in (2, 3)]
    study["runs"][1:1] = seeds
    found = facts.tests(study)
    names = [test.name for test in found if test.where == "none"]
    assert names == ["tiny-base-s1", "tiny-sft over 3 seeds", "tiny-dpo-s1", "tiny-orpo-s1"]
    # About essays a series has no figure over seeds: there its runs are tested one by one.
    about = [test.name for test in found if test.where == "human" and "sft" in test.name]
    assert about == ["tiny-sft-s2", "tiny-sft-s3", "tiny-sft-s1"]
    by_hand = sorted(
        [test.p for test in facts.tests(example_study()) if "sft" not in test.name]
        + [0.0002] * 3
        + [test.p for test in found if test.name in about]
    )
    # Holm: the least p after the three of dpo, whose answers and texts fit.
    assert by_hand[:4] == [0.0001, 0.0001, 0.0001, 0.0002]
    (together,) = [t for t in found if t.name == "tiny-sft over 3 seeds" and t.where == "none"]
    assert together.adjusted == pytest.approx(0.0002 * (len(by_hand) - 3))
    assert answer(study).headline.startswith("tiny-sft over 3 seeds and tiny-dpo-s1 gave answers")
    assert "tested once, together" in tables_contrasts.against_chance(study).caption
    row = tables.results(study, "none").rows[4]
    assert row[2].details[-1].replace("\xa0", " ") == "p = 0.0002"


def test_the_rule_against_null_adapters_stands_beside_that_against_the_base() -> None:
    study = with_null_adapters()
    place = tables.results(study, "none").columns.index("More stable in")
    rows = {row[0].text: row[place] for row in tables.results(study, "none").rows}
    assert rows["tiny-dpo-s1"] == ("5 of 5", ("null adapters: 4 of 5",), 0, "")
    assert rows["tiny-sft-s1"].details == ("null adapters: 0 of 5",)
    assert rows["tiny-orpo-s1"].details == ("null adapters: not run",)
    assert rows["tiny-base-s1"].details == ()
    # They answer in one context.
    other = tables.results(study, "own")
    place = other.columns.index("More stable in")
    assert other.rows[2][place].details == ("null adapters: not asked",)
    by_trait = tables_contrasts.stable_against_null(study).rows
    assert [cell.text for cell in by_trait[1][2:]] == ["5 of 5"] * 3 + ["4 of 5", "5 of 5"]
    stable = dict(answer(study).points)["Stable"]
    assert "tiny-dpo: more stable than each of its null adapters in 4 of 5 traits." in stable
    # Of several seeds the row over seeds has it, and no single run's.
    seeds, together = with_seeds(3), study["series"][0]["against_null"]
    seeds["series"][0] |= {"null_adapters": ["a"], "against_null": together}
    table = tables.results(seeds, "none")
    place = table.columns.index("More stable in")
    assert [row[place].details for row in table.rows[1:3]] == [(), ("null adapters: 0 of 5",)]
