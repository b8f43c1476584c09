"""A step's process: its environment, its group, its signals, and whoever started the runner."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from mimic.progress import IF_KILLED_MARK, PROGRESS_MARK
from mimic.provenance.bound import bound

# Set before the step's Python starts. The allocator settings keep freed memory for the next
# training step instead of returning it to the system (design: an SFT step from 6.2 to 4.1 s).
STEP_ENVIRONMENT = {
    "OMP_WAIT_POLICY": "passive",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "68719476736",
    "MALLOC_TOP_PAD_": "67108864",
    "PYTHONHASHSEED": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
}
PARENT_CHECK_S = 1.0
# An optimizer step and a large checkpoint may take minutes. Whoever has the work done again waits
# for the lock meanwhile.
SAVE_GRACE_S = 600.0
# The exit status of what a signal ended that nothing can catch. Linux sends it where memory is out.
KILLED = 128 + signal.SIGKILL


def run_in_group(
    command: list[str],
    *,
    threads: int,
    log: Path,
    tell: Callable[[str], None],
    works_for: Starters,
    is_lost: Callable[[], bool],
    variables: Mapping[str, str] | None = None,
) -> int:
    """Run a step in a process group of its own, tell its progress, log the rest.

    SIGTERM, SIGUSR1 (a walltime about to end) and SIGHUP are passed on to the group, each once, so
    that the step can save what it has; an interrupt is passed on as SIGTERM.

    Parameters
    ----------
    command
        What to start.
    threads
        Of numerical libraries.
    log
        Where its output goes.
    tell
        Called with each line of its progress and each error.
    works_for
        When one of them is gone the step isn't started, or is ended.
    is_lost
        Whether another process does the step's work by now: the step is killed then.
    variables
        Of its environment, besides those that every step has.

    Returns
    -------
    int
        Its exit status; 128 and the signal's number if a signal ended it.

    Raises
    ------
    ValueError
        If the step wasn't started since one of `works_for` is gone.
    """
    environment = {
        **os.environ,
        **STEP_ENVIRONMENT,
        **(variables or {}),
        "OMP_NUM_THREADS": str(threads),
        "PYTHONUNBUFFERED": "1",
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    works_for.check()
    group, ended = _Group(), threading.Event()
    # Before it starts: a signal in between would end the runner alone.
    pass_on_signals(group.tell)
    process = subprocess.Popen(
        bound(command),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    group.begin(process.pid)
    watch = threading.Thread(target=_watch, args=(works_for, is_lost, group, ended), daemon=True)
    watch.start()
    end = threading.Thread(target=_end_with, args=(process, group), daemon=True)
    end.start()
    last_words = ""
    assert process.stdout is not None  # it was asked for
    try:
        with log.open("w", encoding="utf-8") as handle:
            for line in process.stdout:
                handle.write(line)
                handle.flush()
                if line.startswith((PROGRESS_MARK, "error: ")):
                    tell(line.removeprefix(PROGRESS_MARK).rstrip())
                elif line.startswith(IF_KILLED_MARK):
                    last_words = f": {line.removeprefix(IF_KILLED_MARK).rstrip()}"
    except BaseException:
        # A full disk: no step goes on without its runner.
        group.send(signal.SIGKILL)
        raise
    finally:
        end.join()
        ended.set()
        watch.join()
        group.end()
        status = process.wait()
    status = status if status >= 0 else 128 - status
    if status == KILLED and not group.told:
        tell(f"killed (SIGKILL), perhaps because the host's memory was full{last_words}")
    return status


def pass_on_signals(to: Callable[[int], None]) -> None:
    """Call `to` with the signals that tell a job to stop, instead of being ended by them."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            # Under nohup: the terminal may go, the work goes on.
            continue
        signal.signal(number, lambda received, _frame: to(received))


class _Group:
    """A step's process group, and the signals that it was told to stop by.

    What it is told before it is there, it is told then; once it is gone, its number may be another
    group's.
    """

    def __init__(self) -> None:
        self.told: list[int] = []
        self._leader: int | None = None

    def begin(self, leader: int) -> None:
        """Its first process has started."""
        self._leader = leader
        for number in self.told:
            self.send(number)

    def end(self) -> None:
        """All of it is gone."""
        self._leader = None

    def tell(self, number: int) -> None:
        """Tell it to stop, by each signal once: the second might end one that saves."""
        # One whose shell runs in the background would ignore an interrupt.
        number = signal.SIGTERM if number == signal.SIGINT else number
        if number not in self.told:
            self.told.append(number)
            self.send(number)

    def send(self, number: int) -> None:
        """Send it a signal."""
        if self._leader is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._leader, number)


def _end_with(process: subprocess.Popen[str], group: _Group) -> None:
    """End whatever a step started when it ends itself.

    Not behind the last line that is read: what it started may hold its output open for ever. The
    step isn't collected here, so that its number is no other group's.
    """
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    group.send(signal.SIGKILL)


def _watch(
    works_for: Starters, is_lost: Callable[[], bool], group: _Group, ended: threading.Event
) -> None:
    """Tell a step to stop when one of those that started the runner is gone, or kill a lost one.

    A signal may have reached them and the runner at once (Slurm's before the walltime's end does):
    then the step knows already, and saves.
    """
    until = math.inf
    while not ended.wait(PARENT_CHECK_S):
        if until == math.inf and not works_for.live():
            until = time.monotonic() + SAVE_GRACE_S
            if not group.told:
                group.tell(signal.SIGTERM)
        # A lost one must not save: it would do so in a folder that is another process's now, and
        # remove what that one saved there.
        if is_lost() or time.monotonic() > until:
            group.tell(signal.SIGKILL)
            return


@dataclass(frozen=True)
class Starters:
    """The processes that one works for: its parent, and all up to the nearest snakemake.

    Between a runner and its snakemake stands a shell, which outlives a snakemake that was killed,
    so that the parent alone tells nothing; in a pack, the pack stands there too. So this is asked
    for first of all: once the snakemake is gone, nothing tells that there was one.
    """

    processes: tuple[psutil.Process, ...]

    @classmethod
    def of_this_process(cls) -> Starters:
        """Those of the process that asks."""
        parents = psutil.Process().parents()
        for place, parent in enumerate(parents):
            try:
                # By the file's name: a project folder may have the word in its own.
                if any(Path(part).name == "snakemake" for part in parent.cmdline()[:3]):
                    return cls(tuple(parents[: place + 1]))
            except psutil.Error:
                continue
        return cls(tuple(parents[:1]))

    def live(self) -> bool:
        """Whether all of them still run."""
        return all(map(_is_alive, self.processes))

    def check(self) -> None:
        """Raise ValueError if one of them is gone."""
        if not self.live():
            raise ValueError("the snakemake that started this job is gone")

    def gone_before(self, ended: threading.Event) -> bool:
        """Wait until one of them is gone, or until the event; whether it is the former."""
        while not ended.wait(PARENT_CHECK_S):
            if not self.live():
                return True
        return False


def _is_alive(process: psutil.Process) -> bool:
    """Whether a process runs; one that ended and that nobody waited for doesn't."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
