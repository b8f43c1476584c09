"""What training may use and what is kept for tests: item clusters, wordings, item wordings.

Formats are split by the settings. All else follows from the settings' seed and from the names of
what is split, whatever is asked: each cluster, wording and item has a digest of its own
(`digest_of`), so that one more moves the others as little as balance allows.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

TRAIN, TEST = "train", "test"
# Of an item's authored wordings the original and one rewording are for tests, two for training.
TEST_REWORDINGS = 1


class ClusterItem(NamedTuple):
    """An item as far as its split needs it."""

    instrument: str
    cluster: str
    trait: str
    facet: str | None
    keyed: str


def digest_of(seed: int, *names: str) -> int:
    """The first 64 bits of the sha256 of the seed and of names, as JSON."""
    content = json.dumps([seed, *names]).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big")


def split_clusters(items: Iterable[ClusterItem], *, seed: int) -> dict[str, str]:
    """Half of the item clusters for training, half for tests.

    Balanced within each instrument: by trait with keying, by trait, and by facet. Clusters are
    taken from the largest to the smallest, of equals in the order of their digests, and each goes
    to the side that has less of what it holds. Then, as long as it makes the sum of squared
    differences between the sides less, one cluster changes sides or two change places.

    Parameters
    ----------
    items
        The items of all instruments; a cluster goes as a whole.
    seed
        Seed of the digests.

    Returns
    -------
    dict
        ``train`` or ``test`` by cluster, in the order of names.
    """
    content: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for item in items:
        content[item.cluster][item.instrument, item.trait, item.keyed] += 1
        content[item.cluster][item.instrument, item.trait] += 1
        if item.facet is not None:
            content[item.cluster][item.instrument, "facet", item.facet] += 1
    order = sorted(content, key=lambda n: (-content[n].total(), digest_of(seed, "cluster", n)))
    labels = {label: n for n, label in enumerate(sorted(set().union(*content.values())))}
    held = np.zeros((len(order), len(labels)), dtype=np.int64)
    for row, name in enumerate(order):
        for label, count in content[name].items():
            held[row, labels[label]] = count
    sides = np.zeros(len(order), dtype=np.int64)
    ahead = np.zeros(len(labels), dtype=np.int64)
    for row, name in enumerate(order):
        more = int(held[row] @ ahead)
        sides[row] = (-1 if more > 0 else 1) if more else 1 - 2 * (digest_of(seed, name) % 2)
        ahead += sides[row] * held[row]
    _improve(sides, held)
    parts = {name: TEST if side > 0 else TRAIN for name, side in zip(order, sides, strict=True)}
    return {name: parts[name] for name in sorted(parts)}


def _improve(sides: np.ndarray, held: np.ndarray) -> None:
    """Move clusters in place while that lessens the squared differences, the best move first.

    Parameters
    ----------
    sides
        1 or −1 for each cluster, shape (clusters,).
    held
        What each holds of each label, shape (clusters, labels).
    """
    ahead = sides @ held
    while True:
        # |a − 2 s h|² − |a|² of one that changes, and of two that change together.
        signed = sides[:, None] * held
        alone = 4 * ((signed**2).sum(axis=1) - signed @ ahead)
        both = alone[:, None] + alone + 8 * signed @ signed.T
        np.fill_diagonal(both, alone)
        first, second = np.unravel_index(both.argmin(), both.shape)
        if both[first, second] >= 0:
            return
        for row in {int(first), int(second)}:
            ahead -= 2 * signed[row]
            sides[row] *= -1


def sides_of(
    items: Iterable[ClusterItem], parts: Mapping[str, str]
) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Number of items by instrument, trait, part and keying; what a side lacks has 0."""
    found: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
    for item in items:
        traits = found.setdefault(item.instrument, {})
        empty = {part: {"plus": 0, "minus": 0} for part in (TRAIN, TEST)}
        traits.setdefault(item.trait, empty)[parts[item.cluster]][item.keyed] += 1
    return found


def lacking_sides(sides: Mapping[str, Mapping[str, Mapping[str, Mapping[str, int]]]]) -> list[str]:
    """Each instrument's traits that have items of only one keying, or none, on a side; in words.

    Where an instrument has no item of a keying at all, its lack isn't the split's.
    """
    found = []
    for instrument, traits in sides.items():
        for trait, own in traits.items():
            for part, keyings in own.items():
                for keyed, count in keyings.items():
                    if not count and any(other[keyed] for other in own.values()):
                        found.append(f"{instrument}: {part} has no {keyed}-keyed item of {trait}")
    return found


def lacking_facets(items: Iterable[ClusterItem], parts: Mapping[str, str]) -> list[str]:
    """Each instrument's facets whose items are all on one side; in words.

    Where the items of a facet are of one cluster, no split gives both sides some.
    """
    held: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for item in items:
        if item.facet is not None:
            held[item.instrument, item.trait, item.facet].add(parts[item.cluster])
    return [
        f"{instrument}: {part} has no item of facet {facet} of {trait}"
        for (instrument, trait, facet), sides in held.items()
        for part in (TRAIN, TEST)
        if part not in sides
    ]


def split_wordings(names: Sequence[str], *, seed: int) -> dict[str, str]:
    """Half of the instruction wordings for training; of an odd number one more for tests.

    Of each two in authored order the one with the smaller digest is for tests, and so is one that
    is left over. So wordings that are added at the end leave the parts of all pairs before them.

    Returns
    -------
    dict
        Test wordings first, in the order in which a study takes them: a study that asks one more
        keeps those it has.
    """
    tests = [
        min(names[start : start + 2], key=lambda name: digest_of(seed, "wording", name))
        for start in range(0, len(names), 2)
    ]
    return dict.fromkeys(tests, TEST) | {name: TRAIN for name in names if name not in tests}


def split_variants(
    texts: Mapping[str, int], *, seed: int, proposed: Mapping[str, int] | None = None
) -> dict[str, list[str]]:
    """For each item the part of each of its wordings: original, rewordings, proposed ones.

    Proposed ones are for training alone, for no person has read them; the parts of the others don't
    depend on them. An item's parts don't depend on other items.

    Parameters
    ----------
    texts
        The number of wordings of each item, by its text, without proposed ones.
    seed
        Seed of which rewording is for tests.
    proposed
        The number of proposed rewordings of items that have any.
    """
    parts = {}
    for text in sorted(texts):
        rewordings = range(texts[text] - 1)
        drawn = sorted(rewordings, key=lambda n: digest_of(seed, "rewording", text, str(n)))
        kept = drawn[:TEST_REWORDINGS]
        parts[text] = [TEST, *(TEST if n in kept else TRAIN for n in rewordings)]
        parts[text] += [TRAIN] * (proposed or {}).get(text, 0)
    return parts


def assign_variants(
    parts: Mapping[str, Sequence[str]], wordings: Sequence[str], *, part: str, seed: int
) -> dict[str, dict[str, int]]:
    """Which of its wordings each item has under each instruction wording.

    The wordings of an item's `part` take turns, from a start that follows from the item's digest:
    within a wording about half of the items stand in their original words, and over an even number
    of test wordings each item does in half of them.

    Parameters
    ----------
    parts
        What `split_variants` gave.
    wordings
        Instruction wordings, in the order in which a study takes them.
    part
        ``train`` or ``test``.
    seed
        Seed of the starts.

    Returns
    -------
    dict
        By instruction wording, by item text: 0 for the original, else the rewording's number.
    """
    assigned: dict[str, dict[str, int]] = {wording: {} for wording in wordings}
    for text in sorted(parts):
        start = digest_of(seed, "start", text)
        own = [number for number, found in enumerate(parts[text]) if found == part] or [0]
        for turn, wording in enumerate(wordings):
            assigned[wording][text] = own[(start + turn) % len(own)]
    return assigned


def check_formats(
    formats: Mapping[str, Any], *, asked: Sequence[str], trained: Sequence[str]
) -> dict[str, str]:
    """The part of each format.

    Raises
    ------
    ValueError
        If none of the formats that are asked for is held out.
    """
    if not set(asked) - set(trained):
        raise ValueError(
            f"forms.formats ({', '.join(asked)}) are all among forms.trained_formats; at least one "
            "format must never be trained on"
        )
    return {name: TRAIN if name in trained else TEST for name in formats}
