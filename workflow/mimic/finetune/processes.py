"""Training in several processes: who speaks and writes, and what all have to agree on.

With one process, which is the usual case, each of these is the plain thing.
"""

from __future__ import annotations

import os
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

from mimic.compute import ComputeSettings
from mimic.finetune.settings import TrainingSettings
from mimic.progress import say

T = TypeVar("T")


def join(compute: ComputeSettings) -> None:
    """Join the other processes of this training, before anything else uses accelerate."""
    PartialState(cpu=compute.device == "cpu")


def fsdp_version() -> int | None:
    """How accelerate gives each process a part of the model (1 or 2); None where each has it whole.

    Known from the launcher's environment, before there is a trainer.
    """
    shares = os.environ.get("ACCELERATE_USE_FSDP") == "true"
    return int(os.environ["FSDP_VERSION"]) if shares else None


def is_main() -> bool:
    """Whether this process is the one that writes files and says how far it is."""
    return bool(PartialState().is_main_process)


def tell(line: str) -> None:
    """Show a line in the terminal of whoever started the job, once."""
    if is_main():
        say(line)


def wait_for_all() -> None:
    """Wait until all processes are here."""
    PartialState().wait_for_everyone()


def any_process(*flags: bool) -> tuple[bool, ...]:
    """For each flag, whether any process has it set; all processes are told the same."""
    if PartialState().num_processes == 1:
        return flags
    return tuple(map(any, zip(*gather_object([flags]), strict=True)))


def from_main(value: T) -> T:
    """The main process's value, in all processes."""
    values = [value]
    if PartialState().num_processes > 1:
        broadcast_object_list(values, from_process=0)
    return values[0]


def own_accumulation(settings: TrainingSettings, *, method: str) -> int:
    """Forward passes of this process for each optimizer step.

    Raises
    ------
    ValueError
        If the processes can't share the accumulation evenly.
    """
    processes = PartialState().num_processes
    if settings.accumulation % processes:
        raise ValueError(
            f"{method}.accumulation is {settings.accumulation}, which {processes} processes can't "
            f"share evenly; set it to a multiple of {processes} (and {method}.batch_size so that "
            "their product stays)"
        )
    return settings.accumulation // processes
