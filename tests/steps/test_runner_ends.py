"""The runner when it is told to stop, or is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from runner_jobs import (
    LONG_STEP,
    PATIENCE_S,
    Runner,
    entries,
    gone,
    identity_in,
    killed,
    run,
    snakemake,
    step_processes,
    wait_until,
    work,
)

from mimic.provenance.store import Store


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_step(
    runner: Runner, made_up: Callable[..., None], number: signal.Signals
) -> None:
    made_up(LONG_STEP)
    command = runner("made_up", outputs=["results/x"])
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    pids = step_processes(process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode not in (0, None)
    assert "failed with exit status" in errors
    assert wait_until(lambda: gone(*pids))
    assert entries() == []
    assert work() == []
    assert not Path("results/x").exists()


@pytest.mark.parametrize("words", ["", "set batch_size to 1"])
def test_a_step_that_is_killed_may_have_run_out_of_memory(
    runner: Runner, made_up: Callable[..., None], words: str
) -> None:
    made_up(
        "import os, signal\n"
        "from mimic.progress import say_if_killed\n"
        f"if {words!r}:\n"
        f"    say_if_killed({words!r})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = run(runner("made_up", outputs=["results/x"]))
    assert done.returncode == 137
    said = "killed (SIGKILL), perhaps because the host's memory was full"
    assert f"{said}: {words}\n" in done.stderr if words else f"{said}\n" in done.stderr
    assert "failed with exit status 137" in done.stderr


def test_last_words_of_a_step_that_goes_on_are_not_shown(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up("from mimic.progress import say_if_killed\nsay_if_killed('set it to 1')\nexit(3)\n")
    done = run(runner("made_up", outputs=["results/x"]))
    assert done.returncode == 3
    assert "set it to 1" not in done.stderr


@pytest.mark.parametrize("waited_for", [True, False])
def test_a_starter_that_is_killed_ends_the_step(
    runner: Runner, made_up: Callable[..., None], waited_for: bool
) -> None:
    made_up(LONG_STEP)
    process = snakemake(runner("made_up", outputs=["results/x"]))
    pids = step_processes(process)
    (runner_pid,) = psutil.Process(pids[0]).parents()[:1]
    process.kill()
    if waited_for:
        process.wait()
    assert wait_until(lambda: gone(*pids))
    assert wait_until(lambda: gone(runner_pid.pid))
    process.communicate(timeout=PATIENCE_S)
    assert entries() == []
    assert not Path("results/x").exists()
    # The next one finds no lock in its way.
    assert not [name for name in work() if name.endswith(".lock")]


def test_a_starter_that_is_killed_before_the_step_started(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up("from pathlib import Path\nPath('ran').touch()\n")
    os.mkfifo("pipe")
    process = snakemake(runner("made_up", inputs={"a": ["pipe"]}, outputs=["results/x"]))
    # The runner hashes its input; it has the pipe open, or this would wait.
    with Path("pipe").open("wb"):
        process.kill()
        process.wait()
    assert "failed: the snakemake that started this job is gone" in killed(process)
    assert not Path("ran").exists()


def test_a_starter_that_is_killed_while_the_runner_waits(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up("from pathlib import Path\nPath('ran').touch()\n")
    command = runner("made_up", outputs=["results/x"])
    with Store(Path("store")).lock(identity_in(command)):
        process = snakemake(command)
        assert process.stderr is not None
        assert "waiting: another job" in process.stderr.readline()
        # It ends while the other job still works.
        assert "failed: the snakemake that started this job is gone" in killed(process)
    assert not Path("ran").exists()


# Ends its snakemake, and itself before anybody can have seen that.
LAST_ACT_STEP = """\
import signal
import psutil
from mimic.step import run_step

def main(job):
    (job.out / "x").write_text("x")
    # Which might come just before the end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (starter,) = [p for p in psutil.Process().parents() if "snakemake" in p.cmdline()[:3]]
    starter.kill()

run_step(main)
"""


def test_a_starter_that_is_killed_when_the_step_has_ended(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up(LAST_ACT_STEP)
    process = snakemake(runner("made_up", outputs=["results/x"]))
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert "failed: the snakemake that started this job is gone" in errors
    # What was made is kept; the results may be another snakemake's by now.
    (entry,) = entries()
    assert (entry / "x").read_text() == "x"
    assert not Path("results/x").exists()
    assert not Path("results/.identities").exists()


# Told to stop within the moment in which its step starts.
TOLD_EARLY = """\
import os, signal, subprocess, sys
from pathlib import Path
from mimic.provenance import process

class Popen(subprocess.Popen):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        print(self.pid, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

works_for = process.Starters.of_this_process()
process.subprocess.Popen = Popen
command = [sys.executable, "-c", "import time; time.sleep(120)"]
options = {"threads": 1, "log": Path("log"), "tell": print, "works_for": works_for}
options["is_lost"] = lambda: False
sys.exit(process.run_in_group(command, **options))
"""


def test_a_signal_while_the_step_starts_reaches_it(runner: Runner) -> None:
    done = run([sys.executable, "-c", TOLD_EARLY])
    assert gone(int(done.stdout)), "the step goes on without a runner"
    assert done.returncode == 128 + signal.SIGTERM, done.stderr


SLOWLY_SAVING_STEP = """\
import os, signal, sys, time
from mimic.progress import say
from mimic.step import run_step

def main(job):
    received = []
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda number, _: received.append(number))
    say(f"processes {os.getpid()}")
    while not received:
        time.sleep(0.1)
    say("was told")
    end = time.monotonic() + 13
    while time.monotonic() < end:
        time.sleep(0.1)
    job.unfinished.mkdir()
    (job.unfinished / "told").write_text(repr(received))
    sys.exit(75)

run_step(main)
"""


@pytest.mark.slow
@pytest.mark.parametrize("told", [True, False])
def test_a_step_may_save_for_long_when_its_snakemake_is_gone(
    runner: Runner, made_up: Callable[..., None], told: bool
) -> None:
    made_up(SLOWLY_SAVING_STEP)
    process = snakemake(runner("made_up", outputs=["results/x"]))
    (pid,) = step_processes(process)
    if told:
        # As before a walltime's end: the same signal ends the snakemake and reaches the runner.
        (of_runner,) = psutil.Process(pid).parents()[:1]
        of_runner.send_signal(signal.SIGUSR1)
        # Which that one has passed on when it sees that its snakemake is gone.
        assert process.stderr is not None
        assert "was told" in process.stderr.readline()
    assert "failed with exit status 75" in killed(process)
    (saved,) = Path("store/work").glob("*/unfinished/told")
    assert saved.read_text() == f"[{int(signal.SIGUSR1 if told else signal.SIGTERM)}]"


def test_a_step_that_is_killed_ends_what_it_started(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up(LONG_STEP)
    command = runner("made_up", outputs=["results/x"])
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    pids = step_processes(process)
    # As if out of memory; its child holds the output open.
    os.kill(pids[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + signal.SIGKILL
    assert "failed with exit status 137" in errors
    assert wait_until(lambda: gone(*pids))
