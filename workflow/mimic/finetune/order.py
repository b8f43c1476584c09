"""The order in which examples are trained on: the same however often a training was interrupted.

transformers sorts by length within large random groups, but draws the groups from the process's
own random state, which an attempt that goes on from a checkpoint doesn't have at an epoch's
beginning, and makes them as large as one process's share of a step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback
from transformers.trainer_pt_utils import LengthGroupedSampler

if TYPE_CHECKING:
    from torch.utils.data import DataLoader, Sampler


class SortedSampler(LengthGroupedSampler):
    """transformers' order by length, drawn from the seed and the epoch alone."""

    def __init__(self, lengths: list[int], *, step_size: int, seed: int) -> None:
        super().__init__(step_size, lengths=lengths)
        self.seed, self.epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is to be drawn."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self.generator = torch.Generator().manual_seed(self.seed + self.epoch)
        return super().__iter__()


class LengthSorted:
    """What a trainer needs for `length_sorted`: its data set has the column ``length``."""

    args: Any
    train_dataset: Any

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler | None:
        if self.args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)  # type: ignore[misc]
        share = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
        return SortedSampler(
            list(self.train_dataset["length"]),
            step_size=share * self.args.world_size,
            seed=self.args.data_seed,
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
