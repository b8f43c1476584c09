"""A training whose processes are on several nodes of one Slurm job.

``python -m mimic.cluster.training --nodes 2 --processes N --config FILE MODULE JOB`` is started by
the runner on the first node. On each node it has `mimic.provenance.launch` start the processes of
that node, as on one machine; all meet at a port of the first.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

from mimic.cluster.allocation import Allocation, Step, Told
from mimic.provenance.launch import FAILURE_GRACE_S, POLL_S, UNFINISHED, meeting_place
from mimic.provenance.process import pass_on_signals


def main(argv: Sequence[str] | None = None) -> int:
    """Start the processes and wait for them; the exit status is 0, or that of the first to fail."""
    parser = argparse.ArgumentParser(prog="mimic-training")
    parser.add_argument("--nodes", required=True, type=int)
    parser.add_argument("--processes", required=True, type=int, help="of all nodes together")
    parser.add_argument("--config", help="a file of config/accelerate")
    parser.add_argument("module", help="the step's module")
    parser.add_argument("job", help="its job file")
    arguments = parser.parse_args(argv)
    told = Told()
    pass_on_signals(told)
    hear = _relay()
    try:
        allocation = Allocation.of_this_job(nodes=arguments.nodes)
        with meeting_place(allocation.nodes[0].address) as meeting:
            steps = [
                Step(
                    _launch(arguments, number=number, meeting=meeting),
                    name=f"training-{number}",
                    node=node,
                    job=allocation.job,
                    environment={},
                    hear=hear,
                )
                for number, node in enumerate(allocation.nodes)
            ]
            return _wait(steps, told)
    except (OSError, ValueError) as error:
        print(f"error: {error}", flush=True)
        return 1


def _launch(arguments: argparse.Namespace, *, number: int, meeting: str) -> list[str]:
    """What starts the processes of a node there."""
    options = [f"--{name}={getattr(arguments, name)}" for name in ("nodes", "processes")]
    options += [f"--node={number}", f"--meeting={meeting}"]
    options += [f"--config={arguments.config}"] if arguments.config else []
    line = [sys.executable, "-m", "mimic.provenance.launch"]
    return [*line, *options, arguments.module, arguments.job]


def _relay() -> Callable[[str], None]:
    """Passes on what nodes say; an error that several say comes once."""
    words: set[str] = set()

    def hear(line: str) -> None:
        if line.startswith("error: "):
            if line in words:
                return
            words.add(line)
        print(line, end="", flush=True)

    return hear


def _wait(steps: Sequence[Step], told: Told) -> int:
    """Wait for all nodes; where the processes of one fail, those of the others are ended."""
    failed: int | None = None
    deadline = float("inf")
    while any(step.status is None for step in steps):
        told.pass_on(steps)
        if failed is None:
            failed = _failed(steps)
            if failed is not None:
                deadline = time.monotonic() + FAILURE_GRACE_S
        if time.monotonic() > deadline:
            for step in steps:
                step.end(grace_s=0)
        time.sleep(POLL_S)
    for step in steps:
        step.finish()
    failed = failed or _failed(steps)
    return max(step.status or 0 for step in steps) if failed is None else failed


def _failed(steps: Sequence[Step]) -> int | None:
    """The exit status of a node whose processes failed; None if there is none."""
    statuses = (step.status for step in steps)
    return next((s for s in statuses if s not in (None, 0, UNFINISHED)), None)


if __name__ == "__main__":
    sys.exit(main())
