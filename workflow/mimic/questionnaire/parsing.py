"""Reading the option that a generated answer names, as the protocol ``released`` does.

The same reading serves ``released`` and ``corrected``, and nothing is asked again: an answer
without an option is a value with a reason. The rules are those of the reference study's parser, so
an answer such as "As a person…" reads as A. Where they leave something open, this holds:

- Asterisks, underscores and backticks (Markdown) are deleted, curly quotes are straightened, and
  runs of white space count as one space.
- The lead-in is looked for in any case; the first one counts. Where there is one, only what follows
  it is read. Quotation marks, colons, dashes and dots that open the rest are skipped, though a
  minus sign or a decimal point before a digit belongs to its number.
- Phrases, labels and bracketed letters are read in any case, bare letters as capitals only.
- A phrase, letter or label needn't end at the end of a word: "agreeable" starts with "agree".
- A number is whole: neither digit of "10" or "4.5" is a lone one, nor is that of "3rd" or "-3".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from mimic.forms.released import DigitFormat, LetterFormat, ReleasedFormat

# The first so many characters of the rest are searched for a lone digit.
WINDOW = 50

EMPTY = "empty"
OUT_OF_RANGE = "out of range"
NO_OPTION = "no option"

_MARKUP = str.maketrans({"*": "", "_": "", "`": "", "“": '"', "”": '"', "‘": "'", "’": "'"})
_OPENING = re.compile(r"(?:[\s\"':;,=>#…]|[-–—.](?![0-9]))*")
# Possessive, so that "1.5x" isn't cut down to "1".
_NUMBER = re.compile(r"(?<!\w)[-−+]?(?:[0-9]++(?:[.,][0-9]++)*+|[.,][0-9]++)(?!\w)")
_BRACKETED = re.compile(r"\( ?([A-Za-z]) ?\)")


class Parsed(NamedTuple):
    """What an answer was read as.

    Attributes
    ----------
    option
        1 to 5 in published order, 1 = most like me; None if no option was found.
    reason
        Why there is none: `EMPTY`, `OUT_OF_RANGE` or `NO_OPTION`; empty where there is one.
    """

    option: int | None
    reason: str


def parse(answer: str, format: ReleasedFormat) -> Parsed:
    """Read the option of an answer.

    Looks after the lead-in, wherever that stands, else at the start. S1: an integer from 1 to 5,
    else the first lone digit from 1 to 5 within the first 50 characters. S2: the longest phrase
    that the rest starts with. S3: the longest of letter, bracketed letter or label that the rest
    starts with, else the first bracketed letter.

    Parameters
    ----------
    answer
        The raw answer.
    format
        The format that it answers.

    Returns
    -------
    Parsed
        Without an option, the reason is ``empty`` for an answer of white space, ``out of range``
        where a number (S1, within the first 50 characters) or a bracketed letter (S3) stands that
        is none of the format's, and else ``no option``.
    """
    text = _plain(answer)
    if not text:
        return Parsed(None, EMPTY)
    lead = re.search(re.escape(_plain(format.lead)), text, re.IGNORECASE)
    rest = text[lead.end() :] if lead else text
    rest = _OPENING.sub("", rest, count=1)
    if isinstance(format, DigitFormat):
        return _digit(rest)
    if isinstance(format, LetterFormat):
        return _letter(rest, format)
    return _found(_longest(_starts(rest, format.options)), NO_OPTION)


def _digit(rest: str) -> Parsed:
    numbers = [m for m in _NUMBER.finditer(rest) if m.end() <= WINDOW]
    read = [_as_option(m[0]) for m in numbers if m.start() == 0 or len(m[0]) == 1]
    option = next((option for option in read if option), None)
    return _found(option, OUT_OF_RANGE if numbers else NO_OPTION)


def _as_option(number: str) -> int | None:
    """The value of an integer from 1 to 5, also where it is written 04 or +4."""
    digits = number.removeprefix("+")
    return int(digits) if digits.isdecimal() and 1 <= int(digits) <= 5 else None


def _letter(rest: str, format: LetterFormat) -> Parsed:
    options = {symbol: n for n, symbol in enumerate(format.symbols, start=1)}
    bracketed = [(m, options.get(m[1].upper())) for m in _BRACKETED.finditer(rest)]
    starts = _starts(rest, format.options)
    starts += [(len(m[0]), option) for m, option in bracketed if m.start() == 0 and option]
    starts += [(1, options[letter]) for letter in rest[:1] if letter in options]
    first = next((option for _, option in bracketed if option), None)
    return _found(_longest(starts) or first, OUT_OF_RANGE if bracketed else NO_OPTION)


def _starts(rest: str, options: Sequence[str]) -> list[tuple[int, int]]:
    """Length and place, counted from 1, of each option that `rest` starts with, in any case."""
    plain = [_plain(option).casefold() for option in options]
    return [
        (len(option), place)
        for place, option in enumerate(plain, start=1)
        if rest.casefold().startswith(option)
    ]


def _longest(starts: list[tuple[int, int]]) -> int | None:
    return max(starts)[1] if starts else None


def _found(option: int | None, reason: str) -> Parsed:
    return Parsed(option, "" if option else reason)


def _plain(words: str) -> str:
    return " ".join(words.translate(_MARKUP).split())
