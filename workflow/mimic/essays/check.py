"""Which rows of a corpus are usable essays, and why the others are not."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mimic.essays.load import RawEssay
from mimic.traits import Profile

EMPTY = "empty"
SHORT = "too few words"
CONFLICT = "same text with different labels"
REPEATED = "same text and labels as another row"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufeff]")


@dataclass(frozen=True)
class Essay:
    """A usable essay.

    Attributes
    ----------
    id
        Unique: the author's id if it has no other essay, else with the digest's beginning.
    authors
        Ids of all authors whose row had this text; empty where the layout has none.
    digest
        The sha256 of the text: an order of essays that doesn't depend on the source's rows.
    row
        Where the source has it; no part of what the essay is.
    """

    id: str
    authors: tuple[str, ...]
    text: str
    profile: Profile
    digest: str
    row: int = field(compare=False)

    @property
    def words(self) -> int:
        """The number of words, separated by spaces."""
        return len(self.text.split())


class Rejected(NamedTuple):
    """A row that is no usable essay."""

    row: int
    id: str
    reason: str


def clean(text: str) -> str:
    """Make each run of white space and control characters one space; words stay as they are."""
    return " ".join(_CONTROL.sub(" ", text).split())


def check(rows: Sequence[RawEssay], *, min_words: int) -> tuple[list[Essay], list[Rejected]]:
    """Separate usable essays from rows to reject.

    Of several rows with the same text and labels the first in the order of their authors' ids is
    kept, so that the result doesn't depend on the order of rows. Rows with the same text and
    different labels are all rejected.

    Returns
    -------
    tuple
        The essays in the order of their digests, and the rejected rows in the order of the source.
    """
    rejected = []
    same_text: dict[str, list[RawEssay]] = defaultdict(list)
    for row in rows:
        text = clean(row.text)
        words = len(text.split())
        if words < min_words:
            rejected.append(Rejected(row.row, row.author or "", SHORT if words else EMPTY))
        else:
            same_text[text].append(row)

    kept: list[tuple[str, str, list[RawEssay]]] = []
    for text, group in same_text.items():
        group.sort(key=lambda row: (row.author or "", row.row))
        conflict = len({row.profile for row in group}) > 1
        reason = CONFLICT if conflict else REPEATED
        drop = group if conflict else group[1:]
        rejected.extend(Rejected(row.row, row.author or "", reason) for row in drop)
        if not conflict:
            kept.append((hashlib.sha256(text.encode()).hexdigest(), text, group))

    essays_of = Counter(group[0].author for _, _, group in kept)
    essays = []
    for digest, text, group in sorted(kept, key=lambda item: item[0]):
        author = group[0].author
        if author is None:
            name = f"essay_{digest[:12]}"
        else:
            name = author if essays_of[author] == 1 else f"{author}_{digest[:12]}"
        authors = tuple(sorted({row.author for row in group if row.author is not None}))
        essays.append(Essay(name, authors, text, group[0].profile, digest, group[0].row))
    return essays, sorted(rejected)
