"""Reading a form as whoever answers it must: which option says what, by its words alone.

What a form's own data say of its options (their order, which end is most like me) isn't asked, for
that is what the gates check. The words are English; where they don't tell the order, nothing is
read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_STRONG = "very|strongly|extremely|completely|totally|absolutely|entirely|definitely|exactly|at all"
_WEAK = "slightly|somewhat|moderately|partly|mostly|rather|a little|a bit"
_MIDDLE = "neither|nor|neutral|undecided|unsure"
_NEGATIVE = "not|no|disagree|inaccurate|incorrect|unlike|untrue|false"


def _words(of: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{of})\b")


_STRONG_WORDS, _WEAK_WORDS = _words(_STRONG), _words(_WEAK)
_MIDDLE_WORDS, _NEGATIVE_WORDS = _words(_MIDDLE), _words(_NEGATIVE)
# "Not very much" denies little, "not at all" everything.
_HARDLY = re.compile(rf"\bnot (?!at all\b)(?:{_STRONG})\b")
_EDGES = re.compile(r"^\W+|\W+$")
_LETTER = re.compile(r"[^\W\d_]")


def listed(text: str, answers: Sequence[str]) -> tuple[str, ...] | None:
    """The words of the option that each answer stands for, as a text lists them.

    The list is five lines on end (but for empty ones) of which each has another answer in it:
    ``(A) very accurate``, or ``- agree`` where options are answered by their own words. A line has
    the longest answer that stands in it.

    Parameters
    ----------
    text
        What is shown to a respondent.
    answers
        What it may answer: five symbols, or the options themselves.

    Returns
    -------
    tuple of str or None
        In the order of the answers; None if there is no such list.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    for start in range(len(lines) - len(answers) + 1):
        found: dict[str, str] = {}
        for line in lines[start : start + len(answers)]:
            standing = [one for one in answers if _standing(one).search(line)]
            if standing:
                answer = max(standing, key=len)
                rest = _EDGES.sub("", _standing(answer).sub("", line, count=1))
                found[answer] = rest if _LETTER.search(rest) else answer
        if len(found) == len(answers):
            return tuple(found[answer] for answer in answers)
    return None


def agreements(options: Sequence[str]) -> tuple[int, ...] | None:
    """Which agreement from 1 (not like me) to 5 (like me) each of five options says.

    Parameters
    ----------
    options
        Their words, in any order.

    Returns
    -------
    tuple of int or None
        None if the words don't tell all five apart.
    """
    strengths = [_strength(option.casefold()) for option in options]
    if len(set(strengths)) != len(options):
        return None
    rising = sorted(strengths)
    return tuple(1 + rising.index(strength) for strength in strengths)


def _strength(words: str) -> int:
    """From −3 to 3: denied or not, and how strongly."""
    if _MIDDLE_WORDS.search(words):
        return 0
    denied = len(_NEGATIVE_WORDS.findall(words)) % 2
    if _WEAK_WORDS.search(words) or _HARDLY.search(words):
        size = 1
    else:
        size = 3 if _STRONG_WORDS.search(words) else 2
    return -size if denied else size


def _standing(answer: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(answer)}(?!\w)")
