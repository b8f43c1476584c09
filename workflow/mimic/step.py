"""What a step is given.

A step is a module with ``main(job)`` that goes from files to files. The runner starts it with the
name of a job file; a step knows nothing of the runner, the store or Snakemake.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimic.files import make_shared_folder, read_json, write_json
from mimic.settings import SettingsT, parse_settings


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
    unfinished
        Folder, to be made by the step, for what a later attempt of the same job can go on from.
    log
        File that the step's output goes to. What helps to watch a job, and is no result of it, may
        lie beside it.
    """

    name: str
    settings: dict[str, Any]
    inputs: dict[str, list[Path]]
    out: Path
    answers: Path | None = None
    unfinished: Path | None = None
    log: Path | None = None

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
        unfinished=Path(values["unfinished"]),
        log=Path(values["log"]),
    )
    try:
        main(job)
    except ValueError as error:
        traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    place = Path(values["measured"])
    make_shared_folder(place)
    # Each of several processes knows of itself alone.
    write_json(place / f"{os.environ.get('RANK', '0')}.json", _measured())


def _measured() -> dict[str, Any]:
    """What only the step's own process can know; of several, each has a GPU of its own."""
    measured: dict[str, Any] = {}
    if (kept := sys.modules.get("mimic.respondents.store")) is not None:
        measured["answers"] = sorted(kept.OPENED)
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        is_alone = os.environ.get("WORLD_SIZE", "1") == "1"
        own = range(torch.cuda.device_count()) if is_alone else [torch.cuda.current_device()]
        peaks = [torch.cuda.max_memory_allocated(device) // 2**20 for device in own]
        measured["peak_gpu_memory_mb"] = peaks
    return measured
