"""What `mimic doctor` found of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OK: Literal["ok"] = "ok"
MISSING: Literal["missing"] = "missing"
UNCHECKED: Literal["could not be checked"] = "could not be checked"
State = Literal["ok", "missing", "could not be checked"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the doctor's table.

    Attributes
    ----------
    what
        The thing.
    found
        What there is, or what is wrong with it.
    mend
        What to do about it; empty where nothing is to be done.
    """

    what: str
    state: State
    found: str
    mend: str = ""
