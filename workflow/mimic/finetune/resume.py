"""Training that can be told to stop or be killed, and that goes on from its last checkpoint.

A checkpoint is saved every `CHECKPOINT_EVERY_S`. A training step that gets SIGTERM or SIGUSR1 (a
walltime about to end) finishes its optimizer step, saves one more where the next attempt of the
same job finds it, and ends with status 75.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import TrainerCallback

from mimic.files import make_shared_folder
from mimic.finetune.processes import (
    any_process,
    from_main,
    fsdp_version,
    is_main,
    tell,
    wait_for_all,
)
from mimic.finetune.shards import load_part, save_part
from mimic.step import Job

if TYPE_CHECKING:
    from transformers import Trainer

CHECKPOINT_EVERY_S = 600.0
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
# As sysexits.h has it: a temporary failure, try again.
UNFINISHED = 75
# transformers writes `checkpoint-7`; once it is whole and on the disk its name is `step-7`.
_WRITTEN, _WHOLE = "checkpoint-", "step-"


class Checkpoints(TrainerCallback):
    """Saves now and then, and saves and stops behind the step in which a signal came."""

    def __init__(self, folder: Path, *, begun: Path | None) -> None:
        self.folder, self.begun = folder, begun
        self.received = False
        self.saved_s = time.monotonic()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to the signals instead of being ended by them."""

        def note(_number: int, _frame: object) -> None:
            self.received = True

        former = {number: signal.signal(number, note) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def on_train_begin(self, args, state, control, model=None, optimizer=None, **kwargs):  # type: ignore[no-untyped-def]
        """Load what transformers doesn't."""
        if self.begun is not None and fsdp_version() == 1:
            load_part(model, optimizer, self.begun)

    def on_step_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        """Ask the trainer for a checkpoint, and for an end."""
        due = is_main() and time.monotonic() - self.saved_s >= CHECKPOINT_EVERY_S
        # All processes save, or none: each has a part of the state.
        due, stop = any_process(due, self.received)
        if state.global_step < state.max_steps:
            control.should_save |= due or stop
            control.should_training_stop |= stop

    def on_save(self, args, state, control, model=None, optimizer=None, **kwargs):  # type: ignore[no-untyped-def]
        """Give a checkpoint that all processes have written its final name; remove the former."""
        written = self.folder / f"{_WRITTEN}{state.global_step}"
        if fsdp_version() == 1:
            save_part(model, optimizer, written)
        wait_for_all()
        if is_main():
            sync(written)
            written.rename(self.folder / f"{_WHOLE}{state.global_step}")
            _remove_all_but(self.folder, last_checkpoint(self.folder))
        wait_for_all()
        self.saved_s = time.monotonic()


def train(job: Job, trainer: Trainer, checkpoint: Path | None) -> None:
    """Train to the end, from a checkpoint of a former attempt if there is one.

    Raises
    ------
    SystemExit
        With the status `UNFINISHED`, once a signal came and a checkpoint was saved.
    """
    assert job.unfinished is not None  # every job that the runner starts has it
    checkpoints = Checkpoints(job.unfinished, begun=checkpoint)
    trainer.add_callback(checkpoints)
    with checkpoints.listening():
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.state.global_step < trainer.state.max_steps:
        tell(
            f"told to stop: saved at step {trainer.state.global_step} of "
            f"{trainer.state.max_steps}; the same command goes on from there"
        )
        sys.exit(UNFINISHED)


def begin(job: Job) -> Path | None:
    """The checkpoint to go on from, if a former attempt saved one; what it left half-written goes.

    Raises
    ------
    OSError
        If the folder for unfinished work can't be made.
    """
    assert job.unfinished is not None  # every job that the runner starts has it
    found = None
    if is_main():
        make_shared_folder(job.unfinished)
        found = last_checkpoint(job.unfinished)
        _remove_all_but(job.unfinished, found)
    checkpoint = from_main(found)
    if checkpoint is not None:
        tell(f"going on from {checkpoint.name}, which a former attempt saved")
    return checkpoint


def kept(folder: Path | None) -> str:
    """Words for what a training that failed leaves."""
    checkpoint = last_checkpoint(folder) if folder is not None else None
    if checkpoint is None:
        return "no checkpoint was saved before"
    return f"the last good checkpoint is kept: {checkpoint}"


def last_checkpoint(folder: Path) -> Path | None:
    """The latest whole checkpoint in a folder; one that was being written has another name."""
    return max(folder.glob(f"{_WHOLE}*"), key=step_of, default=None)


def step_of(checkpoint: Path | None) -> int:
    """The step that a checkpoint was saved behind; 0 for none."""
    return 0 if checkpoint is None else int(checkpoint.name.removeprefix(_WHOLE))


def _remove_all_but(folder: Path, keep: Path | None) -> None:
    for pattern in (_WRITTEN, _WHOLE):
        for path in folder.glob(f"{pattern}*"):
            if path != keep:
                shutil.rmtree(path, ignore_errors=True)


def sync(folder: Path) -> None:
    """Have a folder and its files on the disk, lest a node that dies take them along."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
