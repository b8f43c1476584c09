"""What the log that Slurm keeps of a job says: how far it is, and what it said at last.

Runners tell there what they show in the terminal, whether a job does one thing, several one after
the other (a group), or several at once (a pack).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

# Of a log's beginning, which says what is to be done, and of its end. After what a runner said of a
# failure snakemake prints the rule's command line, of up to 100 kB for a pack, three times.
READ_BYTES, READ_FAILED_BYTES = 30_000, 1_000_000
LAST_LINES, LAST_TOLD = 12, 3
# Of a line that is shown: rules' command lines have thousands of characters.
WIDTH = 200

_TOLD = re.compile(r"^\[([^\]]+)\] (.*)$", re.MULTILINE)
_PROGRESS = re.compile(r"(.+?) (\d+) of (\d+), about (\d+) s left(?:, (.*))?")
_ITS_LOG = re.compile(r"^\[[^\]]+\] failed with exit status \d+; its log is (.+)$", re.MULTILINE)
_ENDED = re.compile(r"done in \d+ s|was made before|failed|killed")
# What trainers print of each step.
_LOSSES = "{'loss': "
_TARGETS = re.compile(r"--target-jobs ((?:\w+:\S* ?)+)")
_STEPS = re.compile(r"^(\d+) of (\d+) steps \(", re.MULTILINE)
_SLURM = re.compile(r"^slurmstepd: .*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far something is.

    Attributes
    ----------
    name
        Such as ``finetune smollm2-sft-s1``.
    what
        What is counted, such as ``sft step``.
    left_s
        Seconds, as it was said when the log was last written.
    note
        What was said besides, such as a loss.
    """

    name: str
    what: str
    done: int
    total: int
    left_s: int
    note: str


@dataclass(frozen=True, kw_only=True)
class JobLog:
    """What the log of a job says.

    Attributes
    ----------
    progress
        Of what is being done.
    tasks, done
        How many jobs of snakemake's it holds, and how many of them have ended well.
    """

    progress: tuple[Progress, ...]
    tasks: int
    done: int


def read_progress(path: Path) -> JobLog:
    """How far a running job is; nothing of one whose log isn't there yet."""
    text = _text(path, READ_BYTES)
    going_on: dict[str, Progress] = {}
    for name, said in _TOLD.findall(text):
        if found := _PROGRESS.fullmatch(said):
            what, done, total, left, note = found.groups()
            going_on[name] = Progress(
                name=name,
                what=what,
                done=int(done),
                total=int(total),
                left_s=int(left),
                note=note or "",
            )
        elif _ENDED.match(said):
            going_on.pop(name, None)
    targets = _TARGETS.search(text)
    tasks = len(targets.group(1).split()) if targets else 1
    # Each member of a group has a snakemake of its own, which counts to one.
    done = [int(some) for some, of in _STEPS.findall(text) if int(of) == tasks > 1]
    return JobLog(progress=tuple(going_on.values()), tasks=tasks, done=done[-1] if done else 0)


def last_words(path: Path, *, folder: Path) -> tuple[str, ...]:
    """What a failed job said at last: its steps, its runners, and Slurm.

    Parameters
    ----------
    path
        The log that Slurm keeps.
    folder
        Where the job works; logs of steps are named from there.
    """
    text = _text(path, READ_FAILED_BYTES)
    lines: list[str] = []
    for name in dict.fromkeys(_ITS_LOG.findall(text)):
        lines += [f"{name}:", *(f"  {line}" for line in tail_of(folder / name))]
    told = [f"[{name}] {said}" for name, said in _TOLD.findall(text)]
    if told:
        # What stands there is shown already.
        told = _last([line for line in told if not _ITS_LOG.match(line)], LAST_TOLD)
        lines += told + _SLURM.findall(text)[-LAST_TOLD:]
    else:
        lines += _last(text.splitlines(), LAST_LINES)
    return tuple(line[:WIDTH] for line in lines)


def tail_of(path: Path) -> list[str]:
    """The last lines of a log."""
    return [line[:WIDTH] for line in _last(_text(path, READ_BYTES).splitlines(), LAST_LINES)]


def _last(lines: list[str], count: int) -> list[str]:
    """The last lines; of those that say how far it is only the last."""
    found: list[str] = []
    told = False
    for line in reversed(lines):
        is_progress = _PROGRESS.search(line) is not None or line.startswith(_LOSSES)
        if line.strip() and not (is_progress and told):
            found.append(line)
        told |= is_progress
        if len(found) == count:
            break
    return found[::-1]


def _text(path: Path, size: int) -> str:
    """As much of a file's beginning and end; empty if there is none."""
    try:
        with path.open("rb") as handle:
            text = handle.read(size)
            end = handle.seek(0, os.SEEK_END)
            # Lines that are cut in the middle are none of what is looked for.
            text += b"\n" if end > 2 * size else b""
            handle.seek(max(size, end - size))
            return (text + handle.read()).decode(errors="replace")
    except OSError:
        return ""
