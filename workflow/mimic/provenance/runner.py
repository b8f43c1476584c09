"""The outermost process of a job: looks into the store, starts the step, seals, records, links.

``python -m mimic.provenance.runner --name … --spec … --files … --log …`` is what every rule calls.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from mimic.files import sha256_file, write_json
from mimic.provenance.fingerprint import forget, step_code
from mimic.provenance.store import Store, identity_of
from mimic.step import PROGRESS_MARK

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
TERMINATE_GRACE_S = 10.0


def main(argv: list[str] | None = None) -> int:
    """Run one job; the exit status is 0, or the step's own."""
    parser = argparse.ArgumentParser(prog="mimic-runner", description=__doc__)
    parser.add_argument("--name", required=True, help="what the job is called in messages")
    parser.add_argument("--spec", required=True, help="canonical JSON, from specs.spec")
    parser.add_argument("--files", required=True, help="canonical JSON, from specs.files")
    parser.add_argument("--log", required=True, type=Path)
    arguments = parser.parse_args(argv)
    try:
        return _run(arguments)
    except (OSError, ValueError) as error:
        _tell(arguments.name, f"failed: {error}")
        return 1


def _run(arguments: argparse.Namespace) -> int:
    spec = json.loads(arguments.spec)
    files = json.loads(arguments.files)
    inputs = {name: [Path(p) for p in paths] for name, paths in files["inputs"].items()}
    outputs = [Path(p) for p in files["outputs"]]

    digests = {name: [sha256_file(p) for p in paths] for name, paths in inputs.items()}
    identity = identity_of(spec=spec, inputs=digests)
    store = Store(Path(os.environ.get("MIMIC_STORE") or "results/.store"))
    hit = store.has(identity)
    if not hit:
        with store.lock(identity):
            hit = store.has(identity)
            if not hit:
                status = _work(arguments, spec, inputs, digests, identity, store, outputs)
                if status != 0:
                    return status
    if hit:
        arguments.log.parent.mkdir(parents=True, exist_ok=True)
        arguments.log.write_text(f"hit: {store.entry(identity)}\n", encoding="utf-8")
        _tell(arguments.name, f"was made before, linked from the store ({identity[:12]})")
    store.link(identity, outputs)
    _note_identity(Path(files["root"]), identity, outputs)
    return 0


def _work(
    arguments: argparse.Namespace,
    spec: dict[str, Any],
    inputs: dict[str, list[Path]],
    digests: dict[str, list[str]],
    identity: str,
    store: Store,
    outputs: list[Path],
) -> int:
    work = store.work(identity)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    job_file = work.with_suffix(".job.json")
    write_json(
        job_file,
        {
            "name": arguments.name,
            "settings": spec["settings"],
            "inputs": {name: [str(p) for p in paths] for name, paths in inputs.items()},
            "out": str(work),
            "answers": str(store.answers),
        },
    )
    check_unchanged(spec, digests)
    started = time.time()
    try:
        status = _run_step(arguments.name, spec, job_file, arguments.log)
    finally:
        job_file.unlink(missing_ok=True)
    if status != 0:
        _tell(arguments.name, f"failed with exit status {status}; its log is {arguments.log}")
        shutil.rmtree(work, ignore_errors=True)
        return status
    undone = [path.name for path in outputs if not (work / path.name).is_file()]
    undone = [name for name in undone if name != "manifest.json"]
    if undone:
        _tell(arguments.name, f"wrote no {', '.join(undone)}")
        return 1
    # An edit while the step ran: what it made may be of either code.
    after = {name: [sha256_file(p) for p in paths] for name, paths in inputs.items()}
    check_unchanged(spec, after)
    if after != digests:
        raise ValueError("an input changed while the step ran; run it again")
    record = {
        "identity": {"spec": spec, "inputs": digests},
        "circumstances": {
            "started": started,
            "ended": time.time(),
            "host": platform.node(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        },
    }
    store.seal(identity, record=record)
    _tell(arguments.name, f"done in {time.time() - started:.0f} s")
    return 0


def check_unchanged(spec: dict[str, Any], digests: dict[str, list[str]]) -> None:
    """Check that the code and the source files are still those of the spec.

    The spec was made when the workflow was read; a job may start much later.

    Raises
    ------
    ValueError
        Naming the modules or source files that differ.
    """
    forget()
    now = step_code(spec["step"])
    code = {name for name in {*now, *spec["code"]} if now.get(name) != spec["code"].get(name)}
    sources = {name for name, found in spec["sources"].items() if digests[name] != found}
    if code or sources:
        raise ValueError(
            f"{', '.join(sorted(code | sources))} changed since the workflow was read; "
            "start snakemake again"
        )


def _run_step(name: str, spec: dict[str, Any], job_file: Path, log: Path) -> int:
    """Start the step in its own process group, show its progress, log the rest."""
    threads = str(spec["settings"].get("compute", {}).get("threads", 1))
    environment = {
        **os.environ,
        **STEP_ENVIRONMENT,
        "OMP_NUM_THREADS": threads,
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", f"mimic.{spec['step']}", str(job_file)]
    log.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            # Under nohup: the terminal may go, the work goes on.
            continue
        signal.signal(number, lambda received, _frame: _signal_group(process, _passed_on(received)))
    ended = threading.Event()
    watch = threading.Thread(target=_watch_parent, args=(process, ended), daemon=True)
    watch.start()
    assert process.stdout is not None  # it was asked for
    try:
        with log.open("w", encoding="utf-8") as handle:
            for line in process.stdout:
                handle.write(line)
                handle.flush()
                if line.startswith((PROGRESS_MARK, "error: ")):
                    _tell(name, line.removeprefix(PROGRESS_MARK).rstrip())
    except BaseException:
        # A full disk or a closed terminal: no step goes on without its runner.
        _signal_group(process, signal.SIGKILL)
        raise
    finally:
        status = process.wait()
        ended.set()
    return status if status >= 0 else 128 - status


def _passed_on(received: int) -> int:
    """The signal for the step: one whose shell runs in the background would ignore SIGINT."""
    return signal.SIGTERM if received == signal.SIGINT else received


def _signal_group(process: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _watch_parent(process: subprocess.Popen[str], ended: threading.Event) -> None:
    """End the step's process group when the snakemake that started the runner is gone.

    Between the two stands a shell, which outlives a snakemake that was killed, so that the
    runner's own parent tells nothing.
    """
    starter = _starter()
    while starter is not None and not ended.wait(PARENT_CHECK_S):
        if not _alive(starter):
            _signal_group(process, signal.SIGTERM)
            if not ended.wait(TERMINATE_GRACE_S):
                _signal_group(process, signal.SIGKILL)
            return


def _alive(process: psutil.Process) -> bool:
    """Whether a process runs; one that ended and that nobody waited for doesn't."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _starter() -> psutil.Process | None:
    """The nearest ancestor that is a snakemake, else the parent."""
    parents = psutil.Process().parents()
    for parent in parents:
        try:
            # By the file's name: a project folder may have the word in its own.
            if any(Path(part).name == "snakemake" for part in parent.cmdline()[:3]):
                return parent
        except psutil.Error:
            continue
    return parents[0] if parents else None


def _tell(name: str, line: str) -> None:
    print(f"[{name}] {line}", file=sys.stderr, flush=True)


def _note_identity(root: Path, identity: str, outputs: list[Path]) -> None:
    """Keep, for each output of the study, the identity that it is linked to."""
    folder = root / ".identities"
    folder.mkdir(parents=True, exist_ok=True)
    for path in outputs:
        name = path.relative_to(root).as_posix().replace("/", "__")
        write_json(folder / f"{name}.json", {"identity": identity, "output": path.name})


if __name__ == "__main__":
    sys.exit(main())
