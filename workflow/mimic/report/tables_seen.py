"""The table of what training held: items × wordings × profiles, each seen or unseen."""

from __future__ import annotations

from typing import Any

from mimic.report.facts import context_words, no_likelihood, target_lines
from mimic.report.numbers import Cell, Table, percent

_SIDES = ("seen", "unseen")
_NOT_ASKED = "the run was asked in no context with a target"


def seen(study: dict[str, Any]) -> Table | None:
    """Exact match by what each run's training held; None where no run trained on items."""
    tables = [run["seen"] for run in study["runs"] if run["item_trained"] and run["seen"]]
    if not tables:
        return None
    table = Table(
        "Exact match by what the run’s training held, without intervals, "
        f"{context_words(study, tables[0]['context'])}. Items are seen where its prompts held one "
        "of their cluster. A seen wording is an instruction that training may use, with items in "
        "the words that prompts took theirs from; unseen ones are those of the study’s forms, in "
        "which a seen item doesn’t count where it stands in words of training. Profiles are seen "
        "where training named them as targets; traits that aren’t as often high as low among those "
        "of a cell stand there, with what whoever always gives one and the same of them gets "
        "(constant profile). Formats are held out in all cells of a run that "
        "trained on items.",
        [
            "Run",
            "Items",
            *(f"Wordings {w}, profiles {p}" for w in _SIDES for p in _SIDES),
        ],
    )
    for run in study["runs"]:
        for items in _SIDES:
            cells = _cells(table, run, items)
            table.rows.append([Cell(run["run"]), Cell(items), *cells])
    return table


def _cells(table: Table, run: dict[str, Any], items: str) -> list[Cell]:
    """A run's four cells of seen or of unseen items."""
    if run["seen"] is None:
        return [table.missing(no_likelihood(run) or _NOT_ASKED)] * 4
    found = {
        (cell["wordings"], cell["profiles"]): one
        for one in run["seen"]["cells"]
        for cell in [one["cell"]]
        if cell["items"] == items
    }
    return [_cell(table, found[w, p]) for w in _SIDES for p in _SIDES]


def _cell(table: Table, figures: dict[str, Any]) -> Cell:
    if figures["value"] is None:
        return table.missing(figures["reason"])
    counts = figures["counts"]
    return Cell(
        percent(figures["value"]),
        (
            f"{figures['hits']} of {figures['cells']}",
            *target_lines(figures),
            *(f"{counts[what]} {what}" for what in ("forms", "items")),
        ),
    )
