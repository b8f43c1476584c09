"""The main tables: runs told a target, baselines, the judge."""

from __future__ import annotations

import statistics
from typing import Any

from mimic.report.facts import (
    beyond_nulls,
    by_share,
    changes,
    context_words,
    is_trained,
    learning,
    listed,
    no_likelihood,
    over_seeds,
    series_name,
    target_contexts,
)
from mimic.report.numbers import PERCENT, Cell, Table, number, p_value, percent
from mimic.traits import TRAITS

Run = dict[str, Any]

# The figures of the one family of tests, as `mimic.stats.multiple` names them.
NOISE, MATCH, TEXT_MATCH = "S/|B|", "questionnaire exact match", "text exact match"

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
    marked = any(run["item_trained"] for run in study["runs"])
    table = Table(
        f"Results by run, {context_words(study, context)}. In brackets: 95 % intervals.",
        [
            "Run",
            "Method",
            *(["Items"] if marked else []),
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
    several = over_seeds(study)
    together = {run for one in several.values() for run in one["runs"]}
    single = {run: one for one in study["series"] for run in one["runs"]}
    for run in study["runs"]:
        part, reason = run["questionnaire"].get(context), no_likelihood(run)
        if part is None:
            if reason is not None:
                count = 4 if marked else 3
                table.rows.append(_in_words_alone(table, run, reason, count, is_main=is_main))
            continue
        stability = part["stability"]
        table.rows.append(
            [
                Cell(run["run"]),
                Cell(run["method"]),
                *([items_cell(run, part)] if marked else []),
                matched(table, part["exact_match"]),
                table.share(part["exact_match_averaged"]),
                table.plain(part["mean_auc"]),
                *(_of_texts(table, run) if is_main else []),
                table.plain(stability["spread"]),
                table.share(stability["reduction"], reason=_BASE),
                _noise(table, stability["traits"]),
                _more_stable(
                    table,
                    stability["more_stable"],
                    # Of several seeds the row over seeds has it.
                    () if run["run"] in together else beyond_nulls(single.get(run["run"]), context),
                ),
                *([_learning(table, run)] if is_main else []),
            ]
        )
        if run["run"] in several:
            items = [items_cell(run, part)] if marked else []
            _over_seeds(table, several[run["run"]], context, items, is_main=is_main)
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
            if value is None:
                # Of a model that an API serves: the table of results says why.
                continue
            table.rows.append(
                [
                    Cell(f"prompt only, {model}"),
                    Cell(percent(value)),
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
    _null_adapters(table, study)
    return table


def judges(study: dict[str, Any]) -> list[Table]:
    """Each judge on essays whose profiles are known: the reading judge, those of other splits."""
    return [
        _judge(study["judge"]),
        *(_judge_of_split(study, name, figure) for name, figure in study["other_judges"].items()),
    ]


def _judge(figure: dict[str, Any]) -> Table:
    reference = figure["reference_name"]
    table = Table(
        f"The judge on essays: accuracy by trait, by cross-validation in E and on T ({reference}). "
        "Always said: accuracy of always saying the label that is more frequent in E.",
        [
            "Trait",
            "Accuracy in E",
            "Accuracy in T",
            "AUC in E",
            "AUC in T",
            "Always said, in E",
            "Always said, in T",
        ],
    )
    parts = (figure["cross_validation"], figure["reference"])
    always = (figure["majority_accuracy"], figure["reference_majority_accuracy"])
    for trait in TRAITS:
        table.rows.append(
            [
                Cell(trait),
                *(table.share(part["accuracy"][trait]) for part in parts),
                *(table.plain(part["auc"][trait]) for part in parts),
                *(Cell(percent(shares[trait])) for shares in always),
            ]
        )
    table.rows.append(
        [
            Cell("mean"),
            *(table.share(part["mean_accuracy"]) for part in parts),
            *(_mean_auc(table, part) for part in parts),
            *(Cell(percent(statistics.mean(shares.values()))) for shares in always),
        ]
    )
    table.rows.append(
        [
            Cell("exact match"),
            *(table.share(part["exact_match"]) for part in parts),
            *[Cell("")] * 4,
        ]
    )
    return table


def _judge_of_split(study: dict[str, Any], name: str, figure: dict[str, Any]) -> Table:
    """A judge whose essays are all that its runs' training leaves: it has no second part."""
    runs = [run["run"] for run in study["runs"] if run["judge"] == name]
    table = Table(
        f"The judge {name}, which reads {listed(runs)} and what their base wrote to compare with: "
        f"trained on the {figure['trained_on']['essays']} essays outside of the training of these "
        "runs that share no author or text with it. Its own reference is by cross-validation.",
        ["Trait", "Accuracy", "AUC", "Majority label"],
    )
    reference = figure["reference"]
    for trait in TRAITS:
        table.rows.append(
            [
                Cell(trait),
                table.share(reference["accuracy"][trait]),
                table.plain(reference["auc"][trait]),
                Cell(percent(figure["majority_accuracy"][trait])),
            ]
        )
    mean = table.share(reference["mean_accuracy"])
    table.rows.append([Cell("mean"), mean, _mean_auc(table, reference), Cell("")])
    exact = table.share(reference["exact_match"])
    table.rows.append([Cell("exact match"), exact, Cell(""), Cell("")])
    return table


def matched(table: Table, estimate: dict[str, Any], *more: str) -> Cell:
    """Exact match with its interval and p-value."""
    return table.share(estimate, p_value(estimate.get("p_value")), *more)


def _other_judge(run: Run) -> str:
    return "" if run["judge"] == "reading" else f"judge {run['judge']}"


def _null_adapters(table: Table, study: dict[str, Any]) -> None:
    """The null adapters of each series, or that a model has none."""
    what = "the same training on permuted labels"
    trainable = [run["model"] for run in study["runs"] if no_likelihood(run) is None]
    for model in dict.fromkeys(trainable):
        own = [one for one in study["series"] if one["model"] == model and one["against_null"]]
        if not own:
            table.rows.append([Cell(f"null adapter, {model}"), Cell("not run"), Cell(what)])
        for one in own:
            context = context_words(study, one["against_null"]["context"])
            for figure, where in ((MATCH, context), (TEXT_MATCH, "texts")):
                values = one["against_null"]["figures"][figure]["nulls"]
                count = len(one["null_adapters"])
                many = f"{count} permutation{'' if count == 1 else 's'}"
                table.rows.append(
                    [
                        Cell(f"null adapter, {one['series']}"),
                        null_range(table, values, scale=100, unit=PERCENT),
                        Cell(f"{what}: mean, and least to greatest, of {many}; {where}"),
                    ]
                )


def null_range(table: Table, values: list[float | None], *, scale: float, unit: str) -> Cell:
    """Mean of a figure of null adapters, and their least and greatest below it."""
    if not values or None in values:
        return table.missing("A null adapter has no value.")
    known = [scale * value for value in values if value is not None]
    mean, least, most = (
        number(found, 1) for found in (statistics.mean(known), min(known), max(known))
    )
    return Cell(f"{mean}{unit}", (f"{least} to {most}{unit}",) if len(known) > 1 else ())


def items_cell(run: Run, part: dict[str, Any]) -> Cell:
    """On how many items a run is measured, and whether it trained on others."""
    mark = "item-trained: held-out items and formats"
    return Cell(str(part["items"]), (mark,) * run["item_trained"])


def _over_seeds(
    table: Table, one: dict[str, Any], context: str, items: list[Cell], *, is_main: bool
) -> None:
    """The row of a series over its seeds."""
    part, texts = one["over_seeds"]["questionnaire"][context], one["over_seeds"]["texts"]
    verdict = part["more_stable"]
    notes = [note for note in part["notes"] if "seeds" in note]
    label = Cell(series_name(one))
    table.rows.append(
        [
            label._replace(note=table.missing("; ".join(notes)).note) if notes else label,
            Cell(one["method"]),
            *items,
            matched(table, part["exact_match"]),
            table.share(part["exact_match_averaged"]),
            table.plain(part["mean_auc"]),
            *([matched(table, texts["exact_match"]), table.plain(texts["mean_auc"])] * is_main),
            table.plain(part["spread"]),
            table.share(part["reduction"]),
            _noise(table, part["traits"]),
            table.missing("The targets do not tell traits apart.")
            if verdict is None
            else _more_stable(table, verdict, beyond_nulls(one, context)),
            *([table.missing("Each run has its own learning check.")] * is_main),
        ]
    )


def _in_words_alone(
    table: Table, run: Run, reason: str, count: int, *, is_main: bool
) -> list[Cell]:
    """The row of a run without likelihoods, which leaves its texts; `count` cells before them."""
    none = [table.missing(reason)]
    row = [Cell(run["run"]), Cell(run["method"]), *none * count]
    if is_main:
        return [*row, *_of_texts(table, run), *none * 4, _learning(table, run)]
    return [*row, *none * 4]


def _of_texts(table: Table, run: Run) -> list[Cell]:
    reason = run["api"]["texts"] if run["api"] else None
    if reason is not None:
        return [table.missing(reason)] * 2
    return [
        matched(table, run["texts"]["exact_match"], _other_judge(run)),
        table.plain(run["texts"]["mean_auc"]),
    ]


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


def _more_stable(
    table: Table, more_stable: dict[str, bool] | None, details: tuple[str, ...]
) -> Cell:
    if more_stable is None:
        return table.missing(_BASE)
    return Cell(f"{sum(more_stable.values())} of {len(TRAITS)}", details)


def _learning(table: Table, run: Run) -> Cell:
    status = learning(run)
    if status not in _VERDICTS:
        return table.missing(
            "No learning check was made." if is_trained(run) else "The base is not trained."
        )
    return _VERDICTS[status]._replace(details=tuple(changes(run)))


def _mean_auc(table: Table, part: dict[str, Any]) -> Cell:
    values = [part["auc"][trait]["value"] for trait in TRAITS]
    if None in values:
        return table.missing("A trait has no AUC.")
    return Cell(number(statistics.mean(values)))


def _by_model(study: dict[str, Any], key: str) -> list[tuple[str, Any]]:
    # The base stands first: it is measured on all that was asked, an item-trained run on less.
    found: dict[str, Any] = {}
    for run in study["runs"]:
        found.setdefault(run["model"], run["baselines"][key])
    return list(found.items())


def _or_missing(table: Table, value: float | None) -> Cell:
    reason = "No text was written, or none that isn't copied."
    return table.missing(reason) if value is None else Cell(percent(value))
