"""The main tables: runs told a target, baselines, the judge."""

from __future__ import annotations

import statistics
from typing import Any

from mimic.report.facts import (
    by_share,
    changes,
    context_words,
    is_trained,
    learning,
    target_contexts,
)
from mimic.report.numbers import Cell, Table, number, p_value, percent
from mimic.traits import TRAITS

Run = dict[str, Any]

_BASE = "The base is what the others are compared with."
_VERDICTS = {
    "passed": Cell("learned", tone="good"),
    "failed": Cell("learned nothing", tone="bad"),
    "undecided": Cell("not decided"),
}


def results(study: dict[str, Any], context: str) -> Table:
    """The main table of a context in which runs are told a target: one row for each run.

    Texts and learning don't depend on the context, and stand in the table of the first one.
    """
    is_main = context == target_contexts(study)[0]
    table = Table(
        f"Results by run, {context_words(study, context)}. In brackets: 95 % intervals.",
        [
            "Run",
            "Method",
            "Exact match",
            "Forms averaged",
            "Mean AUC",
            *(["Text exact match", "Text AUC"] if is_main else []),
            "Spread S",
            "Reduction of S",
            "S/|B|",
            "More stable in",
            *(["Learning check"] if is_main else []),
        ],
    )
    for run in study["runs"]:
        part = run["questionnaire"].get(context)
        if part is None:
            continue
        texts, stability = run["texts"], part["stability"]
        table.rows.append(
            [
                Cell(run["run"]),
                Cell(run["method"]),
                matched(table, part["exact_match"]),
                table.share(part["exact_match_averaged"]),
                table.plain(part["mean_auc"]),
                *(
                    [matched(table, texts["exact_match"]), table.plain(texts["mean_auc"])]
                    if is_main
                    else []
                ),
                table.plain(stability["spread"]),
                table.share(stability["reduction"], reason=_BASE),
                _noise(table, stability["traits"]),
                _more_stable(table, stability["more_stable"]),
                *([_learning(table, run)] if is_main else []),
            ]
        )
    return table


def baselines(study: dict[str, Any]) -> Table:
    """What exact match would be without any induction by training."""
    table = Table("Baselines of exact match.", ["Baseline", "Exact match", "What it is"])
    first = study["runs"][0]["baselines"]
    modal = first["modal_profile"]
    table.rows.append(
        [
            Cell("uniform"),
            Cell(percent(first["uniform"], 3)),
            Cell("a profile drawn at random, 1 of 32"),
        ]
    )
    for name, shares, words in (
        (
            "modal profile",
            modal,
            f"always the corpus’s most frequent profile, {modal['profile']} "
            f"({percent(modal['share_of_essays'])} of the essays)",
        ),
        (
            "constant profile",
            first["constant_profile"],
            "always one and the same profile, the commonest of those scored",
        ),
    ):
        for share, wheres in by_share(study, shares):
            table.rows.append(
                [Cell(name), Cell(percent(share)), Cell(f"{words}; {', '.join(wheres)}")]
            )
    for model, prompt in _by_model(study, "prompt_only"):
        for context in target_contexts(study):
            value = prompt["questionnaire"].get(context)
            table.rows.append(
                [
                    Cell(f"prompt only, {model}"),
                    _or_missing(table, value),
                    Cell(f"the untrained model, told its target; {context_words(study, context)}"),
                ]
            )
        table.rows.append(
            [
                Cell(f"prompt only, {model}"),
                _or_missing(table, prompt["texts"]),
                Cell("the untrained model, told its target; texts"),
            ]
        )
    for row in (study["gates"]["reference"] or {"figures": []})["figures"]:
        if row["protocol"] == "likelihood":
            table.rows.append(
                [
                    Cell("human-like respondent"),
                    Cell(percent(row["exact_match"])),
                    Cell(
                        "answers drawn from norms, for people "
                        f"{number(study['gates']['reference']['level_in_sd'], 1)} standard "
                        "deviations above or below the mean, as their target says; cut: "
                        f"{row['cut']}"
                    ),
                ]
            )
    for model, null in _by_model(study, "null_adapter"):
        table.rows.append(
            [
                Cell(f"null adapter, {model}"),
                Cell(null),
                Cell("the same training on permuted labels"),
            ]
        )
    return table


def judge(study: dict[str, Any]) -> Table:
    """The reading judge on essays whose profiles are known."""
    figure = study["judge"]
    reference = figure["reference_name"]
    table = Table(
        f"The judge on essays: accuracy by trait, by cross-validation in E and on T ({reference}).",
        ["Trait", "Accuracy in E", "Accuracy in T", "AUC in E", "AUC in T", "Majority label"],
    )
    parts = (figure["cross_validation"], figure["reference"])
    for trait in TRAITS:
        table.rows.append(
            [
                Cell(trait),
                *(table.share(part["accuracy"][trait]) for part in parts),
                *(table.plain(part["auc"][trait]) for part in parts),
                Cell(percent(figure["majority_accuracy"][trait])),
            ]
        )
    majority = statistics.mean(figure["majority_accuracy"].values())
    table.rows.append(
        [
            Cell("mean"),
            *(table.share(part["mean_accuracy"]) for part in parts),
            *(_mean_auc(table, part) for part in parts),
            Cell(percent(majority)),
        ]
    )
    table.rows.append(
        [
            Cell("exact match"),
            *(table.share(part["exact_match"]) for part in parts),
            Cell(""),
            Cell(""),
            Cell(""),
        ]
    )
    return table


def matched(table: Table, estimate: dict[str, Any]) -> Cell:
    """Exact match with its interval and p-value."""
    return table.share(estimate, p_value(estimate.get("p_value")))


def _noise(table: Table, traits: dict[str, Any]) -> Cell:
    """Median of S/|B| over the traits that have one."""
    values = [traits[trait]["noise_to_signal"] for trait in TRAITS]
    known = [value for value in values if value is not None]
    if not known:
        return table.missing("No trait has a signal to divide by.")
    wrong = sum(traits[trait]["signal"] <= 0 for trait in TRAITS)
    details = [f"B ≤ 0 in {wrong}"] if wrong else []
    if len(known) < len(values):
        details.append(f"none in {len(values) - len(known)}")
    return Cell(number(statistics.median(known), 1), tuple(details))


def _more_stable(table: Table, more_stable: dict[str, bool] | None) -> Cell:
    if more_stable is None:
        return table.missing(_BASE)
    return Cell(f"{sum(more_stable.values())} of {len(TRAITS)}")


def _learning(table: Table, run: Run) -> Cell:
    status = learning(run)
    if status not in _VERDICTS:
        return table.missing(
            "No learning check was made." if is_trained(run) else "The base is not trained."
        )
    return _VERDICTS[status]._replace(details=tuple(changes(run)) if status == "failed" else ())


def _mean_auc(table: Table, part: dict[str, Any]) -> Cell:
    values = [part["auc"][trait]["value"] for trait in TRAITS]
    if None in values:
        return table.missing("A trait has no AUC.")
    return Cell(number(statistics.mean(values)))


def _by_model(study: dict[str, Any], key: str) -> list[tuple[str, Any]]:
    return list({run["model"]: run["baselines"][key] for run in study["runs"]}.items())


def _or_missing(table: Table, value: float | None) -> Cell:
    return table.missing("No text that isn't copied.") if value is None else Cell(percent(value))
