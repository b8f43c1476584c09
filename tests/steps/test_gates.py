import json
from pathlib import Path
from typing import Any

import pytest

from mimic import cli
from mimic.forms import build
from mimic.gates import check, scoring


@pytest.fixture
def forms(make_job: Any, project: Path) -> Path:
    job = make_job(
        settings={"forms": {"formats": ["digits"]}},
        inputs={
            "authored": project / "config/forms/authored.yaml",
            "rewordings": project / "config/forms/rewordings.yaml",
            "instruments": sorted((project / "config/instruments").glob("*.yaml")),
        },
        out="forms",
    )
    build.main(job)
    return job.out / "forms.json"


def job_of(make_job: Any, project: Path, forms: Path) -> Any:
    return make_job(
        settings={"gates": {"simulations": 50}},
        inputs={
            "forms": forms,
            "released": project / "config/forms/released.yaml",
            "instrument": project / "config/instruments/mini_ipip_10.yaml",
        },
    )


def test_the_step_and_the_command_write_the_same(
    make_job: Any,
    project: Path,
    forms: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = job_of(make_job, project, forms)
    check.main(job)
    assert "» 55 gates passed\n" in capsys.readouterr().out
    written = (job.out / "gates.json").read_text(encoding="utf-8")
    report = json.loads(written)
    assert report["passed"] is True
    assert report["reference"] is None
    assert {gate["of"] for gate in report["gates"]} >= {
        "released",
        "corrected",
        "likelihood",
        "permutation",
        "answers",
        "texts",
    }
    settings = tmp_path / "mine.yaml"
    settings.write_text(
        "forms: {formats: [digits]}\nquestionnaire: {instrument: mini_ipip_10}\n"
        "gates: {simulations: 50}\n"
    )
    monkeypatch.chdir(project)
    assert cli.main(["gates", "--json", "--configfile", str(settings)]) == 0
    assert capsys.readouterr().out == written


def test_a_gate_that_fails_fails_the_step(
    make_job: Any,
    project: Path,
    forms: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(check, "statistic_gates", lambda *_, **__: [])
    monkeypatch.setattr(
        scoring, "item_scores", lambda option, keyed_plus, *, protocol: 6.0 - option
    )
    job = job_of(make_job, project, forms)
    with pytest.raises(
        check.GateFailed, match=r"perfect \(corrected\): expected 96/96, found 3/96"
    ):
        check.main(job)
    assert not list(job.out.iterdir())
    assert "» failed: perfect (corrected): expected 96/96, found 3/96\n" in capsys.readouterr().out
