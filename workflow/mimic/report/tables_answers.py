"""Tables of the answers: protocols, other choices of scoring, coherence, use of the scale."""

from __future__ import annotations

from typing import Any

from mimic.report.facts import context_name, context_words, contexts, target_contexts
from mimic.report.numbers import Cell, Table, number, p_value, percent
from mimic.stats.coherence import Togetherness
from mimic.traits import TRAITS

Run = dict[str, Any]

_PROTOCOLS = ("released", "corrected")
_SCORINGS = {
    "argmax": "Likeliest option",
    "agreement_corrected": "Agreement taken out",
    "low_mass_left_out": "Low mass left out",
}


def generated_contexts(study: dict[str, Any]) -> list[str]:
    """The contexts in which runs answered in words."""
    named = {name for run in study["runs"] for name in run["generated"]}
    return [name for name in target_contexts(study) if name in named]


def protocols(study: dict[str, Any], context: str) -> Table:
    """Exact match under the three protocols, each in columns of its own."""
    runs = [run for run in study["runs"] if context in run["generated"]]
    cuts, asked = _cuts(runs, context), runs[0]["generated"][context]
    used = [name for name in _PROTOCOLS if name in asked["protocols"]]
    table = Table(
        f"Exact match under each protocol, {context_words(study, context)}. Likelihood takes the "
        "probability of each option; released and corrected read the same answers in words, given "
        f"for {asked['profiles']} targets, {asked['items']} items and {len(asked['forms'])} "
        "formats, at the cut 3.0. “released” scores as the reference study’s released code does, "
        "which is in the inverted direction: whoever answers just as its targets say gets 0 % "
        "there. It runs on our instruments and in our wording, so that its figures are comparable "
        "with the published ones in kind only. Columns rest on different answers and are never "
        "mixed.",
        [
            "Run",
            *(f"likelihood, cut: {name}" for name in cuts),
            *used,
            "Parsed answers",
            "Unparsed, by reason",
        ],
    )
    for run in runs:
        found, part = run["generated"][context], run["questionnaire"][context]
        at_cuts = _at_cuts(part)
        table.rows.append(
            [
                Cell(run["run"]),
                *(
                    table.part(at_cuts[name]["value"], reason="no value at this cut")
                    for name in cuts
                ),
                *(_by_protocol(table, found["protocols"][name]) for name in used),
                Cell(percent(found["protocols"][used[0]]["parsed"])),
                Cell(_reasons(found["unparsed"])),
            ]
        )
    return table


def protocol_accuracy(study: dict[str, Any], context: str) -> Table:
    """Accuracy of each trait under each protocol of answers in words."""
    table = Table(
        f"Accuracy by trait of answers in words, {context_words(study, context)}; a trait without "
        "a decision never fits.",
        ["Run", "Protocol", *TRAITS],
    )
    for run in study["runs"]:
        found = run["generated"].get(context, {"protocols": {}})["protocols"]
        for name in _PROTOCOLS:
            if name in found:
                accuracy = found[name]["accuracy"]
                cells = (Cell(percent(accuracy[trait])) for trait in TRAITS)
                table.rows.append([Cell(run["run"]), Cell(name), *cells])
    return table


def sensitivity(study: dict[str, Any]) -> Table:
    """Exact match under other choices: cuts, the likeliest option, agreement, low mass."""
    names = list(
        dict.fromkeys(
            cut
            for run in study["runs"]
            for p in run["questionnaire"].values()
            for cut in _cuts_of(p)
        )
    )
    table = Table(
        "Sensitivity: exact match with another cut or with scores made otherwise, at the primary "
        "cut where no other is named. These p-values stand outside of the correction. “Agreement "
        "taken out” subtracts each answerer’s agreement with items whatever they say.",
        ["Run", "Context", *_headings(names), *_SCORINGS.values()],
    )
    for run in study["runs"]:
        for context in contexts(study):
            part = run["questionnaire"].get(context)
            if part is None:
                continue
            at_cuts = _at_cuts(part)
            table.rows.append(
                [
                    Cell(run["run"]),
                    Cell(context_name(study, context)),
                    *(_at_cut(table, at_cuts.get(name)) for name in names),
                    *(_scored(table, part["sensitivity"][key]) for key in _SCORINGS),
                ]
            )
    return table


def coherence(study: dict[str, Any]) -> Table:
    """Observed exact match against the product of the traits' accuracies."""
    table = Table(
        "Does a profile hang together? Exact match beside the product of the five accuracies, "
        "which it would be if the traits’ errors knew nothing of each other.",
        ["Run", "Context", "Observed", "Product", "Observed / product"],
    )
    for run in study["runs"]:
        for context in target_contexts(study):
            if context not in run["questionnaire"]:
                continue
            figures = run["questionnaire"][context]["coherence"]
            found = Togetherness(figures["observed"], figures["independent"])
            table.rows.append(
                [
                    Cell(run["run"]),
                    Cell(context),
                    Cell(percent(found.observed)),
                    Cell(percent(found.independent)),
                    table.value(
                        found.ratio if found.independent > 0 else None, reason="the product is 0"
                    ),
                ]
            )
    return table


def answering(study: dict[str, Any]) -> Table:
    """How the runs use the scale, whatever the target is."""
    table = Table(
        "How the runs use the scale, whatever their target.",
        [
            "Run",
            "Context",
            "Option mass",
            "Mass below half",
            "Reworded",
            "Share of each option, 1 to 5",
            "Acquiescence",
            "Order asymmetry",
            "Exact match, forms averaged",
        ],
    )
    for run in study["runs"]:
        for context, part in run["questionnaire"].items():
            table.rows.append(
                [
                    Cell(run["run"]),
                    Cell(context_name(study, context)),
                    Cell(number(part["mass"]["mean"])),
                    Cell(percent(part["mass"]["share_below_half"])),
                    Cell(percent(part["reworded"])),
                    Cell(" · ".join(number(100 * s, 0) for s in part["agreement_share"]) + " %"),
                    table.value(part["acquiescence"], reason="no trait has items keyed both ways"),
                    table.value(part["order_asymmetry"], reason="no wording has both orders"),
                    table.share(part["exact_match_averaged"]),
                ]
            )
    return table


def _cuts_of(part: dict[str, Any]) -> list[str]:
    return [part["cut"], *part["other_cuts"]]


def _headings(cuts: list[str]) -> list[str]:
    """Of the primary cut, which is the first of all runs, and of the others."""
    return [f"{'Other' if place else 'Primary'} cut: {cut}" for place, cut in enumerate(cuts)]


def _cuts(runs: list[Run], context: str) -> list[str]:
    """The cuts of likelihood, primary first."""
    return _cuts_of(runs[0]["questionnaire"][context])


def _at_cuts(part: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Exact match at each cut, by the cut's name."""
    return {part["cut"]: part["exact_match"], **part["other_cuts"]}


def _at_cut(table: Table, match: dict[str, Any] | None) -> Cell:
    if match is None:
        return table.missing("not scored at this cut")
    return table.part(match["value"], p_value(match["p_value"]), reason="no value at this cut")


def _scored(table: Table, figures: dict[str, Any]) -> Cell:
    """Exact match and mean AUC, and how many answers were left out."""
    out = figures.get("left_out")
    left = () if out is None else (f"{percent(out)} left out",)
    if "reason" in figures:
        return table.missing(figures["reason"])._replace(details=left)
    area = figures["mean_auc"]
    return Cell(
        percent(figures["exact_match"]),
        ("no AUC" if area is None else f"AUC {number(area)}", *left),
    )


def _by_protocol(table: Table, figures: dict[str, Any]) -> Cell:
    match = figures["exact_match"]
    undecided = figures["undecided"]
    more = [f"{match['hits']} of {match['cells']}"]
    if undecided:
        more.append(f"{percent(undecided)} undecided")
    return table.share(match, *more)


def _reasons(unparsed: dict[str, int]) -> str:
    return "; ".join(f"{reason} {count}" for reason, count in unparsed.items()) or "none"
