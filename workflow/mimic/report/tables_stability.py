"""Tables of stability: the rule by trait, variance components, reliability, published spreads."""

from __future__ import annotations

from typing import Any

from mimic.report.facts import context_words, with_context
from mimic.report.numbers import Cell, Table, number, percent
from mimic.traits import TRAITS

_BASE = "The base is what the others are compared with."
_ONE_FORM = "a single form has no spread over forms"
_NO_SIGNAL = "the targets do not tell traits apart"
_NO_EFFECT = "the target has no effect on this trait"
_COEFFICIENTS = {
    "agreement_single": "A,1",
    "agreement_average": "A,k",
    "consistency_average": "C,k, ignoring shifts",
}
_PUBLISHED = {
    "sd_over_profiles": "SD of trait means over profiles",
    "sd_over_items": "SD over a trait’s items",
}


def stability(study: dict[str, Any], context: str) -> Table:
    """What the rule of “more stable” rests on, for each run and trait."""
    table = Table(
        f"The rule by trait, {context_words(study, context)}: spread S and signal B in points of "
        "the scale, the reduction of S from the base, noise-to-signal S/|B|, S and B of the base "
        "with its answers shrunk as far as the run’s are, and the verdict. The shrunk base’s S/|B| "
        "is the base’s: both shrink alike. In brackets: 95 % intervals.",
        [
            "Run",
            "Trait",
            "S",
            "Reduction of S",
            "B",
            "S/|B|",
            "S, shrunk base",
            "B, shrunk base",
            "More stable",
        ],
    )
    for run in with_context(study, context):
        part = run["questionnaire"][context]["stability"]
        shrunk = part["shrunk_base"]
        for trait in TRAITS:
            values = part["traits"][trait]
            table.rows.append(
                [
                    Cell(run["run"]),
                    Cell(trait),
                    table.plain(values["spread"]),
                    table.share(values["reduction"], reason=_BASE),
                    table.value(values["signal"], reason=_NO_SIGNAL),
                    table.value(values["noise_to_signal"], reason=_NO_EFFECT, digits=1),
                    *_shrunk(table, shrunk, trait),
                    _verdict(table, part, trait),
                ]
            )
    return table


def components(study: dict[str, Any], context: str) -> Table:
    """Variance components of each run, source and trait."""
    table = Table(
        f"Variance components, {context_words(study, context)}: share of the variance of single "
        "answers, and below it the component in squared points. Profiles, formats and orders are "
        "fixed, items and wordings random; df: degrees of freedom.",
        ["Run", "Source", *TRAITS],
    )
    for run in with_context(study, context):
        found = run["questionnaire"][context]["components"]
        said = list(dict.fromkeys(note for t in TRAITS for note in found[t]["notes"]))
        note = table.missing("; ".join(said)).note if said else 0
        by_trait = {t: {row["source"]: row for row in found[t]["rows"]} for t in TRAITS}
        sources = list(dict.fromkeys(source for rows in by_trait.values() for source in rows))
        if not sources:
            table.rows.append([Cell(run["run"], note=note), Cell("none"), *[Cell("")] * 5])
        for source in sources:
            rows = [by_trait[trait].get(source) for trait in TRAITS]
            table.rows.append(
                [
                    Cell(run["run"], note=note),
                    Cell(source, (_freedom([row["df"] for row in rows if row is not None]),)),
                    *(_component(table, row) for row in rows),
                ]
            )
    return table


def icc(study: dict[str, Any], context: str) -> Table:
    """Intraclass correlations of each run and trait."""
    table = Table(
        f"Intraclass correlations over targets, {context_words(study, context)}; raters are forms. "
        "A,1: of one form; A,k: of the mean over forms; C,k takes forms’ shifts as harmless. "
        "“Within”: after the means of high and low targets are subtracted. The intervals (95 %) "
        "take forms for independent raters, which forms that share a wording are not: they are "
        "too narrow.",
        [
            "Run",
            "Trait",
            *_COEFFICIENTS.values(),
            *(f"within: {name}" for name in _COEFFICIENTS.values()),
        ],
    )
    for run in with_context(study, context):
        part = run["questionnaire"][context]
        for trait in TRAITS:
            table.rows.append(
                [
                    Cell(run["run"]),
                    Cell(trait),
                    *(
                        table.plain(part[key][trait][name])
                        for key in ("icc", "icc_within")
                        for name in _COEFFICIENTS
                    ),
                ]
            )
    return table


def scales(study: dict[str, Any]) -> Table | None:
    """α and ω of each run and trait; None where no run answered for sketches of persons."""
    runs = [run for run in study["runs"] if run["scales"] is not None]
    if not runs:
        return None
    table = Table(
        "Do a trait’s items measure one thing? Cronbach’s α, the same within high and low targets, "
        "and ω of a one-factor model. Rows are targets in sketches of persons, answers averaged "
        "over forms; rows that share a target or a sketch are not independent, so that the "
        "intervals are too narrow.",
        ["Run", "Trait", "Rows", "α", "α within targets", "ω"],
    )
    for run in runs:
        found = run["scales"]
        for trait in TRAITS:
            table.rows.append(
                [
                    Cell(run["run"]),
                    Cell(trait),
                    Cell(str(found["rows"])),
                    *(table.plain(found[key][trait]) for key in ("alpha", "alpha_within", "omega")),
                ]
            )
    return table


def published(study: dict[str, Any], context: str) -> Table:
    """The reference study's spreads under their own names."""
    table = Table(
        f"The reference study’s definitions of stability, {context_words(study, context)}. It "
        "reports standard deviations (SD) without a definition: its released code takes that of "
        "trait means over profiles, which falls when a run heeds its target less; its figure "
        "looks like that over a trait’s items, which holds the differences between items. Neither "
        "is S. Reductions are from the base.",
        [
            "Run",
            "Trait",
            *(heading for name in _PUBLISHED.values() for heading in (name, "Reduction")),
        ],
    )
    for run in with_context(study, context):
        part = run["questionnaire"][context]["published_stability"]
        for trait in TRAITS:
            cells = []
            for name in _PUBLISHED:
                reduction = part[name]["reduction"]
                cells += [
                    table.value(part[name]["spread"][trait], reason="a single item has no spread"),
                    table.missing(_BASE)
                    if reduction is None
                    else table.part(reduction[trait], reason="the base has no spread to reduce"),
                ]
            table.rows.append([Cell(run["run"]), Cell(trait), *cells])
    return table


def _shrunk(table: Table, shrunk: dict[str, Any] | None, trait: str) -> list[Cell]:
    """S and B of the shrunk base."""
    if shrunk is None:
        return [table.missing(_BASE)] * 2
    values = shrunk["traits"][trait]
    return [
        table.value(values["spread"], reason=_ONE_FORM),
        table.value(values["signal"], reason=_NO_SIGNAL),
    ]


def _verdict(table: Table, part: dict[str, Any], trait: str) -> Cell:
    if part["more_stable"] is None:
        return table.missing(_BASE if part["shrunk_base"] is None else _NO_SIGNAL)
    return Cell("yes", tone="good") if part["more_stable"][trait] else Cell("no")


def _component(table: Table, row: dict[str, Any] | None) -> Cell:
    if row is None:
        return table.missing("this trait’s design has no such source")
    if row["negative"]:
        return Cell(percent(0), ("below 0, set to 0",))
    return Cell(percent(row["share"]), (number(row["component"], 3),))


def _freedom(found: list[int]) -> str:
    low, high = min(found), max(found)
    return f"df {low}" if low == high else f"df {low} to {high}"
