"""Sentences generated from the figures: the answer, and what failed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from mimic.report.facts import (
    ALPHA,
    ESSAYS,
    Test,
    changes,
    check_name,
    context_words,
    contexts,
    essay_words,
    is_family_run,
    is_trained,
    learning,
    listed,
    share_in,
    stable_beyond_nulls,
    target_contexts,
    tests,
    together,
)
from mimic.report.numbers import interval, p_value, percent
from mimic.traits import TRAITS

Run = dict[str, Any]


class Answer(NamedTuple):
    """The answer box.

    Attributes
    ----------
    headline
        One or two sentences.
    points
        A question in a word or two, and its answer in sentences.
    """

    headline: str
    points: list[tuple[str, list[str]]]


def answer(study: dict[str, Any]) -> Answer:
    """The study's answer in plain words.

    With null adapters the one family of tests answers (decision 0016). Without them a run counts
    as accurate where its p-value holds after Holm's correction over all tests at the primary cut.
    It counts as stable where the rule holds in all five traits in every context with a target.
    """
    trained = [run for run in study["runs"] if is_trained(run)]
    if is_family_run(study):
        return _answer_of_family(study, trained)
    found = tests(study)
    points = [
        (f"Accurate: {context_words(study, context)}", _accuracy(study, found, context))
        for context in target_contexts(study)
    ]
    points.append(("Accurate: texts", _accuracy(study, found, "texts")))
    if ESSAYS in contexts(study):
        points.append(("Links essays to traits", _accuracy(study, found, ESSAYS)))
    if _is_compared(study):
        points.append(("Stable", [_stability(run, target_contexts(study)) for run in trained]))
    if trained:
        points.append(("Learned", _learned(trained)))
    if found:
        points.append(("What that rests on", [_evidence(study, found)]))
    return Answer(_headline(study, trained, found), points)


def _answer_of_family(study: dict[str, Any], trained: list[Run]) -> Answer:
    """The box of a study with null adapters."""
    tested = [test for test in study["family"]["tests"] if test["adjusted"] is not None]
    sure: dict[str, list[str]] = {test["series"]: [] for test in tested}
    for test in tested:
        if test["adjusted"] <= ALPHA:
            sure[test["series"]].append(test["figure"])
    lines = [
        f"{series}: better than each of its null adapters in {listed(figures)}."
        if figures
        else f"{series}: better than each of its null adapters in none of the figures."
        for series, figures in sure.items()
    ]
    beyond = [series for series, figures in sure.items() if figures]
    first = (
        f"Training on true labels rather than permuted ones made a difference for {listed(beyond)}."
        if beyond
        else "No difference was found between training on true labels and on permuted ones; the "
        "tests of this family find large differences alone."
    )
    rests = (
        "One family of tests, fixed before the study: each series of runs against its null "
        f"adapters in three figures, {len(tested)} tests. A figure is named where p is at most "
        f"{percent(ALPHA, 0)} after Benjamini and Hochberg’s correction over them; “more stable” "
        "is a rule, not a test. All other p-values are exploratory and stand in the tables."
    )
    points = [
        ("Against null adapters", lines),
        (
            "Stable",
            [
                *(_stability(run, target_contexts(study)) for run in trained),
                *_stable_beyond_nulls(study),
            ],
        ),
        ("Learned", _learned(trained)),
        ("What that rests on", [rests]),
    ]
    return Answer(f"{first} {_most_stable(study, trained)}", points)


def scope(study: dict[str, Any]) -> str:
    """What the runs were asked, in a line."""
    asked = study["runs"][0]["questionnaire"]
    told = [asked[context]["profiles"] for context in asked if context != ESSAYS]
    parts = [f"{told[0]} target profiles"] if told else []
    if ESSAYS in asked:
        parts.append(f"{asked[ESSAYS]['subjects']} {essay_words(study).essays}")
    parts += [f"{part['items']} items in {len(part['forms'])} forms" for part in asked.values()][:1]
    return " · ".join(parts)


def failures(study: dict[str, Any]) -> list[str]:
    """What must not be overlooked: failed gates, trainings that learned nothing, failed checks."""
    lines = [
        f"The gate “{gate['gate']}” ({gate['of']}) failed: expected {gate['expected']}, found "
        f"{gate['found']}. No figure of this page can be trusted."
        for gate in study["gates"]["gates"]
        if not gate["passed"]
    ]
    lines += [
        f"{run['run']}: the training learned nothing measurable ({'; '.join(changes(run))}). Its "
        f"figures say nothing about the method {run['method']}."
        for run in study["runs"]
        if learning(run) == "failed"
    ]
    for check in study["checks"]:
        if check["passed"] is False and not check["check"].startswith("learning"):
            name = check_name(study, check)
            lines.append(f"{check['run']}: the check “{name}” failed. {check['detail']}.")
    return lines


def _is_compared(study: dict[str, Any]) -> bool:
    """Whether any run's stability is compared with its base's."""
    return any(map(is_trained, study["runs"])) and bool(target_contexts(study))


def _evidence(study: dict[str, Any], found: list[Test]) -> str:
    """What the words of the box stand for."""
    rule = "; “more stable” is a rule, not a test" if _is_compared(study) else ""
    return (
        "Exploratory: the tests were not named before the study. “More often than chance” means "
        f"that p is at most {percent(ALPHA, 0)} after Holm’s correction over all {len(found)} "
        f"tests of exact match at the primary cut{rule}.{together(study)}"
    )


def _headline(study: dict[str, Any], trained: list[Run], found: list[Test]) -> str:
    sure = [test for test in found if test.adjusted <= ALPHA]
    several = " in at least one context" if len(target_contexts(study)) > 1 else ""
    answered = _names(
        test for test in sure if is_trained(test.run) and test.where not in ("texts", ESSAYS)
    )
    wrote = _names(test for test in sure if is_trained(test.run) and test.where == "texts")
    gave = "gave answers consistent with the target"
    read = "wrote texts that the judge read as the target"
    parts = []
    if answered and answered == wrote:
        parts.append(f"{listed(answered)} {gave}{several} and {read}, both more often than chance")
    else:
        if answered:
            parts.append(f"{listed(answered)} {gave} more often than chance{several}")
        if wrote:
            parts.append(f"{listed(wrote)} {read} more often than chance")
    bare = [test for test in sure if not is_trained(test.run) and test.where != ESSAYS]
    linked = _linked(study, sure)
    if not trained:
        first = (
            f"; with the prompt alone, {listed(_names(bare))} matched the target more often than "
            "chance."
            if bare
            else ", and what the prompt alone does could not be told from chance."
        )
        return f"No run was trained{first}{linked}"
    if not parts:
        first = "No trained run’s answers or texts could be told from chance."
        if bare:
            first += " The untrained base’s could."
    else:
        first = "; ".join(parts) + "."
        if bare:
            first += " The base, with the prompt alone, did so too."
        elif len(trained) < len(study["runs"]):
            first += " The base, with the prompt alone, could not be told from chance."
    if not target_contexts(study):
        return f"{first}{linked}"
    return f"{first} {_most_stable(study, trained)}{linked}"


def _most_stable(study: dict[str, Any], trained: list[Run]) -> str:
    """Which runs are more stable by the rule in all traits and contexts with a target."""
    told = target_contexts(study)
    stable = [
        run["run"]
        for run in trained
        if all(
            all((run["questionnaire"][name]["stability"]["more_stable"] or {"": False}).values())
            for name in told
        )
    ]
    return (
        f"More stable than the base in all five traits: {listed(stable)}."
        if stable
        else "No trained run is more stable than the base in all five traits."
    )


def _stable_beyond_nulls(study: dict[str, Any]) -> list[str]:
    """The rule against null adapters, for each series that has them."""
    compared = [one for one in study["series"] if one["against_null"]]
    counts = [(one["series"], stable_beyond_nulls(one)) for one in compared]
    return [
        f"{series}: more stable than each of its null adapters in {count} of {len(TRAITS)} traits."
        for series, count in counts
        if count is not None
    ]


def _linked(study: dict[str, Any], sure: list[Test]) -> str:
    """A sentence on the essays, where any run was asked about them."""
    if ESSAYS not in contexts(study):
        return ""
    words = essay_words(study)
    names = _names(test for test in sure if test.where == ESSAYS)
    if not names:
        return (
            f" No run’s answers about {words.essays} could be told from chance by {words.labels}."
        )
    return (
        f" More often than chance, {listed(names)} gave answers about {words.essays} consistent "
        f"with {words.labels}."
    )


def _names(found: Iterable[Test]) -> list[str]:
    return list(dict.fromkeys(test.name for test in found))


def _accuracy(study: dict[str, Any], found: list[Test], where: str) -> list[str]:
    here = [test for test in found if test.where == where]
    if not here:
        return ["No run has a figure; the table says why."]
    best = max(here, key=lambda test: test.value)
    bounds = interval(best.match, scale=100, digits=1)
    figure = f"{percent(best.value)}{f' {bounds}' if bounds else ''}, {p_value(best.p)}"
    baselines = best.run["baselines"]
    constant = percent(share_in(baselines["constant_profile"], where))
    sure = [test.name for test in here if test.adjusted <= ALPHA]
    alone = [test.name for test in here if test.p <= ALPHA < test.adjusted]
    lines = [
        f"The highest exact match is {figure} ({best.name}); a profile drawn at random fits "
        f"in {percent(baselines['uniform'])}, always the same one in up to {constant}."
    ]
    lines.append(
        f"Above chance: {listed(sure)}, after correction for {len(found)} tests."
        if sure
        else f"None could be told from chance after correction for {len(found)} tests."
    )
    if alone:
        lines.append(f"Only before that correction: {listed(alone)}.")
    return lines


def _stability(run: Run, names: list[str]) -> str:
    """The change of spread in the run's first context, and the rule in all of them."""
    counts = {
        context: f"{sum(part['stability']['more_stable'].values())} of {len(TRAITS)}"
        for context, part in ((name, run["questionnaire"].get(name)) for name in names)
        if part is not None and part["stability"]["more_stable"] is not None
    }
    if not counts:
        return f"{run['run']}: not compared with a base."
    first, *others = counts
    rule = f"more stable by the rule in {counts[first]} traits"
    if others:
        rule += "; ".join(f" ({counts[name]} in the context “{name}”)" for name in others)
    stability = run["questionnaire"][first]["stability"]
    reduction, shrunk = stability["reduction"], stability["shrunk_base"]
    if reduction["value"] is None:
        return f"{run['run']}: no change of spread can be stated ({reduction['reason']}); {rule}."
    bounds = interval(reduction, scale=100, digits=1)
    change = (
        f"spread {percent(abs(reduction['value']))} "
        f"{'below' if reduction['value'] >= 0 else 'above'} the base’s"
        f"{f' (reduction {bounds} %)' if bounds else ''}"
    )
    alone = ""
    if shrunk["factor"] < 1:
        alone = f"; shrinking the base’s answers as far takes off {percent(1 - shrunk['factor'])}"
    return f"{run['run']}: {change}{alone}; {rule}."


def _learned(trained: list[Run]) -> list[str]:
    lines = []
    words = {
        "passed": "The training changed what it should have changed",
        "failed": "The training learned nothing measurable",
        "undecided": "Not decided",
        "unchecked": "No check was made",
    }
    for status, sentence in words.items():
        names = [run["run"] for run in trained if learning(run) == status]
        if names:
            lines.append(f"{sentence}: {listed(names)}.")
    return lines
