"""What is looked at while a training runs: progress, losses, validation figures, TensorBoard."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from transformers import TrainerCallback
from transformers.integrations import TensorBoardCallback

from mimic.finetune.processes import is_main, tell
from mimic.finetune.settings import TrainingSettings
from mimic.progress import Progress
from mimic.step import Job

if TYPE_CHECKING:
    from transformers import TrainerState

# Validation figures by name, one value for each example.
Figures = dict[str, np.ndarray]


class ShowProgress(TrainerCallback):
    """Shows how far the training is; stops it at a loss that is no number."""

    def __init__(self, *, method: str, settings: TrainingSettings, kept: Callable[[], str]) -> None:
        self.method, self.settings, self.kept = method, settings, kept
        self.progress: Progress | None = None

    def on_train_begin(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        """Begin at the step that the training goes on from."""
        self.progress = Progress(f"{self.method} step", state.max_steps, begun=state.global_step)

    def on_log(self, args, state, control, logs=None, **kwargs):  # type: ignore[no-untyped-def]
        """Look at what the trainer logs for a step, before a checkpoint of it can be saved."""
        if not logs or "loss" not in logs:
            return
        loss = float(logs["loss"])
        watched = {"loss": loss}
        if self.settings.autocast != "float16":
            # Under float16 a step whose gradient overflows is left out, and the scale mended.
            watched["gradient norm"] = float(logs.get("grad_norm", 0.0))
        for name, value in watched.items():
            if not math.isfinite(value):
                raise ValueError(self._no_number(name, value, state))
        if self.progress is not None and is_main():
            self.progress.advance(state.global_step - self.progress.done, f"loss {loss:.3f}")

    def _no_number(self, name: str, value: float, state: TrainerState) -> str:
        narrow = "float16" in (self.settings.precision, self.settings.autocast)
        return (
            f"the {name} is {value} at step {state.global_step} of {state.max_steps}; lower "
            f"{self.method}.learning_rate (now {self.settings.learning_rate:g})"
            + (f", or use bfloat16 in {self.method}.precision and autocast" if narrow else "")
            + f"; {self.kept()}"
        )


class Evaluate(TrainerCallback):
    """Computes the validation figures within training and adds them to what is logged.

    Parameters
    ----------
    figures
        Computes them for the model as it is now.
    times
        How often, evenly spaced.
    """

    def __init__(self, figures: Callable[[], Figures], *, times: int) -> None:
        self.figures, self.times = figures, times

    def on_log(self, args, state, control, logs=None, **kwargs):  # type: ignore[no-untyped-def]
        """Add them to the step's log, which is kept in checkpoints."""
        if "loss" in (logs or {}) and state.global_step in self.steps(state.max_steps):
            found = means(self.figures())
            state.log_history[-1].update(found)
            logs.update(found)
            said = ", ".join(f"{name.removeprefix(EVAL)} {v:.3f}" for name, v in found.items())
            tell(f"validation essays at step {state.global_step}: {said}")

    def steps(self, last: int) -> set[int]:
        """The steps after which they are computed; never the last, which is looked at anyway."""
        planned = {round(last * part / (self.times + 1)) for part in range(1, self.times + 1)}
        return planned - {0, last}


# transformers' own prefix, by which TensorBoard groups what belongs together.
EVAL = "eval_"


def means(figures: Figures) -> dict[str, float]:
    """Validation figures as they are logged; none of a profile without validation essays."""
    return {f"{EVAL}{name}": float(v.mean()) for name, v in figures.items() if len(v)}


def tensorboard(job: Job, *, begun: int) -> list[TrainerCallback]:
    """Writes what is logged for TensorBoard, into a folder beside the job's log.

    It holds times, so it is no output. An attempt that goes on from step `begun` writes a further
    file, before which TensorBoard leaves out the steps that are taken again.
    """
    if job.log is None or not is_main():
        return []
    from torch.utils.tensorboard import SummaryWriter

    folder = events_folder(job.log)
    if not begun:
        for former in folder.glob("events.out.tfevents.*"):
            former.unlink()
    tell(f"curves: tensorboard --logdir {folder.parent}")
    writer = SummaryWriter(str(folder), purge_step=begun + 1 if begun else None)
    return [TensorBoardCallback(writer)]


def events_folder(log: Path) -> Path:
    """The folder for a job's TensorBoard events: named as its log, so that a run is called so."""
    return log.with_name(log.name.removesuffix(".log"))
