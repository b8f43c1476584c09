"""Sentences generated from the figures: the answer, the failures, what the study can't show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from mimic.report.facts import (
    ALPHA,
    Test,
    changes,
    context_words,
    contexts,
    is_trained,
    learning,
    listed,
    tests,
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

    A run counts as accurate where its p-value holds after Holm's correction over all tests of the
    page, as stable where the rule holds in all five traits in every context.
    """
    trained = [run for run in study["runs"] if is_trained(run)]
    found = tests(study)
    points = [
        (f"Accurate: {context_words(context)}", _accuracy(study, found, context))
        for context in contexts(study)
    ]
    points.append(("Accurate: texts", _accuracy(study, found, "texts")))
    if trained:
        points.append(("Stable", [_stability(run, contexts(study)) for run in trained]))
        points.append(("Learned", _learned(trained)))
    return Answer(_headline(study, trained, found), points)


def failures(study: dict[str, Any]) -> list[str]:
    """What must not be overlooked: trainings that learned nothing, and other failed checks."""
    lines = [
        f"{run['run']}: the training learned nothing measurable ({'; '.join(changes(run))}). Its "
        f"figures say nothing about the method {run['method']}."
        for run in study["runs"]
        if learning(run) == "failed"
    ]
    for check in study["checks"]:
        if check["passed"] is False and not check["check"].startswith("learning"):
            lines.append(f"{check['run']}: the check “{check['check']}” failed. {check['detail']}.")
    return lines


def limits(study: dict[str, Any], described: dict[str, Any]) -> list[str]:
    """What this study can't show, from its own facts.

    Parameters
    ----------
    study
        Contents of study.json.
    described
        The settings that describe the study, its models among them.
    """
    runs = study["runs"]
    part = runs[0]["questionnaire"][contexts(study)[0]]
    profiles, forms = part["profiles"], part["forms"]
    formats = {form["format"] for form in forms}
    wordings = {(form["format"], form["wording"]) for form in forms}
    lines = [_corpus_limit(study["corpus"]["kind"])]
    names = listed(dict.fromkeys(run["model"] for run in runs))
    lines.append(
        f"It speaks of {names} alone. Larger models may differ, and no confound such as size or "
        "alignment was varied."
        if len({run["model"] for run in runs}) == 1
        else f"It speaks of {names} alone; a difference between them has many possible causes."
    )
    sizes = [model["parameters"] for model in described["models"].values()]
    if max(sizes) < 1000:
        lines.append(
            f"The largest model has {max(sizes):g} million parameters. That is far "
            "below what such studies use; a null result here does not carry over to larger models."
        )
    if not _several_seeds(runs):
        lines.append(
            "Each run was trained with one seed: how much a figure would change with another seed "
            "is unknown, and no interval here holds it."
        )
    if any(run["baselines"]["null_adapter"] == "not run" for run in runs if is_trained(run)):
        lines.append(
            "No null adapter was trained (the same training on permuted labels). A difference from "
            "the base can come from training on any essays, not from their traits."
        )
    lines.append(
        f"{_count(part['items'], 'item')} in {_count(len(forms), 'form')} "
        f"({_count(len(wordings), 'instruction wording')}, {_count(len(formats), 'format')}; both "
        "option orders count as forms): few wordings make the intervals narrow where the next "
        "wording may behave otherwise."
    )
    if part.get("notes"):
        lines.append(
            f"The intervals of the answers leave out what the study can’t vary: "
            f"{'; '.join(part['notes'])}."
        )
    if profiles < 32:
        lines.append(
            f"{profiles} of the 32 profiles were targets. A respondent that always gives one and "
            f"the same of these profiles scores {percent(1 / profiles)}, twice the uniform "
            "baseline; the p-values allow for that, the uniform baseline does not."
        )
    lines.append(
        f"The texts' figures are only as good as the judge, which learned from "
        f"{study['judge']['trained_on']['essays']} essays; see its accuracy on essays below."
    )
    lines.append(
        "The p-values are exploratory: no hypothesis was fixed before the study, and runs were not "
        "tested against each other."
    )
    return lines


def _headline(study: dict[str, Any], trained: list[Run], found: list[Test]) -> str:
    sure = [test for test in found if test.adjusted <= ALPHA]
    several = " in at least one context" if len(contexts(study)) > 1 else ""
    answered = _names(test for test in sure if is_trained(test.run) and test.where != "texts")
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
    bare = [test for test in sure if not is_trained(test.run)]
    if not trained:
        if bare:
            return (
                "No run was trained; with the prompt alone, "
                f"{listed(_names(bare))} matched the target more "
                "often than chance."
            )
        return "No run was trained, and the prompt alone matched no target more often than chance."
    if not parts:
        first = "No trained run’s answers or texts match their targets more often than chance."
        if bare:
            first += " The untrained base’s do."
    else:
        first = "; ".join(parts) + "."
        if bare:
            first += " The base, with the prompt alone, did so too."
        elif len(trained) < len(study["runs"]):
            first += " The base, with the prompt alone, did not."
    stable = [
        run["run"]
        for run in trained
        if all(
            all((part["stability"]["more_stable"] or {"": False}).values())
            for part in run["questionnaire"].values()
        )
    ]
    if stable:
        return f"{first} More stable than the base in all five traits: {listed(stable)}."
    return f"{first} No trained run is more stable than the base in all five traits."


def _names(found: Iterable[Test]) -> list[str]:
    return list(dict.fromkeys(test.run["run"] for test in found))


def _accuracy(study: dict[str, Any], found: list[Test], where: str) -> list[str]:
    here = [test for test in found if test.where == where]
    if not here:
        return ["No run has a figure; the table says why."]
    best = max(here, key=lambda test: test.value)
    part = best.run["texts"] if where == "texts" else best.run["questionnaire"][where]
    bounds = interval(part["exact_match"], scale=100, digits=1)
    figure = f"{percent(best.value)}{f' {bounds}' if bounds else ''}, {p_value(best.p)}"
    uniform = percent(best.run["baselines"]["uniform"])
    sure = [test.run["run"] for test in here if test.adjusted <= ALPHA]
    alone = [test.run["run"] for test in here if test.p <= ALPHA < test.adjusted]
    lines = [
        f"The highest exact match is {figure} ({best.run['run']}); a profile drawn at random fits "
        f"in {uniform}."
    ]
    lines.append(
        f"Above chance: {listed(sure)}, after correction for {len(found)} tests."
        if sure
        else f"No run is above chance after correction for {len(found)} tests."
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


def _corpus_limit(kind: str) -> str:
    if kind == "composed":
        return (
            "The corpus is composed: its essays were made up to fit their labels. The study shows "
            "that the measuring works, and nothing about people."
        )
    return (
        "The essays’ labels come from their authors’ own questionnaire answers, split into high "
        "and low. The figures speak of models and of these essays, not of any real person."
    )


def _several_seeds(runs: list[Run]) -> bool:
    seeds: dict[tuple[str, str], set[int]] = {}
    for run in runs:
        if is_trained(run):
            seeds.setdefault((run["model"], run["method"]), set()).add(run["seed"])
    return any(len(found) > 1 for found in seeds.values())


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
