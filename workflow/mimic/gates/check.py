"""Step: all gates on the study's questionnaire. A gate that fails fails the step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mimic.files import read_json, write_json
from mimic.gates.gate import Gate
from mimic.gates.human import human_gate, human_reference
from mimic.gates.indices import index_gates
from mimic.gates.respondents import respondent_gates
from mimic.gates.scoring import questionnaire, scorings
from mimic.gates.settings import GatesSettings
from mimic.gates.statistics import statistic_gates
from mimic.progress import say
from mimic.questionnaire.instruments import Instrument, load_instrument
from mimic.stats.bootstrap import Form
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
        load_instrument(job.input("instrument")), read_forms(job.input("forms")), settings
    )
    failed = [Gate(**row) for row in report["gates"] if not row["passed"]]
    for gate in failed:
        say(f"failed: {in_words(gate)}")
    if failed:
        raise GateFailed("; ".join(map(in_words, failed)))
    write_json(job.out / "gates.json", report)
    say(f"{len(report['gates'])} gates passed")


def read_forms(path: Path) -> tuple[Form, ...]:
    """What a ``forms.json`` says of each form besides its words."""
    return tuple(Form(**{name: str(row[name]) for name in Form._fields}) for row in read_json(path))


def run_gates(
    instrument: Instrument, forms: Sequence[Form], settings: GatesSettings
) -> dict[str, Any]:
    """All gates.

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
    asked = questionnaire(instrument, tuple(forms))
    repeats = -(-settings.simulations // len(forms))
    gates: list[Gate] = []
    rows: list[dict[str, Any]] = []
    for scoring in scorings(instrument):
        gates += respondent_gates(asked, scoring, repeats=repeats, seed=settings.seed)
        if instrument.norms is not None:
            gate, row = human_gate(
                asked, scoring, instrument.norms, repeats=repeats, seed=settings.seed
            )
            gates.append(gate)
            rows.append(row)
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
