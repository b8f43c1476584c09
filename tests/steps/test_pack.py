"""Packs, as the rule calls them, and the jobs of their runs: with made-up steps."""

import csv
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from runner_jobs import (
    PATIENCE_S,
    TABLE,
    Runner,
    entries,
    gone,
    killed,
    packed,
    run,
    snakemake,
    wait_until,
    work,
)

from mimic.files import read_json
from mimic.provenance.pack_table import COLUMNS
from mimic.provenance.submit import describe, place_of, write

# Fails where it is broken; otherwise says what it was given, and waits until all others are there.
STEP = """\
import os, time
from pathlib import Path
from mimic.step import run_step

def main(job):
    name = job.settings["run"]
    with Path("ran").open("a") as ran:
        ran.write(f"{name}\\n")
    print("device", os.environ.get("CUDA_VISIBLE_DEVICES"), "of", name)
    if Path(f"broken-{name}").exists():
        raise ValueError(f"{name} is broken; mend it")
    end = time.monotonic() + 240
    while (
        not all(other in Path("ran").read_text() for other in job.settings["others"])
        or Path("held").exists()
    ):
        assert time.monotonic() < end, "the others don't come"
        time.sleep(0.05)
    (job.out / "x").write_text(name)

run_step(main)
"""
# Saves what it has when it is told to stop, and goes on from there.
SAVING_STEP = """\
import os, signal, sys, time
from mimic.progress import say
from mimic.step import run_step

def main(job):
    half = job.unfinished / "half"
    def save(number, frame):
        job.unfinished.mkdir()
        half.write_text(f"half of {job.settings['run']}")
        sys.exit(75)
    if half.exists():
        (job.out / "x").write_text(half.read_text() + ", whole")
        return
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, save)
    say(f"process {os.getpid()}")
    time.sleep(600)

run_step(main)
"""

Jobs = Callable[..., dict[str, list[str]]]


@pytest.fixture
def jobs(runner: Runner, made_up: Callable[..., None]) -> Jobs:
    """The command lines of a made-up step's jobs, by run."""

    def make(
        names: str = "abc",
        *,
        step: str | None = None,
        others: str = "",
        settings: dict[str, dict[str, Any]] | None = None,
    ) -> dict[str, list[str]]:
        if not Path("package").exists():
            made_up(step or STEP)
        return {
            name: runner(
                "made_up",
                settings={"run": name, "others": others} | (settings or {}).get(name, {}),
                outputs=[f"results/{name}/manifest.json", f"results/{name}/x"],
            )
            for name in names
        }

    return make


def table() -> dict[str, dict[str, str]]:
    with Path(TABLE).open(newline="") as handle:
        return {row["run"]: row for row in csv.DictReader(handle, delimiter="\t")}


def states() -> dict[str, str]:
    return {name: row["state"] for name, row in table().items()}


def ran() -> list[str]:
    """What was begun since this was asked last."""
    found = sorted(Path("ran").read_text().split()) if Path("ran").exists() else []
    Path("ran").unlink(missing_ok=True)
    return found


def started(process: subprocess.Popen[str], count: int) -> list[int]:
    """The process ids that so many steps say, from their pack's standard error."""
    assert process.stderr is not None
    found: list[int] = []
    while len(found) < count:
        line = process.stderr.readline()
        assert line, "the pack ended"
        if "process " in line:
            found.append(int(line.split("process ")[1]))
    return found


def test_all_members_work_at_once_and_their_jobs_find_them(jobs: Jobs) -> None:
    alone = jobs("abc", others="abc")
    pack, behind = packed(alone)
    done = run(pack)
    assert done.returncode == 0, done.stderr
    assert ran() == ["a", "b", "c"]
    assert states() == {"a": "stored", "b": "stored", "c": "stored"}
    assert list(table()["a"]) == COLUMNS
    assert {row["identity"] for row in table().values()} == {path.name for path in entries()}
    assert "[pack a] 3 of 3 to train, 0 in the store" in done.stderr
    assert "[pack a] b: stored, " in Path("results/logs/pack.log").read_text()
    # Into the store alone; what a study is linked to is its jobs' business.
    assert not Path("results/a").exists()
    assert not Path("results/.identities").exists()
    for name, command in behind.items():
        found = run(command)
        assert found.returncode == 0, found.stderr
        assert "was made before" in found.stderr
        assert Path(f"results/{name}/x").read_text() == name
        note = read_json(Path(f"results/.identities/{name}__x.json"))
        assert (note["identity"], note["run"]) == (table()[name]["identity"], name)
        record = read_json(Path("store", note["identity"], "record.json"))
        assert record["identity"]["run"] == name
        # The log stays that of the training.
        log = Path(f"results/logs/{name}.log").read_text()
        assert log.startswith("device ")
        assert "\nhit: " in log
    # Trained alone it is the same.
    for command in alone.values():
        assert "was made before" in run(command).stderr
    assert ran() == []


def test_one_that_fails_fails_alone_and_the_next_pack_makes_what_is_missing(jobs: Jobs) -> None:
    Path("broken-b").touch()
    pack, behind = packed(jobs("abc"))
    done = run(pack)
    assert done.returncode == 0, done.stderr
    assert ran() == ["a", "b", "c"]
    assert states() == {"a": "stored", "b": "failed", "c": "stored"}
    assert "failed with exit status 1" in table()["b"]["said"]
    assert [run(behind[name]).returncode for name in "ac"] == [0, 0]
    failed = run(behind["b"])
    assert failed.returncode == 1
    assert "[test made_up] ValueError: b is broken; mend it" in failed.stderr
    assert "Traceback" in Path("results/logs/b.log").read_text()
    assert "failed in its pack after " in failed.stderr
    assert ran() == []
    assert not Path("results/b").exists()

    Path("broken-b").unlink()
    assert run(pack).returncode == 0
    assert ran() == ["b"]
    assert states() == {"a": "hit", "b": "stored", "c": "hit"}
    assert run(behind["b"]).returncode == 0
    assert len(entries()) == 3

    # One that changed is trained again, and only that.
    changed, behind = packed(jobs("abc", settings={"c": {"rate": 2}}))
    assert run(changed).returncode == 0
    assert ran() == ["c"]
    assert states() == {"a": "hit", "b": "hit", "c": "stored"}
    assert [run(behind[name]).returncode for name in "abc"] == [0, 0, 0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_told_to_stop_each_saves_and_the_next_goes_on(jobs: Jobs, number: signal.Signals) -> None:
    pack, _ = packed(jobs("ab", step=SAVING_STEP))
    process = subprocess.Popen(pack, stderr=subprocess.PIPE, text=True)
    pids = started(process, 2)
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + number, errors
    assert "told to stop" in errors
    assert gone(*pids)
    assert not Path(TABLE).exists()
    assert work() == ["half", "half"]
    again = run(pack)
    assert again.returncode == 0, again.stderr
    assert states() == {"a": "stored", "b": "stored"}
    found = {(path / "x").read_text() for path in entries()}
    assert found == {"half of a, whole", "half of b, whole"}
    attempts = [read_json(p / "record.json")["circumstances"]["attempts"] for p in entries()]
    assert attempts == [2, 2]


def test_a_pack_whose_snakemake_is_killed_ends_its_steps(jobs: Jobs) -> None:
    pack, _ = packed(jobs("ab", step=SAVING_STEP))
    process = snakemake(pack)
    pids = started(process, 2)
    runners = [psutil.Process(pid).parents()[0].pid for pid in pids]
    packs = psutil.Process(runners[0]).parents()[0].pid
    process.kill()
    process.wait()
    assert wait_until(lambda: gone(*pids, *runners, packs))
    process.communicate(timeout=PATIENCE_S)
    assert not Path(TABLE).exists()
    assert work() == ["half", "half"]


def test_a_pack_whose_snakemake_is_killed_before_it_trains(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up("from pathlib import Path\nPath('ran').touch()\n")
    os.mkfifo("pipe")
    pack, _ = packed({"a": runner("made_up", inputs={"a": ["pipe"]}, outputs=["results/a/x"])})
    process = snakemake(pack)
    # The pack hashes its member's input; it has the pipe open, or this would wait.
    with Path("pipe").open("wb"):
        process.kill()
        process.wait()
    assert "failed: the snakemake that started this job is gone" in killed(process)
    assert ran() == []
    assert not Path(TABLE).exists()


def test_a_pack_that_is_killed_leaves_no_step(jobs: Jobs) -> None:
    pack, _ = packed(jobs("ab", step=SAVING_STEP))
    process = subprocess.Popen(pack, stderr=subprocess.PIPE, text=True)
    pids = started(process, 2)
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    assert wait_until(lambda: gone(*pids))
    assert wait_until(lambda: work() == ["half", "half"]), work()


def test_what_another_job_works_on_is_waited_for(jobs: Jobs) -> None:
    alone = jobs("ab", others="ab")
    pack, _ = packed(alone)
    # Until it is waited for, however late that begins.
    Path("held").touch()
    other = subprocess.Popen(alone["a"], stderr=subprocess.PIPE, text=True)
    assert wait_until(Path("ran").exists)
    said = Path("said")
    with said.open("w") as handle:
        waiting = subprocess.Popen(pack, stderr=handle)
    wait_until(lambda: "waiting: another job (process " in said.read_text())
    Path("held").unlink()
    assert waiting.wait(timeout=PATIENCE_S) == 0, said.read_text()
    _, errors = other.communicate(timeout=PATIENCE_S)
    assert other.returncode == 0, errors
    assert ran() == ["a", "b"]
    assert states() == {"a": "stored", "b": "stored"}
    assert "waiting: another job (process " in said.read_text()


def test_each_has_a_gpu_of_its_own(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    on_gpu = {name: {"compute": {"device": "cuda", "threads": 1}} for name in "abc"}
    pack, _ = packed(jobs("abc", settings=on_gpu))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    refused = run(pack)
    assert refused.returncode == 1
    assert "3 trainings are to run at once" in refused.stderr
    assert "has 2; set finetune.pack" in refused.stderr
    assert ran() == []
    assert not Path(TABLE).exists()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6,7,8")
    assert run(pack).returncode == 0
    given = {Path(row["log"]).read_text().split("\n")[0] for row in table().values()}
    assert given == {"device 4 of a", "device 6 of b", "device 7 of c"}


def test_members_that_are_not_what_was_submitted_fail(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack, behind = packed(jobs("ab"))
    values = describe(settings={}, sources=[])
    monkeypatch.setenv("MIMIC_SUBMISSION", str(place_of(values, Path("results"))))
    write(place_of(values, Path("results")), values)
    module = Path("package/mimic/made_up.py")
    module.write_text(module.read_text() + "EDITED = True\n")
    assert run(pack).returncode == 0
    assert states() == {"a": "failed", "b": "failed"}
    assert "mimic.made_up changed since the work was submitted" in table()["a"]["said"]
    assert ran() == []
    failed = run(behind["a"])
    assert failed.returncode == 1
    assert "mimic.made_up changed since the work was submitted" in failed.stderr
    assert entries() == []


def test_a_table_that_knows_nothing_of_a_run_is_said(jobs: Jobs) -> None:
    pack, behind = packed(jobs("ab"))
    assert run(pack).returncode == 0
    for entry in entries():
        entry.rename(f"{entry}-gone")
    failed = run(behind["a"])
    assert failed.returncode == 1
    assert f"{TABLE} doesn't say what became of" in failed.stderr


def test_an_interrupt_in_a_terminal_reaches_each_step_once(jobs: Jobs) -> None:
    pack, _ = packed(jobs("ab", step=SAVING_STEP))
    process = subprocess.Popen(pack, stderr=subprocess.PIPE, text=True, start_new_session=True)
    pids = started(process, 2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + signal.SIGINT, errors
    assert gone(*pids)
    # A second signal would have found the folder there, and left a traceback.
    assert work() == ["half", "half"]
    assert "FileExistsError" not in Path(TABLE).with_name("a.log").read_text()
