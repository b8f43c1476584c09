"""The outermost process of a pack: several trainings at once, each into the store.

``python -m mimic.provenance.pack --name … --spec … --files … --log …`` starts a runner for each
training that the store lacks, on a GPU of its own, and writes the table of what became of them.
Runners lock, check, work and record as they do alone. One that fails doesn't disturb the others,
and isn't the pack's failure: the job of its own run fails.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mimic.files import canonical_json
from mimic.provenance.call import Call, parse_call, show
from mimic.provenance.pack_table import Row, State, write_table
from mimic.provenance.process import Starters, pass_on_signals
from mimic.provenance.records import gpus
from mimic.provenance.store import Store, identity_of, the_store

DEVICES = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Member:
    """One training of a pack.

    Attributes
    ----------
    call
        What its runner is asked for.
    arguments
        The runner's command line; but for leaving the outputs in the store, that of the run's job.
    identity
        By which the store may have it.
    """

    call: Call
    arguments: list[str]
    identity: str

    @classmethod
    def of(cls, *, name: str, spec: Any, files: Any, log: str) -> Member:
        """The member whose job has these params."""
        arguments = ["--name", name, "--spec", canonical_json(spec)]
        arguments += ["--files", canonical_json(files), "--log", log, "--store-only"]
        call = parse_call(arguments)
        identity = identity_of(spec=call.spec, inputs=call.started_from)
        return cls(call, arguments, identity)

    def row(self, state: State, seconds: float, said: str) -> Row:
        """Its row of the table."""
        log = self.call.log.as_posix()
        return Row(self.call.run or "", self.identity, state, round(seconds), log, said)


@dataclass
class Runners:
    """The runners of a pack's members.

    Attributes
    ----------
    told
        Called with each line that a runner tells.
    stopped_by
        The signal that told the pack to stop; None if none did.
    """

    told: Callable[[str], None]
    stopped_by: int | None = None
    _running: list[subprocess.Popen[str]] = field(default_factory=list)

    def work(self, member: Member, device: str | None) -> Row:
        """Run a member to its end."""
        # What a former attempt said would pass for what this one says.
        member.call.log.unlink(missing_ok=True)
        started = time.monotonic()
        process = self._start(member, device)
        said = ""
        assert process.stderr is not None  # it was asked for
        with process:
            for line in process.stderr:
                self.told(line)
                said = line.rstrip().removeprefix(f"[{member.call.name}] ")
        state: State = "stored" if process.returncode == 0 else "failed"
        return member.row(state, time.monotonic() - started, said)

    def pass_on(self, number: int) -> None:
        """Pass a signal on to all runners, which pass it on to their steps."""
        self.stopped_by = number
        for process in self._running:
            process.send_signal(number)

    def _start(self, member: Member, device: str | None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "mimic.provenance.runner", *member.arguments],
            env=os.environ | ({} if device is None else {DEVICES: device}),
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # A terminal's interrupt comes by way of the pack alone.
            start_new_session=True,
        )
        self._running.append(process)
        if self.stopped_by is not None:
            process.send_signal(self.stopped_by)
        return process


def main(argv: list[str] | None = None) -> int:
    """Run a pack.

    Returns
    -------
    int
        The exit status: 0 if it worked, whatever became of its members; 128 and the signal's number
        if it was told to stop before all were there, which leaves no table.
    """
    works_for = Starters.of_this_process()
    arguments = _parser().parse_args(argv)
    with _telling(arguments.log) as tell:
        try:
            return _run(arguments, the_store(), tell, works_for)
        except (OSError, ValueError) as error:
            tell(f"[{arguments.name}] failed: {error}\n")
            return 1


def _run(
    arguments: argparse.Namespace, store: Store, tell: Callable[[str], None], works_for: Starters
) -> int:
    specs, files = json.loads(arguments.spec), json.loads(arguments.files)
    members = [
        Member.of(name=job["name"], spec=specs[run], files=job["files"], log=job["log"])
        for run, job in files["members"].items()
    ]
    missing = [member for member in members if not store.has(member.identity)]
    devices = slots(missing)
    hits, works = len(members) - len(missing), len(missing)
    tell(f"[{arguments.name}] {works} of {works + hits} to train, {hits} in the store\n")
    runners, ended = Runners(tell), threading.Event()
    pass_on_signals(runners.pass_on)
    works_for.check()
    watch = threading.Thread(target=_watch, args=(works_for, runners, ended), daemon=True)
    watch.start()
    with ThreadPoolExecutor(max_workers=max(1, works)) as threads:
        worked = dict(
            zip(
                [member.call.run for member in missing],
                threads.map(runners.work, missing, devices),
                strict=True,
            )
        )
    ended.set()
    rows = [worked.get(m.call.run) or m.row("hit", 0, "was made before") for m in members]
    tell("".join(f"[{arguments.name}] {row.run}: {row.state}, {row.seconds} s\n" for row in rows))
    if any(row.state == "failed" for row in rows):
        if runners.stopped_by is not None:
            tell(f"[{arguments.name}] told to stop; the next attempt goes on\n")
            return 128 + runners.stopped_by
        if not works_for.live():
            return 128 + signal.SIGTERM
    write_table(Path(files["table"]), rows)
    return 0


def _watch(works_for: Starters, runners: Runners, ended: threading.Event) -> None:
    """Stop the runners when the snakemake is gone: one that starts just then can't know of it."""
    if works_for.gone_before(ended):
        runners.pass_on(signal.SIGTERM)


def slots(members: Sequence[Member]) -> list[str | None]:
    """The GPU of each member, of those that the job may use; None on the CPU.

    Raises
    ------
    ValueError
        If there are fewer GPUs than members.
    """
    on_gpu = [m.call.spec["settings"].get("compute", {}).get("device") == "cuda" for m in members]
    if not any(on_gpu):
        return [None] * len(members)
    visible = os.environ.get(DEVICES)
    found = [str(number) for number in range(len(gpus()))]
    if visible is not None:
        found = [device.strip() for device in visible.split(",") if device.strip()]
    if len(found) < len(members):
        raise ValueError(
            f"{len(members)} trainings are to run at once, each on a GPU of its own, but this job "
            f"has {len(found)}; set finetune.pack to the number of GPUs of a node, and let the job "
            "have a whole node"
        )
    return list(found[: len(members)])


@contextmanager
def _telling(log: Path) -> Iterator[Callable[[str], None]]:
    """Shows text in the terminal of whoever started the pack, and keeps it in the pack's log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    one_at_a_time = threading.Lock()
    with log.open("w", encoding="utf-8") as handle:

        def tell(text: str) -> None:
            with one_at_a_time:
                show(text)
                handle.write(text)
                handle.flush()

        yield tell


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mimic-pack")
    parser.add_argument("--name", required=True, help="what the pack is called in messages")
    parser.add_argument("--spec", required=True, help="canonical JSON: the spec of each run")
    parser.add_argument("--files", required=True, help="canonical JSON: table, and jobs by run")
    parser.add_argument("--log", required=True, type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
