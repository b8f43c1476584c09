"""Sentences generated from the figures: what the study can't show."""

from __future__ import annotations

import math
from typing import Any

from mimic.report.facts import ESSAYS, essay_words, is_family_run, is_trained, listed
from mimic.report.numbers import percent
from mimic.report.tables_contrasts import is_tested
from mimic.stats.bootstrap import FEWEST_SEEDS

# Permutations that a full study has at least (decision 0016).
_FEWEST_NULLS = 5
# Of 500 simulated studies of the default study's layout, in percent (decision 0007; printed by
# `python -m mimic.stats.coverage_tables default`, half of the effects of wordings shared).
COVERED = {
    "exact match": 98.2,
    "exact match, forms averaged": 99.0,
    "accuracy, one trait": 95.0,
    "accuracy, mean": 95.2,
    "AUC, one trait": 94.6,
    "AUC, mean": 92.4,
    "S, one trait": 84.4,
    "S, mean": 56.8,
    "reduction": 63.4,
}
_LEAST, _MOST = 92.0, 98.0


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
    lines = [_corpus_limit(study["corpus"]["kind"])]
    lines += _missing_profiles(study["corpus"]["roles"])
    names = listed(dict.fromkeys(run["model"] for run in runs))
    lines.append(
        f"It speaks of {names} alone. Larger models may differ, and no confound such as size or "
        "alignment was varied."
        if len({run["model"] for run in runs}) == 1
        else f"It speaks of {names} alone; a difference between them has many possible causes."
    )
    # A provider may not tell how large its model is.
    sizes = [model["parameters"] or math.inf for model in described["models"].values()]
    if max(sizes) < 1000:
        lines.append(
            f"The largest model has {max(sizes):g} million parameters. That is far "
            "below what such studies use; a null result here does not carry over to larger models."
        )
    if any(map(is_trained, runs)):
        lines.append(_seed_limit(study))
    if any(map(is_trained, runs)) and not is_family_run(study):
        lines.append(
            "No null adapter was trained (the same training on permuted labels). A difference from "
            "the base can come from training on any essays, not from their traits."
        )
    few = sorted({n for n in map(_null_adapters, study["series"]) if 0 < n < _FEWEST_NULLS})
    if few:
        lines.append(
            f"Some runs have fewer than {_FEWEST_NULLS} null adapters: {listed(map(str, few))}. "
            "Trainings on permuted labels differ from each other, and so few don’t show how much."
        )
    lines += _served_limits(runs)
    lines += _design_limits(study)
    lines += _situation_limit(runs)
    lone = [f"{run['run']}: {note}" for run in runs for note in run["texts"]["notes"]]
    if lone:
        lines.append(f"The intervals of the texts leave out what can’t vary. {'; '.join(lone)}.")
    lines.append(
        f"The texts' figures are only as good as the judge, which learned from "
        f"{study['judge']['trained_on']['essays']} essays; its accuracy on essays stands above."
    )
    tested = (
        "trained runs were tested against their base, and not against each other"
        if is_tested(study)
        else "runs were not tested against each other"
    )
    lines.append(
        f"The p-values outside of the family against null adapters are exploratory; {tested}."
        if is_family_run(study)
        else "The p-values are exploratory: no hypothesis was fixed before the study, and "
        f"{tested}."
    )
    return lines


def _seed_limit(study: dict[str, Any]) -> str:
    """What the intervals know of training seeds."""
    counts = {len(one["runs"]) for one in study["series"] if one["over_seeds"]}
    if not counts:
        return (
            "Each run was trained with one seed: how much a figure would change with another "
            "seed is unknown, and no interval here holds it."
        )
    line = (
        "Some runs were trained with several seeds. The interval of a single run doesn’t hold how "
        "much a figure changes from seed to seed"
    )
    if min(counts) >= FEWEST_SEEDS:
        return f"{line}; those of rows over seeds do."
    return f"{line}; those of rows over seeds do from {FEWEST_SEEDS} seeds on, and say so below."


def _null_adapters(series: dict[str, Any]) -> int:
    return len(series["null_adapters"])


def _served_limits(runs: list[dict[str, Any]]) -> list[str]:
    """What is missing of models that a provider serves, or no longer serves."""
    served = [run for run in runs if run["api"] is not None]
    lines = []
    if served:
        lines.append(
            f"{listed(run['run'] for run in served)}: an API serves the model. It answers in words "
            "alone, so it has no stability and no figures by likelihood, and what stands behind "
            "its name can't be checked."
        )
    for run in served:
        parts = [("texts", run["api"]["texts"])]
        parts += [
            (f"answers, context {c}", g.get("not_served")) for c, g in run["generated"].items()
        ]
        lines += [
            f"{run['run']} has no {what}: {reason.rstrip('.')}. No other model stands in for it."
            for what, reason in parts
            if reason is not None
        ]
    return lines


def _situation_limit(runs: list[dict[str, Any]]) -> list[str]:
    """What texts of one situation leave open; a model that isn't served has none."""
    if max(run["texts"]["situations"] for run in runs) != 1:
        return []
    return [
        "The texts rest on fewer than two situations: all were written in one. How runs would "
        "write in another one is unknown, and a claim about texts needs two."
    ]


def _design_limits(study: dict[str, Any]) -> list[str]:
    """What items, forms, targets and essays leave open."""
    asked = study["runs"][0]["questionnaire"]
    if not asked:
        return []
    part = next(iter(asked.values()))
    forms = part["forms"]
    lines = [
        f"{_count(part['items'], 'item')} in {_count(len(forms), 'form')} "
        f"({_count(len({form['wording'] for form in forms}), 'instruction wording')}, "
        f"{_count(len({form['format'] for form in forms}), 'format')}; both "
        "option orders count as forms): few wordings make the intervals narrow where the next "
        "wording may behave otherwise."
    ]
    if len({form["wording"] for form in forms}) == 1:
        lines.append(_coverage_limit())
    if part["reworded"]:
        lines.append(
            f"In {percent(part['reworded'])} of its presentations an item stood in a rewording. "
            "Norms, where they give the cut, are those of the original words."
        )
    answered = [*asked.values(), *study["runs"][0]["generated"].values()]
    notes = dict.fromkeys(note for found in answered for note in found["notes"])
    if notes:
        lines.append(
            f"The intervals of the answers leave out what the study can’t vary: {'; '.join(notes)}."
        )
    targets = [asked[context]["profiles"] for context in asked if context != ESSAYS]
    if targets and targets[0] < 32:
        lines.append(
            f"{targets[0]} of the 32 profiles were targets. A respondent that always gives one and "
            f"the same of these profiles scores {percent(1 / targets[0])}, where one drawn at "
            f"random fits in {percent(1 / 32)}; the p-values allow for that, the uniform baseline "
            "does not."
        )
    if ESSAYS in asked:
        words, essays = essay_words(study), asked[ESSAYS]
        lines.append(
            f"Whether models link essays to traits rests on {essays['subjects']} {words.essays} of "
            f"{_count(essays['profiles'], 'profile')}. The intervals there hold for these essays "
            "and not for the next ones."
        )
    return lines


def _missing_profiles(roles: dict[str, Any]) -> list[str]:
    """How many of the 32 profiles no essay of a role has; usual, and not an error."""
    counts = {role: len(part["missing_profiles"]) for role, part in roles.items()}
    said = [f"role {role}: {count} of 32" for role, count in counts.items() if count]
    if not said:
        return []
    return [f"Some profiles stand in no essay of a role ({', '.join(said)})."]


def _coverage_limit() -> str:
    """How often intervals of one wording held the truth."""
    found: dict[str, list[str]] = {"enough": [], "narrow": [], "wide": []}
    for name, share in COVERED.items():
        what, *of = name.split(", ")
        kind = "narrow" if share < _LEAST else "wide" if share > _MOST else "enough"
        found[kind].append(f"{what}{f' ({of[0]})' if of else ''} in {share:.1f} %")
    return (
        "With one instruction wording, intervals hold how figures vary with the items, and not "
        "with the wording. In 500 simulated studies of the default study’s layout (20 items, 2 "
        "formats, 1 wording, both orders, 16 profiles; wordings differ) 95 % intervals should hold "
        f"the true figure in {_LEAST:g} to {_MOST:g} %. They held {listed(found['enough'])}; too "
        f"seldom {listed(found['narrow'])}; too often {listed(found['wide'])}. Intervals of S and "
        "of its reduction say far too little here."
    )


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


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
