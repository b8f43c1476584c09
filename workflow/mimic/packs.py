"""Which trainings are put together into one job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mimic.recipes import Run


def list_packs(
    runs: Iterable[Run], *, size: int, seconds: Mapping[str, float]
) -> dict[str, tuple[str, ...]]:
    """Put trainings together that need one device each and take about as long.

    Runs of one model with the same method that take equally long fill packs first: when one of them
    changes, no other model's jobs are looked at. What is left of them is put together by time,
    whatever its model: a node that is allocated whole is held for the longest run of a pack.

    Parameters
    ----------
    runs
        Of a study, base runs among them.
    size
        Most trainings of a pack.
    seconds
        How long each training takes, by the run's label.

    Returns
    -------
    dict
        The runs of each pack, by the label of its first. A training that is left alone is in none.
    """
    alike: dict[tuple[str, str, float], list[str]] = {}
    for run in runs:
        if run.training is not None and run.training.launch.devices == 1:
            alike.setdefault((run.model, run.method, seconds[run.label]), []).append(run.label)
    full: list[list[str]] = []
    rest: list[str] = []
    for some in alike.values():
        whole = len(some) - len(some) % size
        full += _in_portions(some[:whole], size)
        rest += some[whole:]
    # Nodes filled with the longest first are held for the shortest time altogether.
    shared = _in_portions(sorted(rest, key=lambda label: -seconds[label]), size)
    return {pack[0]: tuple(pack) for pack in full + shared if len(pack) > 1}


def _in_portions(labels: list[str], size: int) -> list[list[str]]:
    return [labels[place : place + size] for place in range(0, len(labels), size)]
