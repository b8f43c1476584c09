"""A step in several processes, one for each device.

``python -m mimic.provenance.launch --processes N --config FILE MODULE JOB`` is what ``accelerate
launch`` is on one machine, but for signals, groups and exit statuses (docs/decisions/0017). The
file of ``config/accelerate`` says how the processes share a model; those that share none name none.

On several nodes `mimic.cluster.training` calls it once on each, for the processes of that node.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from mimic.progress import PROGRESS_MARK
from mimic.provenance.bound import bound
from mimic.provenance.scratch import scratch_folder

# What one process says when another one failed may be worth more than an hour of its waiting.
FAILURE_GRACE_S = 5.0
LAST_WORDS_S = 5.0
POLL_S = 0.1
# The status of a step that was told to stop and saved; the others may still be saving.
UNFINISHED = 75


def main(argv: Sequence[str] | None = None) -> int:
    """Start the processes and wait for them; the exit status is 0, or that of the first to fail."""
    parser = argparse.ArgumentParser(prog="mimic-launch")
    parser.add_argument("--config", help="a file of config/accelerate")
    parser.add_argument("--processes", required=True, type=int, help="of all nodes together")
    parser.add_argument("--nodes", default=1, type=int)
    parser.add_argument("--node", default=0, type=int, help="number of this one, from 0")
    parser.add_argument("--meeting", help="HOST:PORT where the processes of all nodes meet")
    parser.add_argument("module", help="the step's module")
    parser.add_argument("job", help="its job file")
    arguments = parser.parse_args(argv)
    command = [sys.executable, "-m", arguments.module, arguments.job]
    shared = dict(os.environ)
    if arguments.config:
        shared = accelerate_environment(arguments.config, processes=arguments.processes)
    here = arguments.processes // arguments.nodes
    ranks = range(arguments.node * here, (arguments.node + 1) * here)
    with ExitStack() as held:
        if arguments.meeting:
            meeting = arguments.meeting
            # What the runner made is on the first node.
            shared |= held.enter_context(scratch_folder())
        else:
            meeting = held.enter_context(meeting_place())
        started = [
            _start(
                command,
                {**shared, **rank_environment(rank, ranks, arguments.processes, meeting=meeting)},
            )
            for rank in ranks
        ]
        # The runner signals the whole group: from here on these are for the processes, which save
        # and end. Until then they end this one, too. As a step of Slurm's this process may be the
        # only one that is told (with control groups it is).
        hand_on = _once_to(started if arguments.meeting else [])
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
            signal.signal(number, hand_on)
        words: set[str] = set()
        relays = [
            threading.Thread(target=_relay, args=(process, rank, words), daemon=True)
            for rank, process in zip(ranks, started, strict=True)
        ]
        for relay in relays:
            relay.start()
        status = _wait(started, ranks, arguments.processes)
        for relay in relays:
            # What a process started may hold its output open for ever; the runner ends it.
            relay.join(LAST_WORDS_S)
    return status


def accelerate_environment(config: str, *, processes: int) -> dict[str, str]:
    """The environment of this process, and what accelerate adds for one of its files."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils import prepare_multi_gpu_env

    options = ["--config_file", config, "--num_processes", str(processes), "-m", "mimic"]
    arguments, *_ = _validate_launch_command(launch_command_parser().parse_args(options))
    return dict(prepare_multi_gpu_env(arguments))


def rank_environment(rank: int, here: range, processes: int, *, meeting: str) -> dict[str, str]:
    """What tells a process which one it is, of all and of those `here`, and where all meet."""
    host, _, port = meeting.rpartition(":")
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank - here.start),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(len(here)),
        "MASTER_ADDR": host,
        "MASTER_PORT": port,
        # The first process would open the port itself otherwise.
        "TORCHELASTIC_USE_AGENT_STORE": str(True),
    }


@contextmanager
def meeting_place(host: str = "127.0.0.1") -> Iterator[str]:
    """Hold a free port of an interface, open, where the processes find each other: HOST:PORT."""
    from torch.distributed import TCPStore

    with socket.create_server((host, 0)) as listening:
        port = int(listening.getsockname()[1])
        store = TCPStore(
            host,
            port,
            is_master=True,
            wait_for_workers=False,
            master_listen_fd=os.dup(listening.fileno()),
        )
        yield f"{host}:{port}"
        del store


def _once_to(started: list[subprocess.Popen[str]]) -> Callable[[int, object], None]:
    """Sends processes each signal that comes, once."""
    handed_on: set[int] = set()

    def hand_on(number: int, _frame: object) -> None:
        if number not in handed_on:
            handed_on.add(number)
            for process in started:
                process.send_signal(number)

    return hand_on


def _start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        bound(command),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _relay(process: subprocess.Popen[str], rank: int, words: set[str]) -> None:
    """Pass on what a process says: progress is the first one's, equal errors come once."""
    assert process.stdout is not None  # it was asked for
    # Closed when nobody listens any more, so that the process ends at its next words.
    with process.stdout as said:
        for line in said:
            if line.startswith("error: "):
                if line in words:
                    continue
                words.add(line)
            elif rank > 0:
                line = f"[{rank}] {line.removeprefix(PROGRESS_MARK)}"
            sys.stdout.write(line)
            sys.stdout.flush()


def _wait(started: list[subprocess.Popen[str]], ranks: range, processes: int) -> int:
    """Wait for all processes; where one fails, the others, which wait for it, are ended."""
    failed: tuple[int, int] | None = None
    deadline = float("inf")
    while None in [process.poll() for process in started]:
        if failed is None:
            failed = _first_failed(started)
            if failed is not None:
                deadline = time.monotonic() + FAILURE_GRACE_S
        if time.monotonic() > deadline:
            for process in started:
                process.kill()
        time.sleep(POLL_S)
    failed = failed or _first_failed(started)
    if failed is None:
        return max(process.returncode for process in started)
    place, status = failed
    which = f"process {ranks[place] + 1} of {processes}"
    print(f"{PROGRESS_MARK}{which} failed with exit status {status}", flush=True)
    return status


def _first_failed(started: list[subprocess.Popen[str]]) -> tuple[int, int] | None:
    """Place and exit status of a process that failed; None if there is none yet."""
    for place, process in enumerate(started):
        status = process.returncode
        if status not in (None, 0, UNFINISHED):
            return place, status if status > 0 else 128 - status
    return None


if __name__ == "__main__":
    sys.exit(main())
