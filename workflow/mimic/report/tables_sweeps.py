"""Tables of runs that try values."""

from __future__ import annotations

from typing import Any

from mimic.report.numbers import Cell, Table, number

_WORDS = {
    "validation loss": "the loss on validation essays, in nats for each token: the least wins",
    "validation accuracy": "the share of validation pairs whose chosen essay has the higher "
    "reward: the greatest wins",
}


def sweeps(study: dict[str, Any]) -> list[Table]:
    """The whole grid of each sweep, the winner marked."""
    return [_grid(grid) for grid in study["sweeps"]]


def _grid(grid: dict[str, Any]) -> Table:
    of = f"{grid['method'].upper()} of {grid['model']}"
    named = f", recipe {grid['recipe']}" if grid["recipe"] else ""
    named += "" if grid["data"] == "essays" else f", {grid['data']}"
    (examples,) = {cell["examples"] for cell in grid["cells"]}
    table = Table(
        f"Values tried: {of}{named}. What decides is {_WORDS[grid['figure']]} ({examples} of them, "
        "on which no run trains). These runs answer and write nothing; what is claimed needs a "
        "recipe with the values that won, and new seeds.",
        [*(_heading(name) for name in grid["settings"]), "Seeds", _sentence(grid["figure"]), ""],
    )
    for cell in grid["cells"]:
        error = cell["standard_error"]
        table.rows.append(
            [
                *(Cell(_value(cell["values"][name])) for name in grid["settings"]),
                Cell(str(cell["seeds"])),
                Cell(
                    number(cell["figure"], 3),
                    () if error is None else (f"SE of its change {number(error, 3)}",),
                ),
                Cell("wins", tone="good") if cell["values"] == grid["winner"] else Cell(""),
            ]
        )
    return table


def _heading(setting: str) -> str:
    return _sentence(setting.replace("_", " "))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _value(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"
