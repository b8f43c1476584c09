"""Runs that try values: the whole grid, and who wins it."""

from typing import Any

import pytest
from report_example import example_study

from mimic.metrics.sweeps import grids
from mimic.report.tables_sweeps import sweeps


def run(method: str, **values: Any) -> dict[str, Any]:
    shared = {"recipe": "rates", "model": "tiny", "data": "essays", "seed": 7}
    return {"run": f"tiny-{method}", "method": method, "values": values, **shared}


def learned(after: float, *, check: str) -> dict[str, Any]:
    found = {"check": check, "before": 1.0, "after": after, "standard_error": 0.01, "examples": 12}
    return {"checks": [{**found, "check": "training margin"}, found]}


@pytest.fixture
def found() -> list[dict[str, Any]]:
    tried = [(1e-4, 2.5), (3e-4, 2.25), (1e-3, 2.75)]
    swept = [run("sft", learning_rate=rate) for rate, _ in tried]
    learning = [learned(loss, check="validation loss") for _, loss in tried]
    for beta, shares in ((0.1, (0.5, 0.75)), (0.3, (0.5, 0.5))):
        for share in shares:
            swept.append(run("dpo", learning_rate=1e-4, beta=beta))
            learning.append(learned(share, check="validation accuracy"))
    return grids(swept, learning)


def test_the_least_loss_and_the_most_pairs_in_order_win(found) -> None:
    sft, dpo = found
    assert (sft["method"], sft["figure"], sft["settings"]) == (
        "sft",
        "validation loss",
        ["learning_rate"],
    )
    assert [cell["figure"] for cell in sft["cells"]] == [2.5, 2.25, 2.75]
    assert sft["winner"] == {"learning_rate": 3e-4}
    assert dpo["winner"] == {"learning_rate": 1e-4, "beta": 0.1}


def test_preferences_are_compared_by_the_pairs_in_order_whatever_the_method() -> None:
    shares = {0.1: 0.5, 0.3: 0.75, 1.0: 0.625}
    for method in ("dpo", "orpo"):
        swept = [run(method, beta=beta) for beta in shares]
        learning = [learned(share, check="validation accuracy") for share in shares.values()]
        (grid,) = grids(swept, learning)
        assert (grid["figure"], grid["winner"]) == ("validation accuracy", {"beta": 0.3})


def test_seeds_are_averaged_and_have_no_common_error(found) -> None:
    sft, dpo = found
    assert [(cell["figure"], cell["seeds"]) for cell in dpo["cells"]] == [(0.625, 2), (0.5, 2)]
    assert {cell["standard_error"] for cell in dpo["cells"]} == {None}
    assert {cell["standard_error"] for cell in sft["cells"]} == {0.01}


def test_the_page_shows_the_whole_grid_and_marks_the_winner(found) -> None:
    first, second = sweeps({**example_study(), "sweeps": found})
    assert "SFT of tiny, recipe rates" in first.caption
    assert "12 of them" in first.caption
    assert [[cell.text for cell in row] for row in first.rows] == [
        ["0.0001", "1", "2.500", ""],
        ["0.0003", "1", "2.250", "wins"],
        ["0.001", "1", "2.750", ""],
    ]
    assert first.rows[0][2].details == ("SE of its change 0.010",)
    assert second.columns == ["Learning rate", "Beta", "Seeds", "Validation accuracy", ""]
    assert sweeps(example_study()) == []
