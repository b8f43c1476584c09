"""What a step is given, and how it shows progress.

A step is a module with ``main(job)`` that goes from files to files. The runner starts it with the
name of a job file; a step knows nothing of the runner, the store or Snakemake.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimic.files import read_json
from mimic.settings import SettingsT, parse_settings

# Lines that begin so are shown in the terminal by the runner; all others go to the log alone.
PROGRESS_MARK = "» "


@dataclass(frozen=True)
class Job:
    """One call of a step.

    Attributes
    ----------
    name
        What the job is called in messages, such as ``finetune smollm2-sft-s1``.
    settings
        The slice of the study's settings that this step depends on.
    inputs
        Files by name. An input that is a folder is given by its ``manifest.json``.
    out
        The folder that all outputs are written into.
    answers
        Folder of answer stores, one below it for each respondent; kept from job to job.
    """

    name: str
    settings: dict[str, Any]
    inputs: dict[str, list[Path]]
    out: Path
    answers: Path | None = None

    def input(self, name: str) -> Path:
        """The one file of the input `name`."""
        (path,) = self.inputs[name]
        return path

    def folder(self, name: str) -> Path:
        """The folder whose manifest is the input `name`."""
        return self.input(name).parent

    def parse(self, model: type[SettingsT], key: str | None = None) -> SettingsT:
        """The settings slice, or its section `key`, as a typed model."""
        values = self.settings if key is None else self.settings[key]
        return parse_settings(model, values, source=f"settings of {self.name}")


class Progress:
    """Shows how far a long job is, at most every few seconds.

    Parameters
    ----------
    what
        What is counted, such as ``answers``.
    total
        How many there are.
    """

    def __init__(self, what: str, total: int, *, every_s: float = 5.0) -> None:
        self.what, self.total, self.every_s = what, total, every_s
        self.done = 0
        self.start = self.shown = time.monotonic()

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count `count` more as done."""
        self.done += count
        now = time.monotonic()
        if now - self.shown < self.every_s and self.done < self.total:
            return
        self.shown = now
        left = (now - self.start) / self.done * (self.total - self.done)
        line = f"{self.what} {self.done} of {self.total}, about {left:.0f} s left"
        say(f"{line}, {note}" if note else line)


def say(line: str) -> None:
    """Show a line in the terminal of whoever started the job."""
    print(f"{PROGRESS_MARK}{line}", flush=True)


def run_step(main: Callable[[Job], None]) -> None:
    """Read the job file named on the command line and call `main`.

    A ValueError is a user's mistake: its words are shown alone, the traceback goes to the log.
    """
    values = read_json(Path(sys.argv[1]))
    job = Job(
        name=values["name"],
        settings=values["settings"],
        inputs={key: [Path(p) for p in paths] for key, paths in values["inputs"].items()},
        out=Path(values["out"]),
        answers=Path(values["answers"]),
    )
    try:
        main(job)
    except ValueError as error:
        traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
