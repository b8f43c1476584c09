"""Synthetic respondents' gates, and which of them failed."""

from __future__ import annotations

from typing import Any

from mimic.gates import human, indices, respondents, scoring
from mimic.gates.gate import Gate
from mimic.stats.bootstrap import Form

FORMS = tuple(
    Form(f"{fmt}-a-{order}", fmt, "a", order)
    for fmt in ("digits", "letters")
    for order in ("published", "reversed")
)


def of_respondents(instrument: Any, *, repeats: int = 25) -> list[Gate]:
    """The gates of protocols and indices."""
    asked = scoring.questionnaire(instrument, FORMS)
    found: list[Gate] = []
    for one in scoring.scorings(instrument):
        found += respondents.respondent_gates(asked, one, repeats=repeats, seed=1)
        if instrument.norms is not None:
            found.append(human.human_gate(asked, one, instrument.norms, repeats=repeats, seed=1)[0])
    return found + indices.index_gates(asked, seed=1)


def failed(gates: list[Gate]) -> set[tuple[str, str]]:
    return {(gate.gate, gate.of) for gate in gates if not gate.passed}
