"""The order in which examples are trained on: the same for any number of processes and attempts.

transformers draws it from the seed, but sorts by length by the process's own random state, which an
attempt that goes on from a checkpoint doesn't have at an epoch's beginning. It ends an epoch with a
shorter step in one process, and in several with one that they fill up by their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import Sampler
from transformers import TrainerCallback
from transformers.trainer_pt_utils import get_length_grouped_indices

if TYPE_CHECKING:
    from torch.utils.data import DataLoader


class StepSampler(Sampler[int]):
    """The examples of an epoch in whole steps: all of them, and some again for the last step.

    Parameters
    ----------
    count
        How many examples there are.
    step_size
        How many make a step, of all processes together.
    seed
        What the order is drawn from, with the epoch.
    lengths
        Of the examples, if such of similar length are to stand together.
    """

    def __init__(
        self, count: int, *, step_size: int, seed: int, lengths: list[int] | None = None
    ) -> None:
        self.count, self.step_size, self.seed, self.lengths = count, step_size, seed, lengths
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is to be drawn."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count + self._lacking

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        if self.lengths is None:
            order = torch.randperm(self.count, generator=generator).tolist()
        else:
            order = get_length_grouped_indices(self.lengths, self.step_size, generator=generator)
        yield from order
        # Not the first of the order, which by length are the longest.
        again = torch.randperm(self.count, generator=generator).tolist()
        yield from (again[number % self.count] for number in range(self._lacking))

    @property
    def _lacking(self) -> int:
        return -self.count % self.step_size


class InSteps:
    """What a trainer needs for this order; to sort, its data set has the column ``length``."""

    args: Any
    train_dataset: Any

    def _get_train_sampler(self, train_dataset: Any = None) -> StepSampler:
        # What is passed has lost the columns that the model doesn't read.
        dataset = self.train_dataset
        share = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
        is_sorted = self.args.train_sampling_strategy == "group_by_length"
        return StepSampler(
            len(dataset),
            step_size=share * self.args.world_size,
            seed=self.args.data_seed,
            lengths=list(dataset["length"]) if is_sorted else None,
        )


class TellEpoch(TrainerCallback):
    """Tells the sampler its epoch, which accelerate doesn't where several processes resume."""

    def on_epoch_begin(self, args, state, control, train_dataloader=None, **kwargs):  # type: ignore[no-untyped-def]
        """Set it before the epoch's order is drawn."""
        sampler = sampler_of(train_dataloader)
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(int(state.epoch or 0))


def sampler_of(loader: DataLoader) -> Sampler:
    """The sampler of examples below whatever cuts its order into batches and shares."""
    batches: Any = loader.batch_sampler
    while hasattr(batches, "batch_sampler"):
        batches = batches.batch_sampler
    return batches.sampler
