"""Tables of what the figures rest on: gates, checks, hygiene of the texts."""

from __future__ import annotations

from typing import Any

from mimic.report.facts import check_name
from mimic.report.numbers import Cell, Table

_NOTHING = "nothing was written"


def gates(study: dict[str, Any]) -> Table:
    """Every gate: what synthetic respondents must give, and what the measuring found."""
    table = Table(
        "Gates: respondents and simulated data whose figures are known. Runs are measured only "
        "after all of them have passed.",
        ["Gate", "Of", "Expected", "Found", "Outcome"],
    )
    for gate in study["gates"]["gates"]:
        table.rows.append(
            [
                *(Cell(gate[key]) for key in ("gate", "of", "expected", "found")),
                _outcome(gate["passed"]),
            ]
        )
    return table


def hygiene(study: dict[str, Any]) -> Table:
    """What the runs wrote, apart from its content."""
    table = Table(
        "Writing hygiene. Copied texts share 12 or more consecutive tokens with a training essay; "
        "they are judged apart and never shown. Prompts are rendered by the model’s own chat "
        "template, or where it has none by a plain one: the request, a blank line, the answer.",
        [
            "Run",
            "Chat template",
            "Texts",
            "Distinct",
            "Empty",
            "With trait words",
            "Copied",
            "Mean tokens",
            "Repeated 4-grams",
            "Exact match of copied texts",
        ],
    )
    for run in study["runs"]:
        values = run["hygiene"]
        table.rows.append(
            [
                Cell(run["run"]),
                Cell(values["chat_template"]),
                *(
                    Cell(str(values[key]))
                    for key in ("texts", "distinct", "empty", "with_trait_words", "copied")
                ),
                table.value(values["mean_tokens"], reason=_NOTHING, digits=1),
                table.part(values["mean_repetition"], reason=_NOTHING),
                table.share(run["texts"]["copied_exact_match"], reason="No text was copied."),
            ]
        )
    return table


def checks(study: dict[str, Any]) -> Table:
    """Every check of the study."""
    table = Table(
        "Checks of what the figures rest on.", ["Of", "Check", "Outcome", "What was seen"]
    )
    for check in study["checks"]:
        table.rows.append(
            [
                Cell(check["run"]),
                Cell(check_name(study, check)),
                _outcome(check["passed"]),
                Cell(check["detail"]),
            ]
        )
    return table


def _outcome(passed: bool | None) -> Cell:
    if passed is None:
        return Cell("not decided")
    return Cell("passed", tone="good") if passed else Cell("failed", tone="bad")
