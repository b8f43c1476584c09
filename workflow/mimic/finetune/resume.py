"""Training that can be told to stop, and that goes on where it stopped.

A training step that gets SIGTERM or SIGUSR1 (a walltime about to end) finishes its optimizer step,
saves a checkpoint where the next attempt of the same job finds it, and ends with status 75.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from mimic.files import read_json
from mimic.progress import say
from mimic.step import Job

if TYPE_CHECKING:
    from transformers import Trainer

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
# As sysexits.h has it: a temporary failure, try again.
UNFINISHED = 75


class StopOnSignal(TrainerCallback):
    """Saves and stops behind the step in which a signal came."""

    def __init__(self) -> None:
        self.received = False

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

    def on_step_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        """Ask the trainer for a checkpoint and an end."""
        if self.received and state.global_step < state.max_steps:
            control.should_save = True
            control.should_training_stop = True


def train(job: Job, trainer: Trainer) -> None:
    """Train to the end, from the last checkpoint of a former attempt if there is one.

    Raises
    ------
    SystemExit
        With the status `UNFINISHED`, once a signal came and a checkpoint was saved.
    """
    assert job.unfinished is not None  # every job that the runner starts has it
    checkpoint = last_checkpoint(job.unfinished)
    if checkpoint is not None:
        say(f"going on from {checkpoint.name}, which a former attempt saved")
    stop = StopOnSignal()
    trainer.add_callback(stop)
    with stop.listening():
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.state.global_step < trainer.state.max_steps:
        say(
            f"told to stop: saved at step {trainer.state.global_step} of "
            f"{trainer.state.max_steps}; the same command goes on from there"
        )
        sys.exit(UNFINISHED)


def last_checkpoint(folder: Path) -> Path | None:
    """The latest whole checkpoint in a folder; one that was being written doesn't count."""
    whole = [path for path in folder.glob("checkpoint-*") if _step(path) is not None]
    return max(whole, key=lambda path: _step(path) or 0, default=None)


def _step(checkpoint: Path) -> int | None:
    """The step of a checkpoint; None if its state, which is written last, isn't there."""
    try:
        state: Any = read_json(checkpoint / "trainer_state.json")
        return int(state["global_step"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
