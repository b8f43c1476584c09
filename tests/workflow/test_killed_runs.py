"""Runs that are killed, or whose code changes while a job queues, in a copy of the project."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from small_study import CONFIG, ROOT, SmallStudy


@pytest.mark.slow
def test_code_changed_while_a_job_queues_stops_it_on_a_cluster(study: SmallStudy) -> None:
    shutil.rmtree(study.folder / "results")
    shutil.rmtree(study.folder / "store")
    submit = study.folder / "submit.sh"
    submit.write_text(
        "#!/bin/sh\ntouch submitted\n"
        '(while [ ! -e go ]; do sleep 0.2; done; sh "$1") >job.log 2>&1 &\necho 1\n'
    )
    submit.chmod(0o755)
    command = [
        *study.command(f"{ROOT}/essays/essays.csv", "--executor", "cluster-generic"),
        *("--cluster-generic-submit-cmd", "./submit.sh", "--jobs", "1"),
        *("--seconds-between-status-checks", "1"),
    ]

    def submit_and_edit(name: str, text: str) -> str:
        for flag in ("submitted", "go"):
            (study.folder / flag).unlink(missing_ok=True)
        process = subprocess.Popen(
            command,
            cwd=study.folder,
            env=study.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 600
        while not (study.folder / "submitted").exists():
            assert time.monotonic() < end, "nothing is submitted"
            time.sleep(0.2)
        study.write(name, text)
        (study.folder / "go").touch()
        process.wait(timeout=900)
        return (study.folder / "job.log").read_text() + f"\nstatus {process.returncode}"

    code, settings = "workflow/mimic/essays/check.py", study.read(CONFIG)
    stopped = submit_and_edit(code, study.read(code) + "\nEDITED = True\n")
    assert "mimic.essays.check changed since the work was submitted" in stopped
    assert stopped.endswith("status 1")
    assert not (study.folder / ROOT / "essays/essays.csv").exists()
    rules = "workflow/rules/essays.smk"
    kept = study.read(rules)
    stopped = submit_and_edit(rules, kept.replace("essays_settings()", "{}"))
    assert f"{rules} changed since the work was submitted" in stopped
    assert stopped.endswith("status 1")
    study.write(rules, kept)
    # Settings that changed while it queued are for the next submission; this job does what was
    # submitted.
    went_on = submit_and_edit(CONFIG, settings.replace("composed: true", "composed: false"))
    assert went_on.endswith("status 0"), went_on
    summary = json.loads(study.read(f"{ROOT}/essays/summary.json"))
    assert summary["kind"] == "composed"
    # Submitted with other code, and set back while it queued to code whose results the store has.
    study.write(CONFIG, settings)
    edited = study.read(code)
    study.write(code, edited.replace("EDITED = True", "EDITED = False"))
    former = submit_and_edit(code, edited)
    assert "mimic.essays.check changed since the work was submitted" in former
    assert former.endswith("status 1")


def processes_in(folder: Path) -> list[psutil.Process]:
    """Processes that work in a folder, or were started with it."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def is_step(process: psutil.Process) -> bool:
    """Whether it is a step at work; False of one that has ended."""
    try:
        return any("job.json" in word for word in process.cmdline())
    except psutil.Error:
        return False


def wait_for_a_step(study: SmallStudy, said: Path) -> None:
    """Wait until a step of a running study works."""
    end = time.monotonic() + 600
    while not any(map(is_step, processes_in(study.folder))):
        assert time.monotonic() < end, said.read_text()[-3000:]
        time.sleep(0.2)


def kill_a_step(study: SmallStudy, said: Path, draw: random.Random) -> None:
    """Kill one step of a running study, whichever works at a random moment."""
    end = time.monotonic() + 600
    # One that ended by itself just then doesn't count.
    while "failed with exit status 137" not in said.read_text():
        assert time.monotonic() < end, said.read_text()[-3000:]
        for process in processes_in(study.folder):
            try:
                if is_step(process):
                    time.sleep(draw.uniform(0, 0.5))
                    process.kill()
                    psutil.wait_procs([process], timeout=120)
                    break
            except psutil.Error:
                continue
        time.sleep(0.5)


@pytest.mark.slow
def test_killed_at_random_moments_the_next_run_completes_with_the_same_bytes(
    study: SmallStudy, tmp_path: Path
) -> None:
    expected = study.results()
    killed = study.copy(tmp_path / "killed")
    draw = random.Random(int(os.environ.get("PYTEST_RANDOM_SEED", "7")))
    # One that loses a step does all other work before it ends: after it little may be left to kill.
    for kills in (["snakemake"], ["step", "snakemake"], ["snakemake"], ["step"]):
        said = tmp_path / "said.txt"
        with said.open("w") as output:
            process = subprocess.Popen(
                killed.command(),
                cwd=killed.folder,
                env=killed.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        # From its first step on, which comes sooner or later.
        wait_for_a_step(killed, said)
        time.sleep(draw.uniform(0, 8))
        if "step" in kills:
            kill_a_step(killed, said, draw)
        if "snakemake" in kills:
            assert process.poll() is None, said.read_text()[-3000:]
            process.kill()
            process.wait()
        else:
            # It ends by itself, for a job failed.
            assert process.wait(timeout=1800) != 0
        end = time.monotonic() + 300
        while processes_in(killed.folder) and time.monotonic() < end:
            time.sleep(0.5)
        assert processes_in(killed.folder) == []
        subprocess.run(
            [sys.executable, "-m", "snakemake", "--unlock", "--configfile", CONFIG],
            cwd=killed.folder,
            env=killed.environment,
            check=True,
            capture_output=True,
        )
    killed.run()
    assert killed.results() == expected
    assert killed.run().nothing
