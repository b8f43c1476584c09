"""A study of three jobs on the cluster, and what a person sees of it."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
from slurm_lab import SlurmLab, until
from small_study import CONFIG, ROOT, SmallStudy

RUN = "tiny-sft-s1"
# A training, and what asks the trained model and has it write: a job each, all on nodes with GPUs.
RULES = ("finetune", "questionnaire", "writing")
TARGETS = (f"{ROOT}/questionnaire/none/{RUN}/manifest.json", f"{ROOT}/writing/{RUN}/manifest.json")
# What these are made from.
BEFORE = tuple(
    f"{ROOT}/{name}"
    for name in ("models/tiny/manifest.json", f"pairs/{RUN}/manifest.json", "forms/forms.sha256")
)
# Within so long snakemake says what Slurm's state has become; a test waits longer for the words.
NOTICED_S, PATIENCE_S = 60.0, 240.0
# Has a training begin when it is let go: however late a test sees it, it has not ended.
HELD = """\
import pathlib, sys, time
while "mimic.finetune.sft" in sys.orig_argv and pathlib.Path("held").exists():
    time.sleep(0.1)
"""


class SlurmJob(NamedTuple):
    """A job as sacct tells it; times in seconds since 1970, None while there are none."""

    number: str
    rule: str
    state: str
    start: float | None
    end: float | None
    minutes: int
    memory: str
    node: str


class ClusterStudy:
    """A study whose three jobs a cluster runs.

    Parameters
    ----------
    lab
        The cluster.
    study
        The study, in which all is made that the three jobs start from.
    """

    def __init__(self, lab: SlurmLab, study: SmallStudy) -> None:
        self.lab, self.study = lab, study
        self.first = len(lab.jobs("JobIDRaw"))
        self.started: list[Running] = []

    def hold(self) -> None:
        """Let the training wait at its very beginning."""
        self.study.write("shadow/sitecustomize.py", HELD)
        self.study.write("held", "")

    def let_go(self) -> None:
        """Let the training work, and those that follow it."""
        (self.study.folder / "held").unlink()

    def start(self, *options: str) -> Running:
        """Type the command."""
        folder = self.study.folder
        said = folder / f"snakemake-{time.monotonic_ns()}.txt"
        # Tests that run in the background of a shell are deaf to interrupts, and so their children.
        line = ["env", "--default-signal=INT", sys.executable, "-m", "snakemake"]
        line += ["--profile", "meluxina", "--configfile", CONFIG]
        # Looks every two seconds at first, where the profile waits for 20.
        line += ["--slurm-init-seconds-before-status-checks", "2", *options, "--", *TARGETS]
        with said.open("wb") as to:
            process = subprocess.Popen(
                line,
                cwd=folder,
                env=self.study.environment | self.lab.environment | {"PATH": self.path},
                stdout=to,
                stderr=subprocess.STDOUT,
                # Its own, so that what is sent to it alone reaches it alone.
                start_new_session=True,
            )
        self.started.append(Running(process, said))
        return self.started[-1]

    def end(self) -> None:
        """End what a test that failed left."""
        for running in self.started:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
        self.lab.run("scancel", "--me", check=False)
        until(lambda: not self.lab.run("squeue", "--noheader").strip(), 300)

    def run(self, *options: str, status: int = 0) -> str:
        """Type the command and wait for its end; what it said."""
        running = self.start(*options)
        assert running.wait() == status, running.output[-6000:]
        return running.output

    @property
    def path(self) -> str:
        """The commands of Slurm before all others."""
        return self.lab.environment["PATH"]

    def jobs(self, rule: str | None = None) -> list[SlurmJob]:
        """The jobs since this began, those of a rule alone if one is named."""
        columns = ("JobIDRaw", "Comment", "State", "Start", "End", "TimelimitRaw", "ReqMem")
        # The accounting has a job's comment when it has ended, the queue before: it is asked first.
        queue = self.lab.run("squeue", "--noheader", "--format=%i|%k").splitlines()
        rows = self.lab.jobs(*columns, "NodeList")[self.first :]
        comments = dict(line.split("|", 1) for line in queue)
        comments |= {row["JobIDRaw"]: row["Comment"] for row in rows if row["Comment"]}
        found = [
            SlurmJob(
                number=row["JobIDRaw"],
                rule=re.sub("^rule_|_wildcards.*", "", comments.get(row["JobIDRaw"], "")),
                state=row["State"].split(" ")[0],
                start=float(row["Start"]) if row["Start"].isdigit() else None,
                end=float(row["End"]) if row["End"].isdigit() else None,
                minutes=int(row["TimelimitRaw"] or 0),
                memory=row["ReqMem"],
                node=row["NodeList"],
            )
            for row in rows
        ]
        return [job for job in found if rule in (None, job.rule)]

    def wait_for(self, rule: str, state: str, *, seconds: float = 600.0) -> SlurmJob:
        """Wait until a job of a rule is in a state."""

        found: list[SlurmJob] = []

        def there() -> bool:
            found[:] = [job for job in self.jobs(rule) if job.state == state]
            return bool(found)

        assert until(there, seconds), self.jobs()
        return found[-1]

    def wait_for_step(self, rule: str, module: str) -> tuple[SlurmJob, psutil.Process]:
        """Wait until the step of a rule's job works."""
        job = self.wait_for(rule, "RUNNING")
        steps: list[psutil.Process] = []

        def there() -> bool:
            steps[:] = [p for p in psutil.process_iter(["cmdline", "cwd"]) if self._is(p, module)]
            return bool(steps)

        assert until(there, 600), self.jobs()
        return job, steps[0]

    def _is(self, process: psutil.Process, module: str) -> bool:
        info = process.info
        here = info["cwd"] is not None and Path(info["cwd"]) == self.study.folder.resolve()
        line = info["cmdline"] or []
        return here and "-m" in line and module in line and "mimic.provenance.runner" not in line

    def check(self, reference: dict[str, str]) -> None:
        """Check that nothing runs, no job ran beside another of its rule, and the bytes fit."""
        assert until(lambda: not self.lab.run("squeue", "--noheader").strip(), 300)
        for rule in RULES:
            jobs = [j for j in self.jobs(rule) if j.start is not None and j.end is not None]
            jobs.sort(key=lambda job: job.start or 0.0)
            for former, later in itertools.pairwise(jobs):
                assert (former.end or 0) <= (later.start or 0), (former, later)
        assert self.study.results() == reference
        assert "Nothing to be done" in self.run()


class Running:
    """A command that runs: its process and what it says."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path) -> None:
        self.process, self.said = process, said

    @property
    def output(self) -> str:
        """What it said so far."""
        return self.said.read_text(encoding="utf-8", errors="replace")

    def wait(self, seconds: float = 1800.0) -> int:
        """Wait for its end; its exit status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it didn't end:\n{self.output[-6000:]}") from None

    def says(self, words: str, *, seconds: float = PATIENCE_S) -> bool:
        """Wait until it says something."""
        return until(lambda: words in self.output, seconds)


def prepare(project: Path, folder: Path, *, model: Path, hub: Path) -> SmallStudy:
    """A study in which all is made that the three jobs start from."""
    study = SmallStudy.make(project, folder, model=model, hub=hub)
    (folder / "meluxina").symlink_to("profiles/meluxina")
    build(study, BEFORE)
    return study


def build(study: SmallStudy, targets: Sequence[str]) -> None:
    """Make results on this machine, without the cluster."""
    line = [*study.command(), "--", *targets]
    done = subprocess.run(
        line, cwd=study.folder, env=study.environment, capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


def undisturbed(study: SmallStudy) -> dict[str, str]:
    """The results of the three jobs where nothing went wrong, in a copy of the study."""
    copy = SmallStudy(study.folder.with_name("undisturbed"), study.hub)
    shutil.copytree(study.folder, copy.folder, symlinks=True)
    build(copy, TARGETS)
    results = copy.results()
    shutil.rmtree(copy.folder)
    return results


def can_mount() -> bool:
    """Whether this user may mount a file system."""
    return os.geteuid() == 0 and shutil.which("mount") is not None
