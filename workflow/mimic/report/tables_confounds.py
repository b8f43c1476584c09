"""Tables of what alignment and size do: paired contrasts of models, and the mixed model."""

from __future__ import annotations

from typing import Any

from mimic.report.facts import context_words
from mimic.report.numbers import Cell, Table, number, p_value
from mimic.report.tables_contrasts import signed

_KINDS = {"alignment": "aligned − uncensored", "size": "larger − smaller"}
_UNITS = {"alignment": "aligned models", "size": "families"}
_NO_VALUE = "a run has no signal at all, or a single form"


def contrasts(study: dict[str, Any]) -> Table | None:
    """Each pair of models, and the sign-flip tests over pairs; None where no pair was run."""
    found = study["confounds"]
    if not found["contrasts"]:
        return None
    table = Table(
        "Alignment and size: paired contrasts of models with the same method, recipe, seeds and "
        "targets. Differences of exact match are in percentage points; S/|B| is the mean of S over "
        "traits by the mean of |B|. p, two-sided: how often contrasts whose signs are flipped at "
        "random are as far from 0 on average; pairs that share an aligned model, or are of one "
        "family, are averaged first and count once. Exploratory: not corrected.",
        [
            "Contrast",
            "Models",
            "Method",
            "In",
            "Seeds",
            "Difference of exact match",
            "Difference of S/|B|",
        ],
    )
    tests = {
        (one["kind"], one["context"], one["method"], one["figure"]): one for one in found["tests"]
    }
    groups = dict.fromkeys(key[:3] for key in tests)
    for kind, context, method in groups:
        shared = [Cell(method), Cell(context_words(study, context))]
        for one in found["contrasts"]:
            if (one["kind"], one["context"], one["method"]) == (kind, context, method):
                table.rows.append(
                    [
                        Cell(_KINDS[kind]),
                        Cell(f"{one['first']} − {one['second']}"),
                        *shared,
                        Cell(str(len(one["seeds"]))),
                        _difference(table, one["exact_match"], scale=100),
                        _difference(table, one["noise_to_signal"]),
                    ]
                )
        match, noise = (
            tests[kind, context, method, name] for name in ("exact_match", "noise_to_signal")
        )
        table.rows.append(
            [
                Cell(_KINDS[kind]),
                Cell(f"mean over {_UNITS[kind]}: {match['units']}"),
                *shared,
                Cell(""),
                _tested(table, match, scale=100),
                _tested(table, noise),
            ]
        )
    return table


def mixed(study: dict[str, Any]) -> Table | None:
    """Coefficients of the mixed models; None where no model was fitted and no pair was run."""
    found = study["confounds"]
    if not (found["contrasts"] or any(fit["coefficients"] for fit in found["mixed"])):
        return None
    table = Table(
        "A mixed model of all runs, which describes and tests nothing by itself: method (with its "
        "recipe), tenfold size and alignment fixed, models random, by restricted likelihood. Exact "
        "match is in percentage points, S/|B| a natural logarithm. In brackets: 95 % intervals; of "
        "what differs between models they rest on the number of models. With fewer than ten "
        "models no coefficient has a p.",
        ["In", "Figure", "Models", "Runs", "Coefficient", "Value"],
    )
    for fit in found["mixed"]:
        scale = 100 if fit["figure"] == "exact match" else 1
        digits = 1 if scale == 100 else 2
        shared = [
            Cell(context_words(study, fit["context"])),
            Cell(fit["figure"]),
            Cell(str(fit["models"])),
            Cell(str(fit["runs"])),
        ]
        if fit["reason"] is not None:
            table.rows.append([*shared, Cell("not fitted"), table.missing(fit["reason"])])
            continue
        for one in fit["coefficients"]:
            low, high = (number(scale * one[end], digits) for end in ("low", "high"))
            details = (f"[{low}, {high}]", p_value(one["p"]))
            value = number(scale * one["value"], digits)
            table.rows.append(
                [*shared, Cell(one["name"]), Cell(value, tuple(line for line in details if line))]
            )
        for name in ("model", "residual"):
            deviation = number(scale * fit[f"{name}_sd"], digits)
            table.rows.append([*shared, Cell(f"{name} standard deviation"), Cell(deviation)])
    return table


def _difference(table: Table, value: float | None, *, scale: float = 1.0) -> Cell:
    return table.missing(_NO_VALUE) if value is None else Cell(signed(scale * value))


def _tested(table: Table, test: dict[str, Any], *, scale: float = 1.0) -> Cell:
    if test["mean"] is None:
        return table.missing(test["reason"])
    text = signed(scale * test["mean"])
    if test["p_value"] is None:
        return Cell(text, note=table.missing(test["reason"]).note)
    return Cell(text, (p_value(test["p_value"]),))
