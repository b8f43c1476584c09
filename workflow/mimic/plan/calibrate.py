"""What was measured over what was planned, from the records of runs that were made.

One factor for each kind of device, method and quantity: the geometric mean of the ratios. It stands
beside the plan's own figure and never replaces its constants.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from mimic.plan.devices import Kind

Quantity = Literal["seconds", "bytes"]
MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One figure of a run that was made, and what the plan says of it."""

    device: Kind
    method: str
    quantity: Quantity
    measured: float
    planned: float


@dataclass(frozen=True, kw_only=True)
class Factor:
    """What to multiply the plan's figure with.

    Attributes
    ----------
    runs
        How many runs it rests on.
    spread
        Factor by which single runs differ from it, as a geometric standard deviation; None for one
        run.
    """

    value: float
    runs: int
    spread: float | None


Factors = Mapping[tuple[Kind, str, Quantity], Factor]


def fit(observations: Iterable[Observation]) -> dict[tuple[Kind, str, Quantity], Factor]:
    """Fit one factor for each kind of device, method and quantity."""
    ratios: dict[tuple[Kind, str, Quantity], list[float]] = {}
    for one in observations:
        key = (one.device, one.method, one.quantity)
        ratios.setdefault(key, []).append(math.log(one.measured / one.planned))
    return {key: _factor(logs) for key, logs in ratios.items()}


def _factor(logs: list[float]) -> Factor:
    mean = sum(logs) / len(logs)
    spread = None
    if len(logs) > 1:
        variance = sum((log - mean) ** 2 for log in logs) / (len(logs) - 1)
        spread = math.exp(math.sqrt(variance))
    return Factor(value=math.exp(mean), runs=len(logs), spread=spread)


def seconds_of(circumstances: Mapping[str, Any]) -> float | None:
    """How long the work of a record took; None if it was begun more than once.

    Of several attempts the record holds the last one's times alone.
    """
    if circumstances["attempts"] != 1:
        return None
    started, ended = (datetime.fromisoformat(circumstances[key]) for key in ("started", "ended"))
    return (ended - started).total_seconds()


def device_of(settings: Mapping[str, Any], circumstances: Mapping[str, Any]) -> Kind | None:
    """The kind of device of a record; None if the plan knows none like it."""
    if settings.get("compute", {}).get("device", "cpu") == "cpu":
        return "cpu"
    names = {gpu["name"] for gpu in circumstances["device"]["gpus"]}
    memory = {gpu["memory"].split()[0] for gpu in circumstances["device"]["gpus"]}
    if all("H200" in name for name in names) and names:
        return "h200"
    # nvidia-smi tells MiB; an A100 of 80 GB has 81,920 of them.
    if all("A100" in name for name in names) and memory == {"40960"}:
        return "a100-40"
    return None


def bytes_of(kind: Kind, circumstances: Mapping[str, Any]) -> float | None:
    """The peak memory of a record: of the process on a CPU, of tensors on the fullest GPU."""
    if kind == "cpu":
        return float(circumstances["peak_memory_mb"] * MIB)
    peaks = circumstances.get("peak_gpu_memory_mb")
    return float(max(peaks) * MIB) if peaks else None
