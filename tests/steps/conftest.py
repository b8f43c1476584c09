"""What tests of the runner share, and what tests of training share."""

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
from mimic.step import Job
from mimic.traits import TRAITS, balanced_profiles


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
        # What a submission describes besides steps.
        (package / "study.py").touch()
        (package / "made_up.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(package.parent))

    return write


@pytest.fixture
def varied_essays(tmp_path: Path) -> Path:
    """Twelve essays of several lengths, as the essays stage writes them."""
    lines = [",".join(["id", "text", *TRAITS, "profile", "words", "cluster", "role", "validation"])]
    for number, profile in enumerate(balanced_profiles(16)[:12]):
        levels = ",".join(str(int(high)) for high in profile.levels)
        text = f"Today number {number} I went out." + " It was long and I liked it." * (number % 5)
        lines.append(f"e{number},{text},{levels},{profile},15,{number},G,{int(number >= 8)}")
    path = tmp_path / "varied.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def job_of(make_job: Callable[..., Job], varied_essays: Path, tiny_model: Path) -> Any:
    """Makes a job that trains the tiny model on pairs made for it."""
    from mimic.pairs import conversations, preferences

    def make(method: str, *, out: str, pairs_out: str | None = None, **changes: Any) -> Job:
        step = conversations if method == "sft" else preferences
        pairs = make_job(
            settings={"pairs": {"rejected_per_chosen": 2}, "withholds_profiles": False},
            inputs={"essays": varied_essays},
            out=pairs_out or f"{out}-pairs",
        )
        step.main(pairs)
        (pairs.out / "manifest.json").write_text("{}")
        settings = {"learning_rate": 0.02, "warmup_steps": 0, "max_length": 128}
        return make_job(
            settings={
                "run": {"model": "tiny", "seed": 1},
                "compute": {"threads": 1},
                method: settings | {"lora": {"rank": 4, "alpha": 8}} | changes,
            },
            inputs={"model": tiny_model, "pairs": pairs.out / "manifest.json"},
            out=out,
        )

    return make


@pytest.fixture
def train(job_of: Any) -> Callable[..., Path]:
    """Trains and gives the folder of what came out."""
    from mimic.finetune import dpo, orpo, sft

    def run(method: str, **options: Any) -> Path:
        job = job_of(method, **options)
        {"sft": sft, "dpo": dpo, "orpo": orpo}[method].main(job)
        return job.out

    return run
