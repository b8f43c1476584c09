"""`mimic gates`: what it prints, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mimic import cli
from mimic.gates import check, command, indices

Patch = pytest.MonkeyPatch


@pytest.fixture
def in_project(monkeypatch: Patch, project: Path) -> None:
    monkeypatch.chdir(project)
    # Without the simulations.
    monkeypatch.setattr(check, "statistic_gates", lambda *_, **__: [])


@pytest.mark.usefixtures("in_project")
def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    settings = tmp_path / "mine.yaml"
    settings.write_text("questionnaire: {instrument: ipip_neo_120}\n")
    assert cli.main(["gates", "--configfile", str(settings)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["gate", "of", "expected", "found"]
    rows = [" ".join(line.split()) for line in lines]
    assert "perfect released 0/96 0/96 passed" in rows
    assert "IPIP-NEO-120 in 4 forms: 59 of 59 gates passed" in rows
    assert "likelihood, cut norms of the original form: 94.9%" in rows
    assert "corrected, cut 3.0, as published: 15.3%" in rows
    assert "\x1b" not in "".join(lines)


@pytest.mark.usefixtures("in_project")
def test_the_command_fails_with_a_gate(
    capsys: pytest.CaptureFixture[str], monkeypatch: Patch
) -> None:
    monkeypatch.setattr(indices, "order_asymmetry", lambda answers: 0.0)
    assert cli.main(["gates"]) == 1
    out = capsys.readouterr().out
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert "order-biased order asymmetry 1 (perfect: 0) 0 (perfect: 0) FAILED" in rows
    assert "58 of 59 gates passed" in out
    assert cli.main(["gates", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] is False
    assert [gate["gate"] for gate in report["gates"] if not gate["passed"]] == ["order-biased"]


@pytest.mark.usefixtures("in_project")
def test_mistakes_are_told_in_words(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    settings = tmp_path / "wrong.yaml"
    settings.write_text("gates: {simulation: 5}\n")
    assert cli.main(["gates", "--configfile", str(settings)]) == 2
    assert "gates.simulation: no such setting; did you mean 'simulations'?" in (
        capsys.readouterr().err
    )


def test_it_is_called_in_the_projects_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: Patch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["gates"]) == 2
    assert "no Snakefile here" in capsys.readouterr().err


@pytest.mark.usefixtures("in_project")
def test_the_command_names_the_files_that_the_rules_name(project: Path) -> None:
    rules = (project / "workflow/rules/common.smk").read_text()
    for path in (command.AUTHORED_FORMS, command.REWORDINGS, command.RELEASED_FORMS):
        assert f'"{path}"' in rules
        assert path.is_file()
