"""The five traits and the 32 profiles."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

TRAITS = ("openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism")
LETTERS = "OCEAN"

_LABEL = re.compile(r"O([+-])C([+-])E([+-])A([+-])N([+-])")


@dataclass(frozen=True, order=True)
class Profile:
    """High (True) or low (False) for each trait, in the order of `TRAITS`."""

    levels: tuple[bool, bool, bool, bool, bool]

    @classmethod
    def parse(cls, label: str) -> Profile:
        """Read a label such as ``O+C-E+A-N+``.

        Raises
        ------
        ValueError
            If the label is not of that form.
        """
        match = _LABEL.fullmatch(label)
        if match is None:
            raise ValueError(f"{label!r} is not a profile; write one like O+C-E+A-N+")
        return cls(tuple(sign == "+" for sign in match.groups()))  # type: ignore[arg-type]

    def __str__(self) -> str:
        pairs = zip(LETTERS, self.levels, strict=True)
        return "".join(letter + ("+" if high else "-") for letter, high in pairs)

    def words(self) -> str:
        """The profile in words: ``high openness, low conscientiousness, …``."""
        return ", ".join(
            f"{'high' if high else 'low'} {trait}"
            for trait, high in zip(TRAITS, self.levels, strict=True)
        )


ALL_PROFILES = tuple(
    Profile(levels)  # type: ignore[arg-type]
    for levels in itertools.product((True, False), repeat=len(TRAITS))
)


# Conscientiousness and agreeableness vary freely; extraversion is high where those two agree,
# openness and neuroticism where they differ.
_FOUR = ("O+C+E-A-N+", "O+C-E-A+N+", "O-C+E+A+N-", "O-C-E+A-N-")


def balanced_profiles(count: int) -> tuple[Profile, ...]:
    """All 32 profiles, the 16 with an even number of low traits, or four of these.

    The half fraction has the defining relation I = OCEAN: resolution V, so that main effects and
    two-trait interactions are not confounded with each other. In the four each trait is high
    twice, but traits are confounded (openness and neuroticism are high together): enough for a
    look at raw answers, not for telling effects of traits apart.

    Raises
    ------
    ValueError
        If `count` is none of 4, 16 and 32.
    """
    if count == 32:
        return ALL_PROFILES
    if count == 16:
        return tuple(p for p in ALL_PROFILES if p.levels.count(False) % 2 == 0)
    if count == 4:
        return tuple(Profile.parse(label) for label in _FOUR)
    raise ValueError(f"{count} profiles are not a balanced set; allowed are 4, 16 and 32")


def withheld_profiles() -> tuple[Profile, ...]:
    """The eight profiles that are never targets of preference training.

    The quarter fraction of the 32 with extraversion high where openness and conscientiousness
    agree, and neuroticism high where openness and agreeableness do (I = OCE = OAN): each trait is
    high in four of them, whatever another one is. Four of them are among the 16 of
    `balanced_profiles`, and these four all have high openness (decision 0028).
    """
    return tuple(
        profile
        for profile in ALL_PROFILES
        for o, c, e, a, n in [profile.levels]
        if e == (o == c) and n == (o == a)
    )


def design_matrix(profiles: Iterable[Profile]) -> np.ndarray:
    """Target levels as ±1, shape (profiles, 5)."""
    return np.array([[1.0 if high else -1.0 for high in p.levels] for p in profiles])
