"""Steps in processes of their own, as the runner starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path

from mimic.step import Job

PROJECT = Path(__file__).resolve().parents[2]
# What stands in for a step's module in these tests.
STAND_INS = Path(__file__).resolve().parent


def write_job(job: Job) -> Path:
    """Write the file that a step is started with."""
    values = {
        "name": job.name,
        "settings": job.settings,
        "inputs": {name: [str(path) for path in paths] for name, paths in job.inputs.items()},
        **{name: str(getattr(job, name)) for name in ("out", "unfinished")},
        **{name: str(job.out.with_suffix(f".{name}")) for name in ("answers", "measured", "log")},
    }
    path = job.out.with_suffix(".json")
    path.write_text(json.dumps(values))
    return path


def environment(*paths: Path) -> dict[str, str]:
    """That of a step; `paths` stand before the project's modules."""
    path = os.pathsep.join(map(str, [*paths, PROJECT / "workflow"]))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def launch(
    job: Job,
    method: str,
    *,
    config: str = "ddp",
    paths: tuple[Path, ...] = (),
    is_held: bool = False,
) -> subprocess.Popen[str]:
    """Start a training in two processes, one by sft such that it waits to be told to stop."""
    module = f"held_{method}" if is_held else f"mimic.finetune.{method}"
    options = ["--config", str(PROJECT / f"config/accelerate/{config}.yaml")]
    options += ["--processes", "2", module, str(write_job(job))]
    return subprocess.Popen(
        [sys.executable, "-m", "mimic.provenance.launch", *options],
        env=environment(*paths, *([STAND_INS] if is_held else [])),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
