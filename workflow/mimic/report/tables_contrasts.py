"""Tables of runs against their base, and of single traits without any cut."""

from __future__ import annotations

from typing import Any

from mimic.report.facts import (
    context_words,
    is_family_run,
    is_trained,
    target_contexts,
    tests,
    together,
)
from mimic.report.numbers import PERCENT, Cell, Table, number, p_value, percent
from mimic.report.tables import NOISE, null_range
from mimic.traits import TRAITS

_NO_FORMS = "texts have no forms to spread over"
_ONE_FORM = "a single form has no spread over forms"


def is_tested(study: dict[str, Any]) -> bool:
    """Whether any run was tested against its base."""
    return bool(against_base(study).rows)


def against_base(study: dict[str, Any]) -> Table:
    """How far each trained run differs from its base, and how often swapped labels do so."""
    table = Table(
        "Runs against their base. Differences of exact match are in percentage points; S/|B| is "
        "here the mean of S over traits by the mean of |B|. p, two-sided: how often runs whose "
        "labels are swapped within profiles differ at least as much. Exploratory: not corrected, "
        f"{_any_essays(study)}. Where both "
        "runs have next to no signal B, S/|B| is large and says little.",
        ["Run", "In", "Difference of exact match", "Difference of S/|B|"],
    )
    for run in filter(is_trained, study["runs"]):
        for context in target_contexts(study):
            found = run["questionnaire"].get(context, {}).get("against_base")
            if found is not None:
                noise = found.get("noise_to_signal")
                table.rows.append(
                    [
                        Cell(run["run"]),
                        Cell(context_words(study, context)),
                        _difference(table, found["exact_match"], scale=100),
                        table.missing(_ONE_FORM) if noise is None else _difference(table, noise),
                    ]
                )
        if run["texts"]["against_base"] is not None:
            table.rows.append(
                [
                    Cell(run["run"]),
                    Cell("texts"),
                    _difference(table, run["texts"]["against_base"]["exact_match"], scale=100),
                    table.missing(_NO_FORMS),
                ]
            )
    return table


def against_null(study: dict[str, Any]) -> Table:
    """The one family of tests: what training on labels changed, beyond training on essays."""
    table = Table(
        "Against null adapters: the same training in the same steps on essays whose label vectors "
        "are permuted. Beyond: how many of them the run is better than. p, one-sided: how often "
        "runs whose labels are swapped within profiles differ at least as much, the largest over "
        "the null adapters. Corrected: by Benjamini and Hochberg’s procedure over the "
        f"{study['family']['size']} tests of this table, which were fixed before the study. "
        "S/|B| is the mean of S over traits by the mean of |B|; less is better.",
        ["Run", "Figure", "Run’s", "Null adapters", "Beyond", "p", "Corrected p"],
    )
    by_series = {one["series"]: one for one in study["series"] if one["against_null"]}
    for test in study["family"]["tests"]:
        one = by_series.get(test["series"])
        if one is None:
            continue
        found = one["against_null"]["figures"][test["figure"]]
        share = test["figure"] != NOISE
        scale, unit = (100, PERCENT) if share else (1, "")
        reason = found.get("reason", "no value")
        table.rows.append(
            [
                Cell(test["series"]),
                Cell(test["figure"]),
                table.missing(reason)
                if found["run"] is None
                else Cell(number(scale * found["run"], 1) + unit),
                null_range(table, found["nulls"], scale=scale, unit=unit),
                table.missing(reason)
                if found["beyond"] is None
                else Cell(f"{found['beyond']} of {len(one['null_adapters'])}"),
                *(
                    table.missing(reason) if p is None else Cell(p_value(p))
                    for p in (test["p_value"], test["adjusted"])
                ),
            ]
        )
    return table


def stable_against_null(study: dict[str, Any]) -> Table:
    """The rule of “more stable” against each null adapter, for each series and trait."""
    table = Table(
        "More stable than null adapters, by trait: how many of them the run is more stable than by "
        "the rule, its seeds taken together. A rule, not a test.",
        ["Run", "In", *TRAITS],
    )
    for one in study["series"]:
        if one["against_null"] is None:
            continue
        verdicts = one["against_null"]["stability"]["more_stable"]
        table.rows.append(
            [
                Cell(one["series"]),
                Cell(context_words(study, one["against_null"]["context"])),
                *(
                    table.missing("the targets do not tell traits apart")
                    if verdicts is None
                    else Cell(f"{sum(verdicts[trait])} of {len(verdicts[trait])}")
                    for trait in TRAITS
                ),
            ]
        )
    return table


def against_chance(study: dict[str, Any]) -> Table:
    """Every permutation test of exact match at the primary cut."""
    table = Table(
        "Exact match against chance: p, one-sided, and after Holm’s correction over all tests of "
        "this table. Exploratory: these tests ask whether answers follow a target at all, not "
        f"whether training on labels brought it about.{together(study)}",
        ["Run", "In", "Exact match", "p", "After Holm’s correction"],
    )
    for test in tests(study):
        where = "texts" if test.where == "texts" else context_words(study, test.where)
        cells = (percent(test.value), p_value(test.p), p_value(test.adjusted))
        table.rows.append([Cell(test.name), Cell(where), *map(Cell, cells)])
    return table


def by_trait(study: dict[str, Any], where: str) -> Table:
    """Accuracy and AUC of each trait, in a context with a target or in ``texts``."""
    of_texts = where == "texts"
    table = Table(
        f"By trait, {'texts as the judge reads them' if of_texts else context_words(study, where)}:"
        " how often the decision fits the target, and how well scores tell high from low targets "
        "without any cut. In brackets: 95 % intervals.",
        ["Run", "Trait", "Accuracy", "AUC"],
    )
    for run in study["runs"]:
        part = run["texts"] if of_texts else run["questionnaire"].get(where)
        for trait in TRAITS if part is not None else ():
            table.rows.append(
                [
                    Cell(run["run"]),
                    Cell(trait),
                    table.share(part["accuracy"][trait]),
                    table.plain(part["auc"][trait]),
                ]
            )
    return table


def _any_essays(study: dict[str, Any]) -> str:
    cause = "a difference can come from training on any essays"
    return f"and {cause}" if is_family_run(study) else f"and without a null adapter {cause}"


def _difference(table: Table, found: dict[str, Any], *, scale: float = 1.0) -> Cell:
    if found["difference"] is None:
        return table.missing(found["reason"])
    return Cell(signed(scale * found["difference"]), (p_value(found["p_value"]),))


def signed(difference: float) -> str:
    """A difference with its sign, unless it rounds to 0."""
    sign = "+" if float(f"{difference:.1f}") > 0 else ""
    return sign + number(difference, 1)
