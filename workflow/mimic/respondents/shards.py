"""Processes that share what one respondent is asked, each on a device of its own.

What they have in common is the answer store. How a prompt is answered doesn't depend on what is
asked with it, so any number of processes gives the bytes of one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")

# Longer than any job may take: whoever fails ends the others, see `mimic.provenance.launch`.
_PATIENCE = timedelta(days=30)


@dataclass(frozen=True)
class Shard:
    """One of the processes.

    Attributes
    ----------
    rank
        Its number, from 0. The first one writes the results.
    count
        How many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes the results."""
        return self.rank == 0

    def share(self, things: Sequence[T]) -> list[T]:
        """Those of some things that fall to this process."""
        return list(things[self.rank :: self.count])

    def wait(self) -> None:
        """Wait until all are here."""
        import torch.distributed as dist

        if not dist.is_initialized():
            dist.init_process_group("gloo", timeout=_PATIENCE)
        dist.barrier()


def own_shard(device: str) -> Shard:
    """Which process this is, as its launcher says; on GPUs it takes that of its number.

    Parameters
    ----------
    device
        ``cpu`` or ``cuda``.
    """
    shard = Shard(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))
    if shard.count > 1 and device == "cuda":
        import torch

        torch.cuda.set_device(shard.rank)
    return shard
