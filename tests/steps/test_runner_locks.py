"""The runner when it isn't alone: locks, takeovers, unfinished work of former attempts."""

import os
import signal
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

from runner_jobs import (
    LONG_STEP,
    PATIENCE_S,
    Runner,
    entries,
    gone,
    run,
    step_processes,
    wait_until,
    work,
)

from mimic.files import read_json


def test_a_runner_that_is_killed_leaves_a_lock_that_the_next_takes_over(
    runner: Runner, made_up: Callable[..., None], tmp_path: Path
) -> None:
    quick = "from mimic.step import run_step\nrun_step(lambda j: (j.out / 'x').touch())\n"
    made_up(
        "from pathlib import Path\nif Path('quick').exists():\n"
        f"{textwrap.indent(quick, '    ')}else:\n{textwrap.indent(LONG_STEP, '    ')}"
    )
    command = runner("made_up", outputs=["results/x"])
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    pids = step_processes(process)
    process.kill()
    process.wait()
    # No step goes on in the folder that the next one is given.
    assert wait_until(lambda: gone(pids[0]))
    os.killpg(pids[0], signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)
    assert any(name.endswith(".lock") for name in work())
    Path("quick").touch()
    done = run(command)
    assert done.returncode == 0, done.stderr
    assert work() == []
    # Nothing that the killed one left is in the entry.
    (entry,) = entries()
    assert sorted(read_json(entry / "manifest.json")) == ["x"]


SLOW_STEP = """\
import time
from pathlib import Path
from mimic.step import run_step

def main(job):
    with Path("ran").open("a") as ran:
        ran.write("once\\n")
    while not Path("waited for").exists():
        time.sleep(0.1)
    (job.out / "x").write_text("x")

run_step(main)
"""

RESUMING_STEP = """\
import sys
from mimic.step import run_step

def main(job):
    if not job.unfinished.exists():
        job.unfinished.mkdir()
        (job.unfinished / "half").write_text("half")
        sys.exit(75)
    (job.out / "x").write_text((job.unfinished / "half").read_text() + ", whole")

run_step(main)
"""


def test_two_jobs_of_one_identity_at_once(runner: Runner, made_up: Callable[..., None]) -> None:
    made_up(SLOW_STEP)
    commands = [runner("made_up", outputs=[f"results/{name}/x"]) for name in "ab"]
    files = [Path(f"said-{name}") for name in "ab"]
    started = []
    for command, file in zip(commands, files, strict=True):
        with file.open("w") as handle:
            started.append(subprocess.Popen(command, stderr=handle))
    # The step goes on when the other one waits for it, however late that began.
    wait_until(lambda: any("waiting: another job" in file.read_text() for file in files))
    Path("waited for").touch()
    for process in started:
        process.wait(timeout=PATIENCE_S)
    said = [file.read_text() for file in files]
    assert [process.returncode for process in started] == [0, 0], said
    assert Path("ran").read_text() == "once\n"
    assert sum("waiting: another job (process " in words for words in said) == 1, said
    assert sum("was made before, linked from the store" in words for words in said) == 1
    assert Path("results/a/x").samefile("results/b/x")


# Writes what its lock says, as if another one had taken its work over meanwhile.
TAKEN_OVER_STEP = """\
import json
from pathlib import Path
from mimic.step import run_step

def main(job):
    (lock,) = Path("store/work").glob("*.lock")
    lock.write_text(json.dumps({"host": "elsewhere", "token": "another"}))
    (job.out / "x").write_text("x")

run_step(main)
"""


def test_who_lost_its_lock_keeps_nothing_and_leaves_the_other_ones_job(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up(TAKEN_OVER_STEP)
    done = run(runner("made_up", outputs=["results/x"]))
    assert done.returncode == 1
    assert "another process took its work over; nothing of it is kept" in done.stderr
    assert entries() == []
    (lock,) = Path("store/work").glob("*.lock")
    assert read_json(lock)["token"] == "another"
    (job,) = Path("store/work").glob("*/job.json")
    assert read_json(job)["name"] == "test made_up"


# Does so too, and would go on for long; what it saves would be in the other one's way.
LOST_STEP = """\
import json, os, signal, sys, time
from pathlib import Path
from mimic.progress import say
from mimic.step import run_step

def save(number, frame):
    Path("saved").touch()
    sys.exit(75)

def main(job):
    signal.signal(signal.SIGTERM, save)
    say(f"processes {os.getpid()}")
    (lock,) = Path("store/work").glob("*.lock")
    lock.write_text(json.dumps({"host": "elsewhere", "token": "another"}))
    time.sleep(120)

run_step(main)
"""
QUICK_BEATS = """\
import sys
from mimic.provenance import lock, runner

lock.BEAT_S = 0.2
sys.exit(runner.main(sys.argv[1:]))
"""


def test_a_step_whose_lock_is_lost_is_killed_at_once(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up(LOST_STEP)
    python, _, _, *options = runner("made_up", outputs=["results/x"])
    process = subprocess.Popen(
        [python, "-c", QUICK_BEATS, *options], stderr=subprocess.PIPE, text=True
    )
    pids = step_processes(process)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "another process took its work over; nothing of it is kept" in errors
    assert "memory" not in errors
    assert gone(*pids)
    assert not Path("saved").exists()
    (lock,) = Path("store/work").glob("*.lock")
    assert read_json(lock)["token"] == "another"


def test_what_is_unfinished_is_given_to_the_next_attempt(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up(RESUMING_STEP)
    command = runner("made_up", outputs=["results/x"])
    first = run(command)
    assert first.returncode == 75
    assert "failed with exit status 75" in first.stderr
    assert entries() == []
    assert work() == ["half"]
    assert run(command).returncode == 0
    assert Path("results/x").read_text() == "half, whole"
    (entry,) = entries()
    assert read_json(entry / "record.json")["circumstances"]["attempts"] == 2
    assert list(Path("store/work").iterdir()) == []
