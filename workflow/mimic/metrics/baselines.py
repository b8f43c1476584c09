"""What respondents that know nothing of the target would get, for what each figure is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mimic.traits import ALL_PROFILES, TRAITS, Profile


def modal_profile(path: Path) -> dict[str, Any]:
    """The most frequent profile of the essays in a CSV, of equals the first.

    Parameters
    ----------
    path
        The checked essays.

    Returns
    -------
    dict
        ``profile``, and ``share_of_essays``: how many of them have it.

    Raises
    ------
    ValueError
        If there are no essays.
    """
    levels = pd.read_csv(path, usecols=list(TRAITS))[list(TRAITS)].to_numpy() == 1
    found = [Profile((bool(o), bool(c), bool(e), bool(a), bool(n))) for o, c, e, a, n in levels]
    if not found:
        raise ValueError(f"{path}: no essays")
    profile = max(ALL_PROFILES, key=found.count)
    return {"profile": str(profile), "share_of_essays": found.count(profile) / len(found)}


def constant_share(profiles: Sequence[str]) -> float:
    """Exact match of whoever always gives the commonest of the profiles that are scored."""
    return max(profiles.count(profile) for profile in set(profiles)) / len(profiles)


def target_counts(profiles: Sequence[str]) -> dict[str, Any]:
    """What a figure of a part of the profiles rests on, and what knowing no target gets there.

    Parameters
    ----------
    profiles
        The one that each output is scored against; at least one.

    Returns
    -------
    dict
        ``profiles``: how many different ones; ``constant_profile``: see `constant_share`; ``high``:
        by trait, in how many of them it is high.
    """
    different = [Profile.parse(label) for label in sorted(set(profiles))]
    high = {t: sum(p.levels[place] for p in different) for place, t in enumerate(TRAITS)}
    share = constant_share(profiles)
    return {"profiles": len(different), "constant_profile": share, "high": high}


def by_source(
    figure: Callable[[Sequence[str]], float], asked: Mapping[str, Sequence[str]], texts: list[str]
) -> dict[str, Any]:
    """A figure of the scored profiles, for each context (``questionnaire``) and for ``texts``.

    Parameters
    ----------
    figure
        Such as `constant_share`.
    asked
        By context, the profile that each subject is scored against.
    texts
        The profile that each text was written for; without texts they have no figure.
    """
    return {
        "questionnaire": {context: figure(profiles) for context, profiles in asked.items()},
        "texts": figure(texts) if texts else None,
    }
