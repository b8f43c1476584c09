"""What snakemake and its Slurm plugin say of an invocation: its log, names of its jobs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

FOLDER = Path(".snakemake/log")
# Commands that submit nothing write a log as well.
LOOKED_AT = 50

# A rule and its wildcards, as the Slurm plugin writes them.
Task = tuple[str, str]

_RUN = re.compile(r"^SLURM run ID: (\S+)$", re.MULTILINE)
_SUBMITTED = re.compile(
    r"^Job (\S+) has been submitted with SLURM jobid (\d+) \(log: (.+)\)\.$", re.MULTILINE
)
_FAILED = re.compile(r"SLURM-job '(\d+)' failed.*?SLURM status is: '(\w+)'")
_STEPS = re.compile(r"^(\d+) of (\d+) steps \(", re.MULTILINE)
_FINISHED = re.compile(r"^Finished jobid: (\S+) \(Rule: (\w+)\)$", re.MULTILINE)
# Logs of failed jobs stand in it whole, and say the same of themselves.
_SHOWN_LOG = re.compile(r"^ *Logfile .*:\n *(=+)\n.*?^ *\1$", re.MULTILINE | re.DOTALL)
_ERROR = re.compile(r"^Error in rule (\w+):\n((?:    .*\n)+)", re.MULTILINE)
_COUNTS = re.compile(r"^Job stats:\njob +count\n-[- ]*\n((?:\w+ +\d+\n)+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """A job that was submitted.

    Attributes
    ----------
    job
        Slurm's number.
    task
        What snakemake calls what it does, at each attempt.
    log
        Where Slurm writes what it prints.
    """

    job: str
    task: str
    log: Path


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """An invocation of snakemake that submits to Slurm.

    Attributes
    ----------
    name
        Of its jobs.
    began
        By the local clock.
    configfile
        The study's settings; None for the default study, or if several files make them.
    profile
        That it was given; None if there was none.
    submitted
        By Slurm's numbers.
    failed
        Slurm's state, by its numbers, of jobs that snakemake knows to have failed.
    failed_here
        Rule and log of jobs that failed in snakemake's own machine.
    total, finished
        Jobs of each rule, and those that have ended well, in snakemake's order.
    ended_well
        The tasks that snakemake knows to have ended well; of a group those of its members.
    steps
        How many jobs have ended well, of how many.
    """

    name: str
    began: datetime
    configfile: Path | None
    profile: Path | None
    submitted: Mapping[str, Submitted]
    failed: Mapping[str, str]
    failed_here: tuple[tuple[str, Path], ...]
    total: Mapping[str, int]
    finished: Mapping[str, int]
    ended_well: frozenset[str]
    steps: tuple[int, int]


def last_invocation(folder: Path) -> Invocation | None:
    """The last invocation in a folder that submits to Slurm; None if there was none."""
    logs = sorted((folder / FOLDER).glob("*.snakemake.log"), reverse=True)
    for path in logs[:LOOKED_AT]:
        text = path.read_text(encoding="utf-8", errors="replace")
        if found := _RUN.search(text):
            return _read(path, text, name=found.group(1))
    return None


def task_of(comment: str) -> Task:
    """The rule and the wildcards of a job, from what the plugin writes into its comment."""
    rule, _, wildcards = comment.removeprefix("rule_").partition("_wildcards_")
    return rule, wildcards


def task_of_log(log: Path) -> Task:
    """The same from where the plugin has Slurm write what the job prints."""
    *_, above, folder, _file = ("", "", *log.parts)
    for named, wildcards in ((folder, ""), (above, folder)):
        kind, _, name = named.partition("_")
        if kind in ("rule", "group"):
            return name, wildcards
    return log.stem, ""


def name_of(task: Task) -> str:
    """A task in words."""
    rule, wildcards = task
    return f"{rule} {wildcards.strip('_')}".strip()


def _read(path: Path, text: str, *, name: str) -> Invocation:
    text = _SHOWN_LOG.sub("", text)
    total = dict(_totals(text))
    steps, finished = _STEPS.findall(text), _FINISHED.findall(text)
    done, of = map(int, steps[-1]) if steps else (0, sum(total.values()))
    profile = re.search(r"^  Command: .*?--profile[ =](\S+)", text, re.MULTILINE)
    return Invocation(
        name=name,
        began=datetime.strptime(path.name.partition(".")[0], "%Y-%m-%dT%H%M%S"),
        configfile=_configfile(text),
        profile=Path(profile.group(1)) if profile else None,
        submitted={
            job: Submitted(job=job, task=task, log=Path(log))
            for task, job, log in _SUBMITTED.findall(text)
        },
        failed=dict(_FAILED.findall(text)),
        failed_here=tuple(_failed_here(text)),
        total=total,
        finished=Counter(rule for _, rule in finished),
        ended_well=frozenset(task for task, _ in finished),
        steps=(done, of),
    )


def _totals(text: str) -> Iterator[tuple[str, int]]:
    found = _COUNTS.search(text)
    for line in found.group(1).splitlines() if found else ():
        rule, count = line.split()
        if rule not in ("all", "total"):
            yield rule, int(count)


def _failed_here(text: str) -> Iterator[tuple[str, Path]]:
    for rule, words in _ERROR.findall(text):
        log = re.search(r"^    log: (.+?)(?:,| \(check)", words, re.MULTILINE)
        if log is not None and "    external_jobid: " not in words:
            yield rule, Path(log.group(1))


def _configfile(text: str) -> Path | None:
    found = re.search(r"^  Config file\(s\): (.*)$", text, re.MULTILINE)
    files = re.findall(r"Path\('([^']+)'\)", found.group(1)) if found else []
    return Path(files[0]) if len(files) == 1 else None
