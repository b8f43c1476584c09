"""A step in several processes: they find each other, are told, fail and end together."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from runner_jobs import PATIENCE_S, Runner, entries, gone, run, wait_until

from mimic.files import read_json

# What all of a job's processes do first; the first one writes what the job is to leave.
MEETING_STEP = """\
import os
import torch.distributed as dist
from mimic.progress import say
from mimic.step import run_step

def main(job):
    dist.init_process_group("gloo")
    found = [None] * dist.get_world_size()
    mine = {"pid": os.getpid(), "group": os.getpgrp(), "port": os.environ["MASTER_PORT"],
            "threads": os.environ["OMP_NUM_THREADS"]}
    dist.all_gather_object(found, mine)
    say(f"process {dist.get_rank()} is here")
    if dist.get_rank() == 0:
        import json
        (job.out / "found.json").write_text(json.dumps(found))
    dist.destroy_process_group()

run_step(main)
"""

# Works until it is told to stop; then the first process takes its time to save.
TOLD_STEP = """\
import os, signal, sys, time
from mimic.progress import say
from mimic.step import run_step

def main(job):
    told = []
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda received, _frame: told.append(received))
    print("error: ready " + os.environ["RANK"], flush=True)
    while not told:
        time.sleep(0.1)
    if os.environ["RANK"] == "0":
        time.sleep(8)
    job.unfinished.mkdir(exist_ok=True)
    (job.unfinished / os.environ["RANK"]).write_text(str(told[0]))
    sys.exit(75)

run_step(main)
"""

# The second process fails while the first waits for it, which no signal but one ends; what the
# second one started has its output open. It fails when the first is at work, however late that is.
FAILING_STEP = """\
import os, signal, subprocess, sys, time
from pathlib import Path
from mimic.step import run_step

def main(job):
    signal.signal(signal.SIGTERM, lambda *_: None)
    print(f"error: process {os.getpid()}", flush=True)
    if os.environ["RANK"] == "1":
        while not Path("begun").exists():
            time.sleep(0.1)
        subprocess.Popen(["sleep", "900"])
        raise ValueError("essays.csv, row 3: no text; remove the row")
    Path("begun").touch()
    time.sleep(900)

run_step(main)
"""

# Where one fails long before the other, that one is ended before its words.
EQUALLY_FAILING_STEP = """\
import os, time
from pathlib import Path
from mimic.step import run_step

def main(job):
    print("a line for the log")
    Path("begun-" + os.environ["RANK"]).touch()
    while not all(Path(f"begun-{rank}").exists() for rank in "01"):
        time.sleep(0.1)
    raise ValueError("max_length is 3, but the longest prompt has 40 tokens")

run_step(main)
"""


@pytest.fixture
def on_two(runner: Runner, project: Path) -> Runner:
    """The command line of a job on two devices."""

    def command(outputs: list[str], **settings: Any) -> list[str]:
        return runner(
            "made_up",
            outputs=outputs,
            settings={"launch": {"config": "ddp", "devices": 2}, **settings},
            inputs={"accelerate": [str(project / "config/accelerate/ddp.yaml")]},
        )

    return command


def begin(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def told_lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stderr is not None
    return [process.stderr.readline() for _ in range(count)]


@pytest.mark.slow
def test_processes_of_one_group_meet_beside_another_job(on_two: Runner, made_up: Any) -> None:
    made_up(MEETING_STEP)
    commands = [
        on_two([f"results/{name}/found.json"], name=name, compute={"threads": 3}) for name in "ab"
    ]
    jobs = [begin(command) for command in commands]
    said = [job.communicate(timeout=PATIENCE_S)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], said
    found = [read_json(Path(f"results/{name}/found.json")) for name in "ab"]
    for two in found:
        assert len({one["pid"] for one in two}) == 2
        assert len({one["group"] for one in two}) == 1
        assert {one["threads"] for one in two} == {"3"}
    assert found[0][0]["port"] != found[1][0]["port"]
    assert all("process 0 is here" in words and "process 1" not in words for words in said)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGUSR1, marks=pytest.mark.slow)]
)
def test_a_signal_reaches_each_process_and_each_may_save(
    on_two: Runner, made_up: Any, number: signal.Signals
) -> None:
    made_up(TOLD_STEP)
    job = begin(on_two(["results/x"]))
    assert sorted(line.split()[-1] for line in told_lines(job, 2)) == ["0", "1"]
    job.send_signal(number)
    _, words = job.communicate(timeout=PATIENCE_S)
    assert job.returncode == 75, words
    assert "failed with exit status 75" in words
    (unfinished,) = Path("store/work").glob("*/unfinished")
    assert {p.name: p.read_text() for p in unfinished.iterdir()} == dict.fromkeys(
        "01", str(int(number))
    )


def test_where_one_process_fails_the_job_ends_with_its_words(on_two: Runner, made_up: Any) -> None:
    made_up(FAILING_STEP)
    start = time.monotonic()
    job = begin(on_two(["results/x"]))
    _, words = job.communicate(timeout=700)
    assert time.monotonic() - start < 600
    assert job.returncode == 1
    assert "] error: essays.csv, row 3: no text; remove the row\n" in words
    assert "process 2 of 2 failed with exit status 1" in words
    pids = [int(line.split()[-1]) for line in words.splitlines() if "error: process " in line]
    assert len(pids) == 2
    assert gone(*pids)
    assert entries() == []


def test_words_that_all_say_come_once(on_two: Runner, made_up: Any) -> None:
    made_up(EQUALLY_FAILING_STEP)
    done = run(on_two(["results/x"]))
    assert done.returncode == 1
    assert done.stderr.count("max_length is 3, but the longest prompt has 40 tokens") == 1
    log = Path("results/logs/test.log").read_text()
    assert "\na line for the log" in f"\n{log}"
    assert "[1] a line for the log" in log


@pytest.mark.parametrize("whom", ["runner", "launcher"])
def test_nothing_outlives_a_launcher_or_a_runner_that_is_killed(
    on_two: Runner, made_up: Any, whom: str
) -> None:
    made_up(TOLD_STEP)
    job = begin(on_two(["results/x"]))
    told_lines(job, 2)
    (launcher,) = psutil.Process(job.pid).children()
    pids = [child.pid for child in launcher.children()]
    assert len(pids) == 2
    os.kill(job.pid if whom == "runner" else launcher.pid, signal.SIGKILL)
    job.communicate(timeout=PATIENCE_S)
    assert job.returncode != 0
    assert wait_until(lambda: gone(launcher.pid, *pids))
    assert not Path("results/x").exists()
