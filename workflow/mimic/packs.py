"""Which trainings are put together into one job."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mimic.recipes import Run


def list_packs(runs: Iterable[Run], *, size: int | None) -> dict[str, tuple[str, ...]]:
    """Put trainings together that need one device each and take about as long.

    Runs of one model with the same method and number of steps fill packs first. What is left of
    them shares packs with what is left of the model's other runs: a node that is allocated whole
    is then busy for the longest of them, not for each of them in turn.

    Parameters
    ----------
    runs
        Of a study, base runs among them.
    size
        Most trainings of a pack; None for no packs.

    Returns
    -------
    dict
        The runs of each pack, by the label of its first. A training that is left alone is in none.
    """
    if size is None:
        return {}
    alike: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        if run.training is not None and run.training.launch.devices == 1:
            length = (run.training.steps, run.training.epochs)
            alike.setdefault((run.model, run.method, *length), []).append(run)
    full: list[list[Run]] = []
    shared: list[list[Run]] = []
    for some in alike.values():
        whole = len(some) - len(some) % size
        full += [some[place : place + size] for place in range(0, whole, size)]
        if rest := some[whole:]:
            _add_to_first_with_room(shared, rest, size=size)
    packs = [pack for pack in full + shared if len(pack) > 1]
    return {pack[0].label: tuple(run.label for run in pack) for pack in packs}


def _add_to_first_with_room(packs: list[list[Run]], rest: list[Run], *, size: int) -> None:
    for pack in packs:
        if pack[0].model == rest[0].model and len(pack) + len(rest) <= size:
            pack += rest
            return
    packs.append(rest)
