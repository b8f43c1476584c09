"""Tables of the answers: other choices of scoring, coherence, use of the scale."""

from __future__ import annotations

import statistics
from typing import Any

from mimic.report.facts import context_name, contexts, target_contexts, target_lines, unvaried
from mimic.report.numbers import Cell, Table, number, p_value, percent
from mimic.stats.coherence import Togetherness

_SCORINGS = {
    "argmax": "Likeliest option",
    "agreement_corrected": "Agreement taken out",
    "low_mass_left_out": "Low mass left out",
}


_PARTS = ("withheld", "others")


def sensitivity(study: dict[str, Any]) -> Table:
    """Exact match under other choices: cuts, the likeliest option, agreement, low mass."""
    names = list(
        dict.fromkeys(
            cut
            for run in study["runs"]
            for p in run["questionnaire"].values()
            for cut in cuts_of(p)
        )
    )
    table = Table(
        "Sensitivity: exact match with another cut or with scores made otherwise, at the primary "
        "cut where no other is named. The p-values at cuts other than the primary one stand "
        "outside of the correction. “Agreement taken out” subtracts each answerer’s "
        "agreement with items whatever they say. In brackets: 95 % intervals.",
        ["Run", "Context", *_headings(names), *_SCORINGS.values()],
    )
    for run in study["runs"]:
        for context in contexts(study):
            part = run["questionnaire"].get(context)
            if part is None:
                continue
            matches = at_cuts(part)
            table.rows.append(
                [
                    Cell(run["run"]),
                    Cell(context_name(study, context)),
                    *(_at_cut(table, matches.get(name)) for name in names),
                    *(_scored(table, part["sensitivity"][key]) for key in _SCORINGS),
                ]
            )
    return table


def sensitivity_of_stability(study: dict[str, Any]) -> Table:
    """S, B and S/|B| under the same ways to score."""
    table = Table(
        "Sensitivity of stability: spread S with scores made otherwise; below it signal B and "
        "S/|B|. S and B are means over the traits, S/|B| is their median, as in the main table.",
        ["Run", "Context", "As scored", *_SCORINGS.values()],
    )
    for run in study["runs"]:
        for context in contexts(study):
            part = run["questionnaire"].get(context)
            if part is None:
                continue
            traits = part["stability"]["traits"].items()
            as_scored = {t: values | {"spread": values["spread"]["value"]} for t, values in traits}
            table.rows.append(
                [
                    Cell(run["run"]),
                    Cell(context_name(study, context)),
                    _spread(table, {"stability": as_scored}),
                    *(_spread(table, part["sensitivity"][key]) for key in _SCORINGS),
                ]
            )
    return table


def coherence(study: dict[str, Any]) -> Table:
    """Exact match against the product of the accuracies; correlations against people's."""
    table = Table(
        "Does a profile hang together? Exact match beside the product of the five accuracies, "
        "which it would be if the traits’ errors knew nothing of each other. Congruence: Tucker’s "
        "φ of the ten correlations between traits with those of people (a meta-analysis of 212 "
        "samples); 1 is the same pattern, 0 none in common, −1 the opposite. Targets are balanced, "
        "so a run that does no more than follow them has no pattern in its scores; that of the "
        "residuals is what the model adds whatever the target.",
        [
            "Run",
            "Context",
            "Observed",
            "Product",
            "Observed / product",
            "Congruence, scores",
            "Congruence, residuals",
        ],
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
                    *(
                        table.value(figures[key], reason="a trait does not vary")
                        for key in ("congruence", "residual_congruence")
                    ),
                ]
            )
    return table


def withheld(study: dict[str, Any]) -> Table:
    """Exact match on the profiles that preference training never aims at, and on the others."""
    table = Table(
        "Eight of the 32 profiles are never targets in DPO and ORPO, so that a run can be asked "
        "for what no pair of its training aimed at. SFT and runs of a published split see all. "
        "Below each figure: how many profiles were asked for there, traits that aren’t as often "
        "high as low among them, and what whoever always gives one and the same of them gets "
        "(constant profile). In brackets: 95 % intervals.",
        [
            "Run",
            "Withheld in training",
            "Where",
            "Exact match, withheld profiles",
            "Exact match, other profiles",
        ],
    )
    shown = []
    for run in study["runs"]:
        first = [Cell(run["run"]), Cell("yes" if run["profiles_withheld"] else "no")]
        for context in target_contexts(study):
            if context in run["questionnaire"]:
                part = run["questionnaire"][context]["withheld"]
                shown.append(part["withheld"])
                cells = [table.share(part[name], *target_lines(part[name])) for name in _PARTS]
                table.rows.append([*first, Cell(context_name(study, context)), *cells])
        part = run["texts"]["withheld"]
        shown.append(part["withheld"])
        cells = [table.share(part[name], *target_lines(part[name])) for name in _PARTS]
        table.rows.append([*first, Cell("texts"), *cells])
    table.caption += _left_open(shown)
    return table


def _left_open(withheld: list[dict[str, Any]]) -> str:
    """What the columns can't tell where a trait doesn't vary among the withheld profiles."""
    if not any(unvaried(part["targets"]) for part in withheld if "targets" in part):
        return ""
    return (
        " Where a trait is the same in all of them (“all with”), a run that gives every profile "
        "that level fits them in this trait, and one that gives the other level never fits them at "
        "all, whatever was trained: a difference between the two columns says nothing of targets "
        "that weren’t trained on. Ask for all 32 profiles before you speak of these."
    )


def answering(study: dict[str, Any]) -> Table:
    """How the runs use the scale, whatever the target is."""
    table = Table(
        "How the runs use the scale, whatever their target.",
        [
            "Run",
            "Context",
            "Option mass",
            "Mass below half",
            "No mass",
            "Reworded",
            "Share of each option, 1 to 5",
            "Acquiescence",
            "Order asymmetry",
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
                    Cell(percent(part["mass"]["share_without"])),
                    Cell(percent(part["reworded"])),
                    _shares(table, part["agreement_share"]),
                    table.value(part["acquiescence"], reason="no trait has items keyed both ways"),
                    table.value(part["order_asymmetry"], reason="no wording has both orders"),
                ]
            )
    return table


def _shares(table: Table, shares: list[float] | None) -> Cell:
    if shares is None:
        return table.missing("no answer has mass on any option")
    return Cell(" · ".join(number(100 * share, 0) for share in shares) + " %")


def cuts_of(part: dict[str, Any]) -> list[str]:
    """The cuts of a context's figures, the primary one first."""
    return [part["cut"], *part["other_cuts"]]


def _headings(cuts: list[str]) -> list[str]:
    """Of the primary cut, which is the first of all runs, and of the others."""
    return [f"{'Other' if place else 'Primary'} cut: {cut}" for place, cut in enumerate(cuts)]


def at_cuts(part: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Exact match at each cut, by the cut's name."""
    return {part["cut"]: part["exact_match"], **part["other_cuts"]}


def _at_cut(table: Table, match: dict[str, Any] | None) -> Cell:
    if match is None:
        return table.missing("not scored at this cut")
    return table.share(match, p_value(match["p_value"]))


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


def _spread(table: Table, figures: dict[str, Any]) -> Cell:
    """Mean S, with mean B and the median of S/|B| below it."""
    if "reason" in figures:
        return table.missing(figures["reason"])
    found = figures["stability"].values()
    spread, signal = (
        None if None in values else statistics.mean(values)
        for values in ([one[key] for one in found] for key in ("spread", "signal"))
    )
    ratios = [one["noise_to_signal"] for one in found if one["noise_to_signal"] is not None]
    details = (
        "no B" if signal is None else f"B {number(signal)}",
        f"S/|B| {number(statistics.median(ratios), 1)}" if ratios else "no S/|B|",
    )
    if spread is None:
        return table.missing("S has no value in each trait")._replace(details=details[:1])
    return Cell(number(spread), details)
