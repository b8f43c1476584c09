"""Tables of the context that asks about essays: no target, but the labels of essays."""

from __future__ import annotations

from typing import Any

from mimic.report.facts import ESSAYS, essay_words, share_in, with_context
from mimic.report.numbers import Cell, Table, percent
from mimic.report.tables import matched
from mimic.traits import TRAITS

_FEW = "the essays’ profiles do not tell the five traits apart; more essays would"


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
