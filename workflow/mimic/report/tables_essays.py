"""Tables about essays: what moderation filtered, and the context that asks about them."""

from __future__ import annotations

from typing import Any

from mimic.report.facts import ESSAYS, essay_words, listed, share_in, with_context
from mimic.report.numbers import Cell, Table, number, percent
from mimic.report.tables import matched
from mimic.traits import TRAITS

_FEW = "the essays’ profiles do not tell the five traits apart; more essays would"


def moderation_words(study: dict[str, Any]) -> str:
    """Which filter the essays went through, and how many it took out."""
    moderation = study["corpus"]["moderation"]
    if moderation is None:
        return "The essays were not moderated."
    if moderation["kind"] == "local":
        words = (
            f"A list of patterns (version {moderation['version']}) was the filter. It knows words "
            "and no meanings: it misses what is said otherwise, and filters what only mentions them"
        )
    else:
        answered = listed(moderation["answered_by"])
        words = (
            f"The model {moderation['model']} at {moderation['base_url']} was the filter; "
            f"{answered} answered. Consent: {moderation['consent'].rstrip('.')}. "
            f"Terms: {moderation['terms'].rstrip('.')}"
        )
    filtered = moderation["filtered"] or "none"
    return f"{words}. Of {moderation['checked']} essays it filtered {filtered}."


def moderation(study: dict[str, Any]) -> list[Table]:
    """What was filtered and why, and the balance of its labels; nothing if nothing was."""
    found = study["corpus"]["moderation"]
    if found is None or not found["filtered"]:
        return []
    reasons = Table(
        f"Why {found['filtered']} of {found['checked']} essays were filtered. An essay may count "
        "in several categories.",
        ["Category", "Essays"],
    )
    reasons.rows = [[Cell(name), Cell(str(n))] for name, n in found["categories"].items()]
    balance = Table(
        "Labels of filtered and kept essays. Moderation may unbalance labels: where the shares of "
        "high differ, runs learn from, and judges read, another mixture of people than the "
        "corpus’s.",
        ["Trait", "High among filtered", "High among kept", "Difference"],
    )
    for trait in TRAITS:
        part = found["traits"][trait]
        balance.rows.append(
            [
                Cell(trait),
                *(_high(part[name]) for name in ("filtered", "kept")),
                Cell(f"{number(100 * part['difference'], 1)} points"),
            ]
        )
    return [reasons, balance]


def linking(study: dict[str, Any]) -> Table:
    """Whether runs link essays to trait scores: one row for each run."""
    words = essay_words(study)
    runs = with_context(study, ESSAYS)
    table = Table(
        f"The questionnaire’s linking of essays to traits: {words.essays} that no run trained on "
        "stand in the prompt, without a target, and “exact match” asks whether the answers fit "
        f"{words.labels}. {_chance(runs)} In brackets: 95 % intervals; they hold for these essays.",
        [
            "Run",
            "Method",
            "Essays",
            "Exact match",
            "Forms averaged",
            "Mean accuracy",
            "Mean AUC",
            "Spread S",
            "Reduction of S",
        ],
    )
    for run in runs:
        part = run["questionnaire"][ESSAYS]
        table.rows.append(
            [
                Cell(run["run"]),
                Cell(run["method"]),
                Cell(str(part["subjects"]), (f"{part['profiles']} profiles",)),
                matched(table, part["exact_match"]),
                table.share(part["exact_match_averaged"]),
                table.share(part["mean_accuracy"]),
                table.plain(part["mean_auc"]),
                table.plain(part["stability"]["spread"]),
                table.share(
                    part["stability"]["reduction"],
                    reason="The base is what the others are compared with.",
                ),
            ]
        )
    return table


def linking_by_trait(study: dict[str, Any]) -> Table:
    """The same for each trait, with how far scores follow the labels."""
    words = essay_words(study)
    table = Table(
        f"By trait, about {words.essays}. B: half the difference of the score between essays "
        "labelled high and low, the other labels held equal.",
        ["Run", "Trait", "Accuracy", "AUC", "Spread S", "B", "S/|B|"],
    )
    for run in with_context(study, ESSAYS):
        part = run["questionnaire"][ESSAYS]
        for trait in TRAITS:
            values = part["stability"]["traits"][trait]
            table.rows.append(
                [
                    Cell(run["run"]),
                    Cell(trait),
                    table.share(part["accuracy"][trait]),
                    table.plain(part["auc"][trait]),
                    table.plain(values["spread"]),
                    table.value(values["signal"], reason=_FEW),
                    table.value(
                        values["noise_to_signal"],
                        reason=_FEW
                        if values["signal"] is None
                        else "the labels have no effect on this trait",
                        digits=1,
                    ),
                ]
            )
    return table


def _chance(runs: list[dict[str, Any]]) -> str:
    """What one and the same answer would get; the essays are the same for all runs."""
    part = runs[0]["questionnaire"][ESSAYS]
    essays, profiles = part["subjects"], part["profiles"]
    share = share_in(runs[0]["baselines"]["constant_profile"], ESSAYS)
    fits = "fits in" if essays == profiles else "fits in at most"
    return (
        f"There are {essays} essays of {profiles} profiles: whoever gives one and the same of "
        f"these profiles for every essay {fits} {percent(share)}."
    )


def _high(levels: dict[str, int]) -> Cell:
    """A share of essays labelled high, with the counts."""
    high, low = levels["high"], levels["low"]
    return Cell(percent(high / (high + low)), (f"{high} high, {low} low",))
