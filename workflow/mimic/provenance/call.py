"""What a rule asks of the runner: its command line."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from mimic.files import sha256_file


@dataclass(frozen=True)
class Call:
    """What a rule asks for.

    Attributes
    ----------
    rule, name
        The rule, and what the job is called in messages.
    spec
        What ``mimic.provenance.specs.spec`` describes.
    inputs
        Input files by input name.
    outputs
        Output files.
    root
        The study's folder.
    run
        The run that the job is about; None if it is about none or all.
    log
        Where the step's output goes.
    pack
        The table of the pack that has trained the run; None for a job that works itself.
    store_only
        Whether the outputs stay in the store, for another job to link them.
    devices
        Processes of the step, each on a device of its own, that share work whose result doesn't
        depend on their number. Those of a training, which does, stand in its settings.
    """

    rule: str
    name: str
    spec: dict[str, Any]
    inputs: dict[str, list[Path]]
    outputs: list[Path]
    root: Path
    run: str | None
    log: Path
    pack: Path | None = None
    store_only: bool = False
    devices: int = 1

    def digests(self) -> dict[str, list[str]]:
        """The sha256 of each input file now, by input name."""
        return {name: [sha256_file(p) for p in paths] for name, paths in self.inputs.items()}

    @cached_property
    def started_from(self) -> dict[str, list[str]]:
        """The sha256 of each input file when the job began."""
        return self.digests()

    def tell(self, line: str) -> None:
        """Show a line in the terminal of whoever started the job."""
        show(f"[{self.name}] {line}\n")


def show(text: str) -> None:
    """Show text in the terminal of whoever started this process, while there is one.

    A step that saves since its time is up must not end because nobody listens any more.
    """
    try:
        print(text, end="", file=sys.stderr, flush=True)
    except OSError:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stderr.fileno())


def parse_call(argv: Sequence[str] | None = None) -> Call:
    """What a command line asks for; that of this process if None."""
    arguments = _parser().parse_args(argv)
    files = json.loads(arguments.files)
    return Call(
        rule=files["rule"],
        name=arguments.name,
        spec=json.loads(arguments.spec),
        inputs={name: [Path(p) for p in paths] for name, paths in files["inputs"].items()},
        outputs=[Path(p) for p in files["outputs"]],
        root=Path(files["root"]),
        run=files["run"],
        log=arguments.log,
        pack=Path(files["pack"]) if files.get("pack") else None,
        store_only=arguments.store_only,
        devices=files.get("devices", 1),
    )


# Of all jobs of a study at once, as `mimic why` reads them, making it takes most of the time.
@cache
def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mimic-runner")
    parser.add_argument("--name", required=True, help="what the job is called in messages")
    parser.add_argument("--spec", required=True, help="canonical JSON, from specs.spec")
    parser.add_argument("--files", required=True, help="canonical JSON, from specs.job_files")
    parser.add_argument("--log", required=True, type=Path)
    parser.add_argument(
        "--store-only",
        action="store_true",
        help="leave the outputs in the store, where another job finds them",
    )
    return parser
