"""What to say when memory runs out: settings that need less, to be pasted. They aren't changed."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

import torch

from mimic.finetune.processes import fsdp_version
from mimic.finetune.settings import TrainingSettings
from mimic.progress import say_if_killed

# How torch says it where it raises a plain RuntimeError: on the CPU, and below it in CUDA's
# libraries.
_WORDS = re.compile(
    r"not enough memory|can't allocate memory|out of memory|CUBLAS_STATUS_ALLOC_FAILED"
)


@contextlib.contextmanager
def out_of_memory_in_words(settings: TrainingSettings, *, method: str) -> Iterator[None]:
    """Turn running out of memory into a user's error that names settings which need less.

    Whoever finds the process killed is told the same.

    Raises
    ------
    ValueError
        With settings to paste, if memory ran out.
    """
    # Out of the host's memory, Linux kills it.
    say_if_killed(advice(settings, method=method))
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and not _WORDS.search(
            str(error)
        ):
            raise
        raise ValueError(advice(settings, method=method)) from error


def advice(settings: TrainingSettings, *, method: str) -> str:
    """One line: what ran out of memory, and the settings that need less of it.

    A smaller batch with more accumulation takes the same steps. Only where the batch is 1 already
    something else has to give: time, then exactness of the weights, then the ends of essays.
    """
    now = (
        f"out of memory with {method}.batch_size {settings.batch_size}, accumulation "
        f"{settings.accumulation} and max_length {settings.max_length}"
    )
    smaller = list(_smaller_batches(settings.batch_size, settings.accumulation))
    if smaller:
        first, *further = [f"batch_size: {b}, accumulation: {a}" for b, a in smaller]
        then = "".join(f"; if that is too much too, {{{each}}}" for each in further)
        return f"{now}; the same steps in less memory: {method}: {{{first}}}{then}"
    if not settings.checkpointing:
        return (
            f"{now}; the same steps in less memory and more time: {method}: {{checkpointing: true}}"
        )
    shorter = f"{method}: {{max_length: {max(16, settings.max_length // 2)}}}, which cuts essays"
    if settings.quantisation == "none":
        return (
            f"{now}; less memory, not the same training: {method}: {{{_in_4_bits(settings)}}}, "
            f"which keeps the frozen weights in 4 bits, or {shorter}"
        )
    return f"{now}; less memory, not the same training: {shorter}"


def _in_4_bits(settings: TrainingSettings) -> str:
    """The settings that keep weights in 4 bits; where devices share the model, FSDP2 can't."""
    if fsdp_version() != 2:
        return "quantisation: nf4"
    precision = "" if settings.precision == "bfloat16" else ", precision: bfloat16"
    devices = os.environ["WORLD_SIZE"]
    return f"quantisation: nf4{precision}, launch: {{config: fsdp1_qlora, devices: {devices}}}"


def _smaller_batches(batch_size: int, accumulation: int) -> Iterator[tuple[int, int]]:
    """Smaller batches with as much more accumulation, down to 1."""
    while batch_size > 1:
        factor = next(n for n in range(2, batch_size + 1) if batch_size % n == 0)
        batch_size, accumulation = batch_size // factor, accumulation * factor
        yield batch_size, accumulation
