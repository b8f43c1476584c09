"""The names in braces in words that are filled in later."""

from __future__ import annotations

import string
from collections.abc import Sequence


def placeholders(words: str, *, allowed: Sequence[str]) -> set[str]:
    """The names in braces. Raises ValueError for others than those allowed."""
    listed = ", ".join(f"{{{name}}}" for name in allowed)
    literally = f"allowed are {listed}, and a brace that is meant literally is doubled"
    try:
        parts = list(string.Formatter().parse(words))
    except ValueError as error:
        raise ValueError(f"{error}; {literally}") from None
    names = set()
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        if name not in allowed or spec or conversion:
            written = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            raise ValueError(f"{{{written}}} is no placeholder; {literally}")
        names.add(name)
    return names
