"""Jobs of the runner with made-up steps, and what they leave."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from mimic.files import canonical_json
from mimic.provenance.store import identity_of

# Says which processes it consists of, then works for a long time.
LONG_STEP = """\
import os, subprocess, sys, time
from mimic.progress import say
from mimic.step import run_step

def main(job):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    (job.out / "half.txt").write_text("half")
    say(f"processes {os.getpid()} {child.pid}")
    time.sleep(120)

run_step(main)
"""
FAILING_STEP = """\
from mimic.step import run_step

def main(job):
    (job.out / "half.txt").write_text("half")
    print("for the log alone")
    raise ValueError("essays.csv, row 3: no text; remove the row")

run_step(main)
"""
TALKATIVE_STEP = """\
import os, time
from pathlib import Path
from mimic.step import run_step

def main(job):
    Path("pid").write_text(str(os.getpid()))
    print("x" * 100_000)
    time.sleep(120)

run_step(main)
"""
QUICK_STEP = """\
from mimic.step import run_step

run_step(lambda job: (job.out / "x").write_text("x"))
"""
FORGETFUL_STEP = """\
from mimic.step import run_step

run_step(lambda job: None)
"""

# Each of two processes has a GPU of its own, sees both, and opens a folder of answers.
MEASURING_STEP = """\
import os, sys
from types import SimpleNamespace
from mimic.step import run_step

def main(job):
    rank = int(os.environ["RANK"])
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: 2,
        current_device=lambda: rank,
        max_memory_allocated=lambda device: (rank + 1) * 2**30 if device == rank else 0,
    )
    sys.modules["torch"] = SimpleNamespace(cuda=cuda)
    sys.modules["mimic.respondents.store"] = SimpleNamespace(OPENED={"common", f"of-{rank}"})
    if rank == 0:
        (job.out / "x").write_text("x")

run_step(main)
"""

# Answers what nobody has answered yet, and fails when that is done where one is wrong.
ANSWERING_STEP = """\
from mimic.progress import say
from mimic.step import run_step

def main(job):
    job.answers.mkdir(exist_ok=True)
    for question in job.input("questions").read_text().split():
        if not (job.answers / question).exists():
            say(f"asks {question}")
            (job.answers / question).write_text("yes")
    (job.out / "folder.txt").write_text(str(job.answers))
    if (job.answers / "wrong").exists():
        raise ValueError("a wrong question")

run_step(main)
"""

# As in a real job: a snakemake, a shell that outlives it, the runner.
STARTER = """\
import shlex, subprocess, sys
subprocess.run(['/bin/sh', '-c', shlex.join(sys.argv[1:]) + '; true'])
"""

Runner = Callable[..., list[str]]
# For what comes for certain, on a machine however busy.
PATIENCE_S = 300.0
TABLE = "results/finetune/.packs/a.tsv"


def packed(jobs: dict[str, list[str]]) -> tuple[list[str], dict[str, list[str]]]:
    """The command line of a pack of jobs, by run, and those of the jobs behind the pack."""
    specs, members, behind = {}, {}, {}
    for run_, command in jobs.items():
        job = dict(zip(command[3::2], command[4::2], strict=True))
        files, log = json.loads(job["--files"]) | {"run": run_}, f"results/logs/{run_}.log"
        specs[run_] = json.loads(job["--spec"])
        kept = str(Path(TABLE).with_name(f"{run_}.log"))
        members[run_] = {"name": job["--name"], "files": files, "log": kept}
        told = canonical_json(files | {"pack": TABLE})
        behind[run_] = [*command[:7], "--files", told, "--log", log]
    Path(TABLE).parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mimic.provenance.pack", "--name", "pack a"]
    command += ["--spec", canonical_json(specs), "--log", "results/logs/pack.log"]
    command += ["--files", canonical_json({"table": TABLE, "members": members})]
    return command, behind


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, **options)


def snakemake(command: list[str]) -> subprocess.Popen[str]:
    """Start a job as a snakemake would, that can be killed."""
    Path("snakemake").write_text(STARTER)
    words = [sys.executable, "snakemake", *command]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)


def killed(process: subprocess.Popen[str]) -> str:
    """Kill a snakemake; returns what its job still says until it ends, too."""
    process.kill()
    _, errors = process.communicate(timeout=PATIENCE_S)
    return errors


def identity_in(command: list[str]) -> str:
    """The identity of a job without inputs, by its command line."""
    return identity_of(spec=json.loads(command[command.index("--spec") + 1]), inputs={})


def entries() -> list[Path]:
    return [
        path for path in Path("store").glob("*") if path.name not in ("work", "answers", "studies")
    ]


def work() -> list[str]:
    """What lies in the store's work folder, but how often something was begun."""
    found = [path for path in Path("store/work").rglob("*") if path.is_file()]
    return sorted(path.name for path in found if path.name != "attempts.json")


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def gone(*pids: int) -> bool:
    def one(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return all(map(one, pids))


def step_processes(process: subprocess.Popen[str]) -> list[int]:
    """The process ids that the long step says, from its runner's standard error."""
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "processes" in line, line
    return [int(word) for word in line.split("processes ")[1].split()]
