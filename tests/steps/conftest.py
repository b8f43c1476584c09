"""What tests of the runner share."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runner_jobs import Runner

from mimic.files import canonical_json
from mimic.provenance import fingerprint
from mimic.provenance.environment import group_digest


@pytest.fixture
def runner(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """The command line of a job, in a folder of its own with a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIMIC_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("PYTHONPATH", str(project / "workflow"))

    def spec_of(step: str, settings: dict[str, Any]) -> str:
        # The runner fingerprints the package that it is part of: a made-up one, or the project's.
        root = Path(os.environ["PYTHONPATH"].split(os.pathsep)[0])
        monkeypatch.setattr(fingerprint, "PACKAGE_ROOT", root)
        fingerprint.forget()
        code = fingerprint.step_code(step)
        return canonical_json(
            {
                "step": step,
                "settings": settings,
                "code": code,
                "environment": {"data": group_digest("data")},
                "sources": {},
            }
        )

    def command(
        step: str,
        *,
        outputs: list[str],
        settings: dict[str, Any] | None = None,
        inputs: dict[str, list[str]] | None = None,
        whole_spec: str | None = None,
    ) -> list[str]:
        files = {"inputs": inputs or {}, "outputs": outputs, "root": "results"}
        files |= {"rule": "test", "run": None}
        return [
            *(sys.executable, "-m", "mimic.provenance.runner", "--name", f"test {step}"),
            "--spec",
            whole_spec or spec_of(step, settings or {}),
            *("--files", canonical_json(files), "--log", "results/logs/test.log"),
        ]

    return command


@pytest.fixture
def made_up(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a made-up step beside what the runner needs of the package."""

    def write(code: str) -> None:
        package = tmp_path / "package" / "mimic"
        package.mkdir(parents=True)
        for name in ("__init__.py", "files.py", "progress.py", "settings.py", "step.py"):
            shutil.copy(project / "workflow/mimic" / name, package)
        shutil.copytree(project / "workflow/mimic/provenance", package / "provenance")
        shutil.copy(project / "pyproject.toml", tmp_path)
        (package / "made_up.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(package.parent))

    return write
