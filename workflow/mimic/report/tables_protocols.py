"""Tables of the protocols: likelihood beside answers in words, released and corrected."""

from __future__ import annotations

import math
from typing import Any

from mimic.report.facts import context_words, no_likelihood, target_contexts, with_context
from mimic.report.numbers import Cell, Table, interval, number, p_value, percent
from mimic.report.tables import items_cell
from mimic.report.tables_answers import at_cuts, cuts_of
from mimic.traits import TRAITS

_PROTOCOLS = ("released", "corrected")
_PUBLISHED = "3.0, as published"


def generated_contexts(study: dict[str, Any]) -> list[str]:
    """The contexts in which runs answered in words."""
    named = {name for run in study["runs"] for name in run["generated"]}
    return [name for name in target_contexts(study) if name in named]


def protocols(study: dict[str, Any], context: str) -> Table:
    """Exact match under the three protocols, each in columns of its own."""
    runs = [run for run in study["runs"] if context in run["generated"]]
    # A model of an API may come first: it has no likelihoods, and no answers if it isn't served.
    cuts = cuts_of(with_context(study, context)[0]["questionnaire"][context])
    asked = next(own for run in runs if "not_served" not in (own := run["generated"][context]))
    used, marked = _columns(asked), any(run["item_trained"] for run in runs)
    items = "the items of each run" if marked else f"{asked['items']} items"
    table = Table(
        f"Exact match under each protocol, {context_words(study, context)}. Likelihood takes the "
        "probability of each option; released and corrected read the same answers in words, given "
        f"for {asked['profiles']} targets, {items} and {len(asked['forms'])} "
        "formats. “released” scores as the reference study’s released code does, "
        "which is in the inverted direction: whoever answers just as its targets say gets 0 % "
        "there. It runs on our instruments and in our wording, so that its figures are comparable "
        f"with the published ones in kind only. {_chance(asked)} Columns rest on different answers "
        "and are never mixed. In brackets: 95 % intervals, of answers in words over item clusters, "
        "by likelihood over item clusters and instruction wordings.",
        [
            "Run",
            *(["Items"] if marked else []),
            *(f"likelihood, cut: {name}" for name in cuts),
            *(f"{protocol}, cut: {cut}" for protocol, cut in used),
            "Parsed answers",
            "Unparsed, by reason",
        ],
    )
    for run in runs:
        found = run["generated"][context]
        likelihoods = _likelihoods(table, run, context, cuts)
        if "not_served" in found:
            none = [table.missing(found["not_served"])]
            first = [Cell(run["run"]), *none * marked]
            table.rows.append([*first, *likelihoods, *none * (len(used) + 2)])
            continue
        table.rows.append(
            [
                Cell(run["run"]),
                *([items_cell(run, found)] if marked else []),
                *likelihoods,
                *(_matched(table, found, protocol, cut) for protocol, cut in used),
                Cell(percent(found["protocols"][used[0][0]]["parsed"])),
                Cell(_reasons(found["unparsed"])),
            ]
        )
    return table


def accuracy(study: dict[str, Any], context: str) -> Table:
    """Accuracy and AUC of each trait under each protocol of answers in words."""
    table = Table(
        f"Accuracy by trait of answers in words, {context_words(study, context)}, and below it "
        "the AUC, which has no cut; a trait without a decision never fits. Under “released” the "
        "direction of the AUC is inverted too. In brackets: 95 % intervals over item clusters.",
        ["Run", "Protocol and cut", *TRAITS, "Mean AUC"],
    )
    for run in study["runs"]:
        asked = run["generated"].get(context)
        for protocol, cut in _columns(asked) if asked and "not_served" not in asked else ():
            found = asked["protocols"][protocol]
            at_cut = _at_cut(found, cut)["accuracy"]
            table.rows.append(
                [
                    Cell(run["run"]),
                    Cell(f"{protocol}, cut: {cut}"),
                    *(table.share(at_cut[trait], _area(found["auc"][trait])) for trait in TRAITS),
                    table.plain(found["mean_auc"]),
                ]
            )
    return table


def _likelihoods(table: Table, run: dict[str, Any], context: str, cuts: list[str]) -> list[Cell]:
    """Exact match by likelihood at each cut."""
    reason = no_likelihood(run)
    if reason is not None:
        return [table.missing(reason)] * len(cuts)
    matches = at_cuts(run["questionnaire"][context])
    return [table.share(matches[name], p_value(matches[name]["p_value"])) for name in cuts]


def _columns(asked: dict[str, Any]) -> list[tuple[str, str]]:
    """Protocol and cut of each figure of exact match."""
    return [
        (protocol, cut)
        for protocol in _PROTOCOLS
        if protocol in asked["protocols"]
        for cut in (_PUBLISHED, *asked["protocols"][protocol]["other_cuts"])
    ]


def _at_cut(figures: dict[str, Any], cut: str) -> dict[str, Any]:
    found: dict[str, Any] = figures if cut == _PUBLISHED else figures["other_cuts"][cut]
    return found


def _chance(asked: dict[str, Any]) -> str:
    """What one and the same answer gets, and how small p can be."""
    profiles = asked["profiles"]
    said = (
        f"Whoever always gives one and the same of the targets fits in "
        f"{percent(asked['constant_profile'])}, where a profile drawn at random fits in 1 of 32"
    )
    # Targets can be put in so many orders.
    orders = math.factorial(profiles)
    return (
        f"{said}; with {profiles} targets p is hardly below 1/{orders}."
        if orders < 200
        else (f"{said}.")
    )


def _matched(table: Table, asked: dict[str, Any], protocol: str, cut: str) -> Cell:
    figures = asked["protocols"][protocol]
    match = _at_cut(figures, cut)["exact_match"]
    more = [p_value(match["p_value"]), f"{match['hits']} of {match['cells']}"]
    if figures["undecided"]:
        more.append(f"{percent(figures['undecided'])} undecided")
    return table.share(match, *more)


def _area(area: dict[str, Any]) -> str:
    if area["value"] is None:
        return "no AUC"
    return f"AUC {number(area['value'])} {interval(area)}".rstrip()


def _reasons(unparsed: dict[str, int]) -> str:
    return "; ".join(f"{reason} {count}" for reason, count in unparsed.items()) or "none"
