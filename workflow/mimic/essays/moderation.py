"""Which essays a filter takes out, and what that does to the balance of the labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mimic.essays.check import Essay, Rejected
from mimic.traits import TRAITS

MODERATED = "moderated"

# A word of a pattern: alternatives, each with * at its end for any ending.
_WORD = re.compile(r"[\w'-]+\*?(?:\|[\w'-]+\*?)*")


class PatternList(NamedTuple):
    """The local filter: for each category what an essay is searched for."""

    version: int
    patterns: dict[str, re.Pattern[str]]


class Verdicts(NamedTuple):
    """What a filter found.

    Attributes
    ----------
    filter
        What the filter was, for the summary.
    categories
        All that it looks for.
    found
        The categories found in each essay; none where it is kept.
    """

    filter: dict[str, Any]
    categories: tuple[str, ...]
    found: list[tuple[str, ...]]


def load_patterns(path: Path) -> PatternList:
    """Read a list of patterns.

    Parameters
    ----------
    path
        A YAML file with ``version``, a whole number, and ``categories``: lists of patterns. A
        pattern is words with single spaces between them; a word may have alternatives (``a|b``),
        and ``*`` at its end stands for any ending.

    Raises
    ------
    ValueError
        If the file is missing or has another shape; the message names the file and the entry.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file; it should hold the patterns of moderation")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not valid YAML ({error})") from None
    values = values if isinstance(values, dict) else {}
    version, categories = values.get("version"), values.get("categories")
    # True is a whole number to Python.
    if type(version) is not int or version < 1:
        raise ValueError(f"{path}: version = {version!r}: expected a whole number from 1 on")
    if not isinstance(categories, dict) or not categories:
        raise ValueError(f"{path}: expected the key categories with lists of patterns by category")
    patterns = {}
    for category, entries in categories.items():
        where = f"{path}: categories.{category}"
        if not isinstance(entries, list) or not entries:
            raise ValueError(f"{where} = {entries!r}: expected a list of patterns")
        found = "|".join(_expression(entry, where=where) for entry in entries)
        patterns[str(category)] = re.compile(rf"(?<!\w)(?:{found})(?!\w)", re.IGNORECASE)
    return PatternList(version, patterns)


def judge_by_patterns(essays: Sequence[Essay], patterns: PatternList) -> Verdicts:
    """Search each essay for each category's patterns."""
    return Verdicts(
        {"kind": "local", "version": patterns.version},
        tuple(patterns.patterns),
        [
            tuple(name for name, pattern in patterns.patterns.items() if pattern.search(essay.text))
            for essay in essays
        ],
    )


def moderate(essays: Sequence[Essay], verdicts: Verdicts) -> tuple[list[Essay], list[Rejected]]:
    """Separate essays that are kept from those that are filtered, with the categories as reason."""
    kept, filtered = [], []
    for essay, categories in zip(essays, verdicts.found, strict=True):
        if categories:
            reason = f"{MODERATED}: {', '.join(categories)}"
            filtered.append(Rejected(essay.row, next(iter(essay.authors), ""), reason))
        else:
            kept.append(essay)
    return kept, filtered


def moderation_table(essays: Sequence[Essay], verdicts: Verdicts) -> dict[str, Any]:
    """What was filtered and why, and the balance of its labels, as counts.

    Returns
    -------
    dict
        The filter; how many essays were ``checked`` and ``filtered``; how many of these in each of
        the ``categories`` (one essay may count in several); and for each of the ``traits`` the
        essays labelled high and low among the filtered and the kept, and the share of high among
        the filtered less that among the kept (None where nothing, or all, was filtered).
    """
    pairs = list(zip(essays, map(bool, verdicts.found), strict=True))
    traits = {}
    for place, trait in enumerate(TRAITS):
        filtered, kept = (
            _levels([essay.profile.levels[place] for essay, out in pairs if out is wanted])
            for wanted in (True, False)
        )
        shares = [part["high"] / n for part in (filtered, kept) if (n := sum(part.values()))]
        traits[trait] = {
            "filtered": filtered,
            "kept": kept,
            "difference": shares[0] - shares[1] if len(shares) == 2 else None,
        }
    return {
        **verdicts.filter,
        "checked": len(pairs),
        "filtered": sum(out for _, out in pairs),
        "categories": {
            name: sum(name in found for found in verdicts.found) for name in verdicts.categories
        },
        "traits": traits,
    }


def _levels(levels: Sequence[bool]) -> dict[str, int]:
    return {"high": sum(levels), "low": len(levels) - sum(levels)}


def _expression(entry: Any, *, where: str) -> str:
    words = entry.split(" ") if isinstance(entry, str) else []
    if not words or not all(map(_WORD.fullmatch, words)):
        raise ValueError(
            f"{where}: {entry!r} is no pattern; write words with single spaces between them, with "
            "a|b for either word and * at a word's end for any ending, in quotation marks if YAML "
            "reads them as something else"
        )
    return r"\s+".join(map(_word_expression, words))


def _word_expression(word: str) -> str:
    found = []
    for alternative in word.split("|"):
        # Corpora have typewriters' apostrophes and printers'.
        stem = re.escape(alternative.removesuffix("*")).replace("'", "['\u2019]")
        found.append(stem + r"\w*" if alternative.endswith("*") else stem)
    return f"(?:{'|'.join(found)})"
