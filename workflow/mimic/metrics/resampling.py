"""How often is resampled, and from which seed."""

from __future__ import annotations

from typing import NamedTuple


class Resampling(NamedTuple):
    """What intervals and p-values need besides the data.

    Attributes
    ----------
    draws
        Bootstrap draws behind each interval.
    permutations
        Permutations of the targets behind each p-value.
    seed
        Seed of both.
    """

    draws: int
    permutations: int
    seed: int
