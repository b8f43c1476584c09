"""Step: all gates on the study's questionnaire. A gate that fails fails the step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mimic.files import read_json, write_json
from mimic.forms.authored import Form, read_forms
from mimic.forms.released import Released, load_released
from mimic.gates.asking import asked_of, read_by_likelihood, read_in_words, reading_gates
from mimic.gates.gate import Gate
from mimic.gates.human import human_gate, human_reference
from mimic.gates.indices import index_gates
from mimic.gates.respondents import respondent_gates
from mimic.gates.scoring import scorings
from mimic.gates.settings import GatesSettings
from mimic.gates.statistics import statistic_gates
from mimic.progress import say
from mimic.questionnaire.instruments import Instrument, load_instrument
from mimic.step import Job, run_step


class GateFailed(Exception):
    """The measuring is wrong: a figure that is known was not found."""


def main(job: Job) -> None:
    """Write ``gates.json``.

    Raises
    ------
    GateFailed
        Naming each gate that failed, with what was expected and found.
    """
    settings = job.parse(GatesSettings, "gates")
    report = run_gates(
        load_instrument(job.input("instrument")),
        read_forms(read_json(job.input("forms"))),
        load_released(job.input("released")),
        settings,
    )
    failed = [Gate(**row) for row in report["gates"] if not row["passed"]]
    for gate in failed:
        say(f"failed: {in_words(gate)}")
    if failed:
        raise GateFailed("; ".join(map(in_words, failed)))
    write_json(job.out / "gates.json", report)
    say(f"{len(report['gates'])} gates passed")


def run_gates(
    instrument: Instrument, forms: Sequence[Form], released: Released, settings: GatesSettings
) -> dict[str, Any]:
    """All gates.

    Parameters
    ----------
    instrument, forms
        What is asked by likelihood.
    released
        The formats in which the same items are answered in words.
    settings
        How much is drawn.

    Returns
    -------
    dict
        ``passed``, whether all did; ``gates``, the fields of each `Gate`; ``reference``, what the
        human-like respondent gives, None without norms.

    Raises
    ------
    ValueError
        If there are fewer than two forms: spread over forms can't be checked.
    """
    if len(forms) < 2:
        raise ValueError(
            f"gates need at least two forms, found {len(forms)}; raise forms.wordings or name "
            "more forms.formats"
        )
    by_likelihood = read_by_likelihood(instrument, forms)
    in_words = read_in_words(instrument, released)
    gates = reading_gates(in_words, of="in words") + reading_gates(by_likelihood, of="likelihood")
    rows: list[dict[str, Any]] = []
    for scoring in scorings(instrument):
        likelihood = scoring.protocol == "likelihood"
        asked = asked_of(instrument, by_likelihood if likelihood else in_words)
        repeats = -(-settings.simulations // len(asked.forms))
        gates += respondent_gates(asked, scoring, repeats=repeats, seed=settings.seed)
        if instrument.norms is not None:
            gate, row = human_gate(
                asked, scoring, instrument.norms, repeats=repeats, seed=settings.seed
            )
            gates.append(gate)
            rows.append(row)
    asked = asked_of(instrument, by_likelihood)
    gates += index_gates(asked, seed=settings.seed)
    gates += statistic_gates(asked, simulations=settings.simulations, seed=settings.seed)
    return {
        "passed": all(gate.passed for gate in gates),
        "gates": [gate._asdict() for gate in gates],
        "reference": human_reference(instrument.norms, rows) if instrument.norms else None,
    }


def in_words(gate: Gate) -> str:
    """A gate on a line."""
    return f"{gate.gate} ({gate.of}): expected {gate.expected}, found {gate.found}"


if __name__ == "__main__":
    run_step(main)
