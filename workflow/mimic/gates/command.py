"""`mimic gates`: all gates on a study's questionnaire, without Snakemake."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from mimic.files import read_json, write_json
from mimic.forms import build
from mimic.forms.authored import read_forms
from mimic.forms.released import load_released
from mimic.gates.check import run_gates
from mimic.gates.gate import Gate
from mimic.questionnaire.instruments import load_instrument
from mimic.step import Job
from mimic.study import DEFAULT_SETTINGS, Study, load_study, read_settings
from mimic.study_checks import AUTHORED_FORMS, INSTRUMENTS

REWORDINGS = Path("config/forms/rewordings.yaml")
RELEASED_FORMS = Path("config/forms/released.yaml")
# Where there is no terminal, wide enough for every row.
_WIDTH = 200


def show_gates(configfile: Path | None, *, as_json: bool) -> bool:
    """Run all gates and print them.

    Parameters
    ----------
    configfile
        The study's settings; None for the default study.
    as_json
        Print what the stage would write to ``gates.json``, instead of a table.

    Returns
    -------
    bool
        Whether all gates passed.

    Raises
    ------
    ValueError
        If the settings, the instrument or the forms are wrong.
    """
    source = configfile or DEFAULT_SETTINGS
    study = load_study(read_settings(source), source=str(source))
    instrument = load_instrument(INSTRUMENTS / f"{study.settings.questionnaire.instrument}.yaml")
    released = load_released(
        Path(study.settings.questionnaire.generation.prompts or RELEASED_FORMS)
    )
    with tempfile.TemporaryDirectory() as folder:
        forms = read_forms(read_json(_build_forms(study, out=Path(folder))))
        report = run_gates(instrument, forms, released, study.settings.gates)
        if as_json:
            path = Path(folder) / "gates.json"
            write_json(path, report)
            print(path.read_text(encoding="utf-8"), end="")
        else:
            _print_table(report, title=f"{instrument.name} in {len(forms)} forms")
    return bool(report["passed"])


def _build_forms(study: Study, *, out: Path) -> Path:
    """The study's ``forms.json``, by the step that makes it."""
    job = Job(
        name="forms",
        settings=study.slice("forms"),
        inputs={
            "authored": [AUTHORED_FORMS],
            "rewordings": [REWORDINGS],
            "instruments": sorted(INSTRUMENTS.glob("*.yaml")),
        },
        out=out,
    )
    # The step shows its progress, which is no part of what this command prints.
    with contextlib.redirect_stdout(sys.stderr):
        build.main(job)
    return out / "forms.json"


def _print_table(report: dict[str, Any], *, title: str) -> None:
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else _WIDTH, markup=False, highlight=False)
    table = Table(box=box.SIMPLE_HEAD if terminal else None, pad_edge=False)
    for column in ("gate", "of", "expected", "found", ""):
        table.add_column(column, overflow="fold")
    gates = [Gate(**row) for row in report["gates"]]
    for gate in gates:
        table.add_row(
            gate.gate,
            gate.of,
            gate.expected,
            gate.found,
            "passed" if gate.passed else "FAILED",
            style=None if gate.passed else "bold red",
        )
    console.print(table)
    passed = sum(gate.passed for gate in gates)
    console.print(f"\n{title}: {passed} of {len(gates)} gates passed")
    if report["reference"] is not None:
        _print_reference(report["reference"], console)


def _print_reference(reference: dict[str, Any], console: Console) -> None:
    console.print(
        "\nThe questionnaire's own reference: exact match of a respondent as extreme as people, "
        f"norm mean ± {reference['level_in_sd']} SD"
    )
    for row in reference["figures"]:
        console.print(f"  {row['protocol']}, cut {row['cut']}: {row['exact_match']:.1%}")
