"""Words that name a trait outright: finding them, and deleting them before a judge reads."""

from __future__ import annotations

import re
from pathlib import Path

import yaml


def load_trait_words(path: Path) -> re.Pattern[str]:
    """One pattern for all entries of a list of trait words.

    Parameters
    ----------
    path
        A YAML file with ``words``: lists of words by topic. An entry ending in ``*`` matches every
        word that begins with it.

    Returns
    -------
    re.Pattern
        Matches whole words in any case. A hyphen ends a word, so ``warm`` is found in
        ``warm-hearted``.

    Raises
    ------
    ValueError
        If the file is missing or has another shape; the message names the file and the entry.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file; it should hold the list of trait words")
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    topics = values.get("words") if isinstance(values, dict) else None
    if not isinstance(topics, dict) or not topics:
        raise ValueError(f"{path}: expected the key words with lists of words by topic")
    entries: set[str] = set()
    for topic, words in topics.items():
        if not isinstance(words, list) or not words:
            raise ValueError(f"{path}: words.{topic} = {words!r}: expected a list of words")
        for word in words:
            if not isinstance(word, str) or not re.fullmatch(r"[\w'-]+(?: [\w'-]+)*\*?", word):
                raise ValueError(
                    f"{path}: words.{topic}: {word!r} is no entry; write a word in quotation "
                    "marks if YAML reads it as something else, with * at its end for a prefix"
                )
            entries.add(word)
    # Longest first, so that "open-minded" is found before a shorter entry that begins it.
    ordered = sorted(entries, key=lambda word: (-len(word), word))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(_expression, ordered))})(?!\w)", re.IGNORECASE)


def mask(text: str, pattern: re.Pattern[str]) -> tuple[str, int]:
    """Delete what `pattern` matches; the text with single spaces, and the number of deletions."""
    masked, deleted = pattern.subn(" ", text)
    return re.sub(r"[ \t]+", " ", masked).strip(), deleted


def _expression(entry: str) -> str:
    stem = re.escape(entry.removesuffix("*")).replace(r"\ ", r"\s+")
    return stem + r"\w*" if entry.endswith("*") else stem
