"""Checks that a rewording which no person has read must pass: of words, of meaning, by a reading.

They are those of the authored rewordings (docs/rewordings.md). Embeddings miss negation, and words
alone say little of meaning, so a phrase is admitted only if it passes all three.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

FEWEST_WORDS, MOST_WORDS = 2, 14
# Among the authored phrases and the items of all instruments no two are so alike (at most 0.863).
NEARLY_EQUAL = 0.9
# Of the authored rewordings 88 % are so near to their item, under another item 10 %.
NEARER_THAN = 0.9

_TRAIT_NAMES = re.compile(r"openness|conscientious|extra?[vo]ver|introver|agreeabl|neurotic", re.I)
_WORDS = re.compile(r"[A-Za-z][A-Za-z' ,-]*[A-Za-z]")
# What cannot follow "I": a second subject, an article, a preposition, a verb of another person.
_NO_VERB = re.compile(
    "a|about|an|and|are|as|at|because|but|by|for|from|he|her|here|his|how|i|if|in|is|it|its|my|no|"
    "not|of|on|or|our|she|that|the|their|there|these|they|this|those|to|we|what|when|which|while|"
    "who|with|yes|you|your"
)
_THIRD_PERSON = re.compile(r"(?!always$|perhaps$|sometimes$).*[^su]s")
_PARTICIPLE = re.compile(r"(?!(?:br|cl|fl|r|s|sl|spr|st|str|sw|w|wr)ing$).*ing")


@dataclass(frozen=True)
class Admission:
    """Whether a phrase is admitted, and if not, which check it failed."""

    admitted: bool
    reason: str = ""


@dataclass(frozen=True)
class Reading:
    """What a reader of the words alone found.

    Attributes
    ----------
    traits
        The trait found in each order of the options.
    keyed
        For each trait that was asked about: ``plus`` or ``minus``, in each order of the options.
    """

    traits: tuple[str, ...]
    keyed: Mapping[str, tuple[str, ...]]


def check_words(phrase: str, *, known: Iterable[str]) -> Admission:
    """Whether a phrase has the form of an item and isn't there yet.

    Refused, in this order: what is no sentence with ``I`` before it and a full stop after it, fewer
    than 2 or more than 14 words, an enumeration (more than one comma), a trait's name, and what is
    a known phrase or nearly one. Two phrases are nearly equal if the ratio of matching characters
    of their words (``difflib``: 2 × matches / both lengths) is at least 0.9, in the order in which
    the words stand or with sorted words.

    Parameters
    ----------
    phrase
        Without its subject and without a full stop.
    known
        All items of all instruments and all rewordings that there are.
    """
    words = _folded(phrase)
    if not _WORDS.fullmatch(phrase) or not _can_follow_i(words[0]):
        return Admission(False, "no sentence")
    if not FEWEST_WORDS <= len(words) <= MOST_WORDS:
        return Admission(False, "length")
    if phrase.count(",") > 1:
        return Admission(False, "word list")
    if _TRAIT_NAMES.search(phrase):
        return Admission(False, "trait name")
    if any(map(_alike_to(words), map(_folded, known))):
        return Admission(False, "known phrase")
    return Admission(True)


def check_meaning(
    similarity: np.ndarray, *, own: int, clusters: Sequence[str], least: float = NEARER_THAN
) -> Admission:
    """Whether a phrase is nearer to its item than to most items of other clusters.

    Items of its own cluster, which holds opposites too, are left out of the comparison.

    Parameters
    ----------
    similarity
        Cosines of the phrase's sentence embedding with those of the items, shape (items,).
    own
        Position of its item.
    clusters
        The cluster of each item.
    least
        Share of the items of other clusters to which the phrase must be less near.

    Raises
    ------
    ValueError
        If no item is in another cluster.
    """
    others = similarity[[cluster != clusters[own] for cluster in clusters]]
    if not len(others):
        raise ValueError(
            f"all items are in the cluster {clusters[own]!r}; nearness to an item can be judged "
            "only where there are items of other clusters"
        )
    nearer = float(np.mean(similarity[own] > others))
    return Admission(True) if nearer >= least else Admission(False, "nearer to other items")


def check_reading(reading: Reading, *, keys: Collection[tuple[str, str]]) -> Admission:
    """Whether a reader found trait and keying of the item in every order of the options.

    Parameters
    ----------
    reading
        What was read.
    keys
        Trait and keying (``plus`` or ``minus``) of the item; several where instruments score the
        same text differently, of which one must be found.
    """
    found = [(trait, keyed) for trait, keyed in keys if set(reading.traits) == {trait}]
    if not found:
        return Admission(False, "read as another trait")
    if not any(set(reading.keyed[trait]) == {keyed} for trait, keyed in found):
        return Admission(False, "read with another keying")
    return Admission(True)


def _folded(phrase: str) -> list[str]:
    return re.findall(r"[\w']+", phrase.lower())


def _can_follow_i(word: str) -> bool:
    return not any(found.fullmatch(word) for found in (_NO_VERB, _THIRD_PERSON, _PARTICIPLE))


def _alike_to(words: list[str]) -> Callable[[list[str]], bool]:
    """Tells which words are nearly equal to these."""
    as_said = SequenceMatcher(b=" ".join(words), autojunk=False)
    as_sorted = SequenceMatcher(b=" ".join(sorted(words)), autojunk=False)

    def nearly_equal(other: list[str]) -> bool:
        as_said.set_seq1(" ".join(other))
        # Upper bounds, whatever the order of the words; nearly all comparisons end there.
        if as_said.real_quick_ratio() < NEARLY_EQUAL or as_said.quick_ratio() < NEARLY_EQUAL:
            return False
        as_sorted.set_seq1(" ".join(sorted(other)))
        return max(as_said.ratio(), as_sorted.ratio()) >= NEARLY_EQUAL

    return nearly_equal
