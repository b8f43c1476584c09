"""What training may use and what is kept for tests: item clusters, wordings, item wordings.

Formats are split by the settings. All is drawn from the settings' seed, whatever is asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

TRAIN, TEST = "train", "test"
# Of an item's authored wordings the original and one rewording are for tests, two for training.
TEST_REWORDINGS = 1


class ClusterItem(NamedTuple):
    """An item as far as its split needs it."""

    cluster: str
    trait: str
    facet: str | None
    keyed: str


def split_clusters(items: Iterable[ClusterItem], *, seed: int) -> dict[str, str]:
    """Half of the item clusters for training, half for tests.

    Balanced by trait with keying, and by facet: clusters are taken from the largest to the
    smallest, of equals in a random order, and each goes to the side that has less of what it
    holds.

    Parameters
    ----------
    items
        The items of all instruments; a cluster goes as a whole.
    seed
        Seed of the order and of ties.

    Returns
    -------
    dict
        ``train`` or ``test`` by cluster, in the order of names.
    """
    content: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for item in items:
        content[item.cluster][item.trait, item.keyed] += 1
        if item.facet is not None:
            content[item.cluster][item.facet,] += 1
    generator = np.random.default_rng(seed)
    names = sorted(content)
    shuffled = [names[int(i)] for i in generator.permutation(len(names))]
    held = {TRAIN: Counter[tuple[str, ...]](), TEST: Counter[tuple[str, ...]]()}
    parts = {}
    for name in sorted(shuffled, key=lambda n: -sum(content[n].values())):
        own = content[name]
        # What the side has more than the other of each label in the cluster; sizes break ties.
        ahead = sum(
            count * (held[TRAIN][label] - held[TEST][label]) for label, count in own.items()
        )
        ahead = ahead or held[TRAIN].total() - held[TEST].total()
        part = (TRAIN, TEST)[int(generator.integers(2))] if ahead == 0 else TEST
        if ahead < 0:
            part = TRAIN
        held[part].update(own)
        parts[name] = part
    return {name: parts[name] for name in names}


def split_wordings(names: Sequence[str], *, seed: int) -> dict[str, str]:
    """Half of the instruction wordings for training; of an odd number one more for tests.

    The test wordings come first, in the order in which a study takes them: a study that asks one
    more keeps those it has.
    """
    order = [names[int(i)] for i in np.random.default_rng(seed).permutation(len(names))]
    tests = -(-len(names) // 2)
    return {name: TEST if rank < tests else TRAIN for rank, name in enumerate(order)}


def split_variants(
    texts: Mapping[str, int], *, seed: int, proposed: Mapping[str, int] | None = None
) -> dict[str, list[str]]:
    """For each item the part of each of its wordings: original, rewordings, proposed ones.

    Proposed ones are for training alone, for no person has read them; the parts of the others don't
    depend on them.

    Parameters
    ----------
    texts
        The number of wordings of each item, by its text, without proposed ones.
    seed
        Seed of which rewording is for tests.
    proposed
        The number of proposed rewordings of items that have any.
    """
    generator = np.random.default_rng(seed)
    parts = {}
    for text in sorted(texts):
        rewordings = texts[text] - 1
        kept = set(generator.permutation(rewordings)[:TEST_REWORDINGS].tolist())
        parts[text] = [TEST, *(TEST if n in kept else TRAIN for n in range(rewordings))]
        parts[text] += [TRAIN] * (proposed or {}).get(text, 0)
    return parts


def assign_variants(
    parts: Mapping[str, Sequence[str]], wordings: Sequence[str], *, part: str, seed: int
) -> dict[str, dict[str, int]]:
    """Which of its wordings each item has under each instruction wording.

    The wordings of an item's `part` take turns, from a start that is drawn so that within a
    wording the items' own turns are spread evenly: over an even number of test wordings each item
    stands half in its original words and half in its test rewording.

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
    generator = np.random.default_rng(seed)
    texts = sorted(parts)
    starts = generator.permutation(len(texts))
    assigned: dict[str, dict[str, int]] = {wording: {} for wording in wordings}
    for text, start in zip(texts, starts, strict=True):
        own = [number for number, found in enumerate(parts[text]) if found == part] or [0]
        for turn, wording in enumerate(wordings):
            assigned[wording][text] = own[(int(start) + turn) % len(own)]
    return assigned


def check_formats(
    formats: Mapping[str, Any], *, asked: Sequence[str], trained: Sequence[str]
) -> dict[str, str]:
    """The part of each format.

    Raises
    ------
    ValueError
        If a format isn't authored, or none of those that are asked for is held out.
    """
    for key, names in (("formats", asked), ("trained_formats", trained)):
        unknown = [name for name in names if name not in formats]
        if unknown:
            raise ValueError(
                f"forms.{key}: no format {unknown[0]!r}; authored are {', '.join(formats)}"
            )
    if not set(asked) - set(trained):
        raise ValueError(
            f"forms.formats ({', '.join(asked)}) are all among forms.trained_formats; at least one "
            "format must never be trained on"
        )
    return {name: TRAIN if name in trained else TEST for name in formats}
