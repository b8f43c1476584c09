"""`mimic watch` beside a cluster run, and what the submitting terminal shows of a failed job."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from slurm_lab import SlurmLab
from small_study import CONFIG, SmallStudy

SECONDS = 1200.0
STEPS = 100_000
PROFILE = {
    "retries: 2": "retries: 0",
    "init-seconds-before-status-checks: 20": "init-seconds-before-status-checks: 2",
    "max-status-checks-per-second: 0.2": "max-status-checks-per-second: 2",
    "latency-wait: 60": "latency-wait: 20",
}


@pytest.fixture
def study(project: Path, tiny_model: Path, tmp_path: Path) -> SmallStudy:
    """A study of a training that goes on for ever and one that fails."""
    made = SmallStudy.make(project, tmp_path / "clone", model=tiny_model.parent, hub=tmp_path / "h")
    (made.folder / "meluxina").symlink_to("profiles/meluxina")
    edit(made.folder / "profiles/meluxina/config.yaml", PROFILE)
    edit(made.folder / CONFIG, {"sft: {steps: 2,": f"sft: {{steps: {STEPS},"})
    start = '    settings = job.parse(DpoSettings, "dpo")\n'
    fails = f'{start}    raise RuntimeError("made to fail")\n'
    edit(made.folder / "workflow/mimic/finetune/dpo.py", {start: fails})
    return made


def edit(path: Path, changes: dict[str, str]) -> None:
    """Change words of a file, each of which stands in it once."""
    text = path.read_text()
    for former, new in changes.items():
        assert text.count(former) == 1, former
        text = text.replace(former, new)
    path.write_text(text)


def watch(lab: SlurmLab, study: SmallStudy, *options: str) -> str:
    """What `mimic watch --once` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "mimic.cli", "watch", "--once", *options],
        cwd=study.folder,
        env=study.environment | lab.environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def seen_when(look: Callable[[], dict[str, Any]], is_so: Callable[[dict[str, Any]], bool]) -> Any:
    """What is seen as soon as something is so."""
    end = time.monotonic() + SECONDS
    while not is_so(seen := look()):
        assert time.monotonic() < end, json.dumps(seen, indent=1)
        time.sleep(5)
    return seen


def trains(seen: dict[str, Any]) -> bool:
    """Whether the training that goes on shows its progress, as other jobs do before it."""
    running = {job["name"]: job["log"]["progress"] for job in seen.get("running", ())}
    return bool(running.get("finetune tiny-sft-s1"))


def is_accounted(seen: dict[str, Any]) -> bool:
    """Whether Slurm's accounting tells of what failed, which snakemake may tell before it."""
    return any("exit status 1" in job["mend"] for job in seen["failed"])


@pytest.mark.slow
def test_a_run_is_watched_and_what_fails_is_shown(
    lab: SlurmLab, study: SmallStudy, tmp_path: Path
) -> None:
    environment = study.environment | lab.environment
    targets = [
        f"results/small/finetune/tiny-{method}-s1/manifest.json" for method in ("sft", "dpo")
    ]
    line = [sys.executable, "-m", "snakemake", "--profile", "meluxina", *targets]
    line += ["--configfile", CONFIG]
    output = tmp_path / "output"

    def look() -> Any:
        return json.loads(watch(lab, study, "--json")) if started() else {}

    def started() -> bool:
        logs = (study.folder / ".snakemake/log").glob("*.log")
        return any("SLURM run ID" in path.read_text() for path in logs)

    with output.open("w") as said:
        run = subprocess.Popen(line, cwd=study.folder, env=environment, stdout=said, stderr=said)
    try:
        one = seen_when(look, trains)
        assert re.fullmatch(rf"process {run.pid} on \S+", one["submitting"])
        (sft,) = [job for job in one["running"] if job["name"] == "finetune tiny-sft-s1"]
        (progress,) = sft["log"]["progress"]
        assert progress["what"] == "sft step"
        assert 0 < progress["done"] < progress["total"] == STEPS
        assert re.fullmatch(r"mel200\d", sft["nodes"])
        assert 0 < sft["elapsed_s"] < sft["walltime_s"]
        assert one["rules"]["models"] == [1, 1]
        assert one["rules"]["pairs"] == [2, 2]
        assert one["rules"]["finetune"] == [0, 2]
        assert one["hours_left"] > 0
        assert one["notes"] == []
        two = seen_when(look, is_accounted)
        (dpo,) = two["failed"]
        assert (dpo["name"], dpo["state"]) == ("finetune tiny-dpo-s1", "FAILED")
        assert "  RuntimeError: made to fail" in dpo["words"]
        assert "exit status 1" in dpo["mend"]
        assert two["done"] >= 2
        assert two["hours_used"] >= one["hours_used"] > 0
        shown = watch(lab, study)
        assert re.search(rf"sft step \d+ of {STEPS} \(\d+%\), [\d:]+ left, loss", shown), shown
        lab.run("scancel", sft["job"])
        assert run.wait(SECONDS) == 1
    finally:
        run.kill()
        run.wait()
    said = output.read_text()
    log = "results/small/logs/finetune/tiny-dpo-s1.log"
    # Where it failed, and again at the end.
    assert said.count("RuntimeError: made to fail") >= 2, said
    end = said[said.rindex("failed: 2") :]
    assert f"{log}:" in end
    assert "RuntimeError: made to fail" in end
    assert "CANCELLED" in end
    assert "it goes on from what was saved" in end
    three = seen_when(look, lambda seen: not seen["running"])
    assert three["submitting"] is None
    assert three["running"] == three["pending"] == []
