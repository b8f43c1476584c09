"""Synthetic respondents' gates, and which of them failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mimic.forms.authored import build_form, load_authored
from mimic.forms.released import load_released
from mimic.gates import human, indices, respondents, scoring
from mimic.gates.asking import Asked, asked_of, read_by_likelihood, read_in_words
from mimic.gates.gate import Gate

_FORMS = Path(__file__).parents[2] / "config/forms"
AUTHORED = load_authored(_FORMS / "authored.yaml")
FORMS = tuple(
    build_form(AUTHORED, format_name=name, wording="describes", order=order)
    for name in ("digits", "letters")
    for order in ("published", "reversed")
)
RELEASED = load_released(_FORMS / "released.yaml")


def by_likelihood(instrument: Any, forms: Any = FORMS) -> Asked:
    """What is asked by likelihood."""
    return asked_of(instrument, read_by_likelihood(instrument, forms))


def of_respondents(
    instrument: Any, *, repeats: int = 25, forms: Any = FORMS, released: Any = RELEASED
) -> list[Gate]:
    """The gates of protocols and indices."""
    words = asked_of(instrument, read_in_words(instrument, released))
    found: list[Gate] = []
    for one in scoring.scorings(instrument):
        asked = by_likelihood(instrument, forms) if one.protocol == "likelihood" else words
        found += respondents.respondent_gates(asked, one, repeats=repeats, seed=1)
        if instrument.norms is not None:
            found.append(human.human_gate(asked, one, instrument.norms, repeats=repeats, seed=1)[0])
    return found + indices.index_gates(by_likelihood(instrument, forms), seed=1)


def failed(gates: list[Gate]) -> set[tuple[str, str]]:
    return {(gate.gate, gate.of) for gate in gates if not gate.passed}
