"""Cuts by their names, and numbers as they are written."""

from __future__ import annotations

from typing import Any

import numpy as np

from mimic.metrics.protocols import PUBLISHED_CUT
from mimic.questionnaire.instruments import Instrument, cuts
from mimic.traits import TRAITS

NORMS = "norms of the original form"


def cuts_of(instrument: Instrument) -> dict[str, np.ndarray]:
    """The cuts of a study, by name: the norms' where the instrument has them, then 3.0."""
    named = {} if instrument.norms is None else {NORMS: cuts(instrument, "norms")}
    named |= {PUBLISHED_CUT: cuts(instrument, 3.0)}
    return {name: np.array([cut[trait] for trait in TRAITS]) for name, cut in named.items()}


def rounded(value: Any) -> Any:
    """All floats to 10 significant digits, so that the last bits of a sum change no bytes."""
    if isinstance(value, float):
        # Adding 0 turns -0.0 into 0.0.
        return float(f"{value:.10g}") + 0.0
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value
