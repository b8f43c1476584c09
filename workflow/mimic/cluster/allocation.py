"""The nodes of the Slurm job that this process belongs to, and programs on them.

Each program is a step of the job, on a node of its own, with all that the job has there. A signal
reaches a step by way of Slurm: srun itself kills what it started when it is told to stop.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mimic.cluster import slurm
from mimic.provenance.bound import bound
from mimic.provenance.scratch import VARIABLE

# Lines of a step that are shown when it fails.
TAIL = 20
# What a step that was killed has to end, Slurm's messages between nodes among it.
KILLED_S = 30.0
LAST_WORDS_S = 5.0
# A step that begins isn't known to Slurm at once.
AGAIN_S = 2.0
# No message is sent there: it serves to ask by which address this host goes to another.
ANY_PORT = 9


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node of the allocation; `address` is where the others reach it, as a number."""

    name: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """The job that this process belongs to, on the first of its nodes."""

    job: str
    nodes: tuple[Node, ...]

    @classmethod
    def of_this_job(cls, *, nodes: int) -> Allocation:
        """That of the environment's job, with as many nodes as are needed.

        Slurm is asked for the nodes: Snakemake leaves a job no variable of Slurm's but its number.

        Raises
        ------
        ValueError
            If this is no job of Slurm, or has other nodes.
        """
        job = os.environ.get("SLURM_JOB_ID")
        if job is None:
            raise ValueError(
                f"{nodes} nodes are needed, but this is no job of Slurm (SLURM_JOB_ID isn't set); "
                "start snakemake with the profile of a Slurm machine"
            )
        names = slurm.nodes_of(job)
        if len(names) != nodes:
            raise ValueError(
                f"{nodes} nodes are needed, but job {job} has {len(names)} ({', '.join(names)})"
            )
        return cls(job=job, nodes=_addresses(names))


def _addresses(names: Sequence[str]) -> tuple[Node, ...]:
    """The nodes with their addresses as seen from here, which is the first."""
    found = {}
    for name in names:
        said = slurm.address_of(name)
        try:
            found[name] = socket.gethostbyname(said)
        except OSError as error:
            raise ValueError(f"{said}, the address of node {name}: {error}") from None
    if len(names) > 1:
        # A node's own table of hosts may name it by a loopback address, which no other can reach.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            asked.connect((found[names[1]], ANY_PORT))
            found[names[0]] = asked.getsockname()[0]
    return tuple(Node(name=name, address=address) for name, address in found.items())


class Step:
    """A program on a node.

    Parameters
    ----------
    name
        By which Slurm finds the step; each of a job has its own.
    environment
        What it has besides this process's environment.
    hear
        Called with each line that it says.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str,
        node: Node,
        job: str,
        environment: Mapping[str, str],
        hear: Callable[[str], None],
    ) -> None:
        self.name, self.node, self.job = name, node, job
        self.tail: deque[str] = deque(maxlen=TAIL)
        self._process = subprocess.Popen(
            bound([*_srun(name=name, node=node, job=job), *command]),
            env=_inherited() | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # The runner signals its whole group.
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, args=(hear,), daemon=True)
        self._listener.start()

    @property
    def status(self) -> int | None:
        """Its exit status, 128 and the signal's number if one ended it; None while it runs."""
        status = self._process.poll()
        return status if status is None or status >= 0 else 128 - status

    def send(self, number: int) -> bool:
        """Send all of its processes a signal; whether Slurm knows the step and took it."""
        # It may end just then, or its job, which Slurm tells what it has to.
        with contextlib.suppress(ValueError):
            step = slurm.steps_of(self.job).get(self.name)
            if step is not None:
                slurm.send(number, step)
                return True
        return False

    def end(self, *, grace_s: float) -> None:
        """Tell it to stop, kill it if it doesn't, and hear its last words."""
        if grace_s > 0 and self.status is None:
            self.send(signal.SIGTERM)
            self._wait(grace_s)
        if self.status is None:
            self.send(signal.SIGKILL)
            self._wait(KILLED_S)
        self._process.kill()
        self._process.wait()
        self.finish()

    def finish(self) -> None:
        """Hear the last words of one that has ended."""
        # What it started may hold its output open.
        self._listener.join(LAST_WORDS_S)

    def _wait(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def _listen(self, hear: Callable[[str], None]) -> None:
        assert self._process.stdout is not None  # it was asked for
        for line in self._process.stdout:
            self.tail.append(line.rstrip("\n"))
            hear(line)


def _inherited() -> dict[str, str]:
    """The environment of this process, but for a folder that the runner made on this node."""
    variables = dict(os.environ)
    if VARIABLE in variables:
        variables.pop("TMPDIR", None)
    return variables


def _srun(*, name: str, node: Node, job: str) -> list[str]:
    """What starts one process on a node, with all that the job has there.

    Raises
    ------
    ValueError
        If there is no srun on this node.
    """
    if (srun := shutil.which("srun")) is None:
        raise ValueError(f"there is no srun on PATH ({os.environ.get('PATH')}) of this node")
    return [
        srun,
        f"--jobid={job}",
        f"--job-name={name}",
        *("--nodes=1", "--ntasks=1", f"--nodelist={node.name}"),
        # Alone on its node: with --exact it would have one core.
        *("--cpu-bind=none", "--mpi=none", "--kill-on-bad-exit=1"),
    ]


class Told:
    """The signals that this process was told to stop by, for steps that are to be told, too."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._passed: set[tuple[str, int]] = set()
        self._next_s = 0.0

    def __call__(self, number: int) -> None:
        """Note a signal; an interrupt as SIGTERM, as the runner does."""
        number = signal.SIGTERM if number == signal.SIGINT else number
        if number not in self.numbers:
            self.numbers.append(number)

    def pass_on(self, steps: Sequence[Step]) -> None:
        """Send steps what they weren't sent yet, each once; again later what didn't reach them."""
        owed = [
            (step, number)
            for step in steps
            for number in self.numbers
            if (step.name, number) not in self._passed and step.status is None
        ]
        if not owed or time.monotonic() < self._next_s:
            return
        self._passed |= {(step.name, number) for step, number in owed if step.send(number)}
        self._next_s = time.monotonic() + AGAIN_S
