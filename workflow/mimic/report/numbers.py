"""How numbers are written on the page."""

from __future__ import annotations

from typing import Any, NamedTuple

NONE = "–"
_MINUS = "\N{MINUS SIGN}"
_SPACE = "\N{NO-BREAK SPACE}"
PERCENT = _SPACE + "%"


def number(value: float | None, digits: int = 2) -> str:
    """A number with a proper minus sign; a dash for None.

    Examples
    --------
    >>> number(-0.126)
    '−0.13'
    """
    if value is None:
        return NONE
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", _MINUS)


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage; a dash for None."""
    return NONE if value is None else number(100 * value, digits) + PERCENT


def p_value(value: float | None) -> str:
    """A p-value, written to four decimals below 0.1: permutation gives no smaller ones."""
    if value is None:
        return ""
    return f"p{_SPACE}={_SPACE}{value:.{2 if value >= 0.1 else 4}f}"


def interval(estimate: dict[str, Any], *, scale: float = 1.0, digits: int = 2) -> str:
    """The interval of an estimate in brackets; empty if it has none."""
    low, high = estimate.get("low"), estimate.get("high")
    if low is None or high is None:
        return ""
    return f"[{number(scale * low, digits)},{_SPACE}{number(scale * high, digits)}]"


class Cell(NamedTuple):
    """One table cell.

    Attributes
    ----------
    text
        What is read first.
    details
        Smaller lines below: an interval, a p-value.
    note
        Number of the footnote that says why a value is missing, or 0.
    tone
        "bad" or "good" where the cell is a verdict, else empty.
    """

    text: str
    details: tuple[str, ...] = ()
    note: int = 0
    tone: str = ""


class Table:
    """A table that is being filled, with its footnotes.

    Parameters
    ----------
    caption
        One sentence.
    columns
        Headings; the first column names the row.
    """

    def __init__(self, caption: str, columns: list[str]) -> None:
        self.caption, self.columns = caption, columns
        self.rows: list[list[Cell]] = []
        self.notes: list[str] = []

    def missing(self, reason: str) -> Cell:
        """A dash, with a footnote that says why; equal reasons share one footnote."""
        sentence = f"{reason[:1].upper()}{reason[1:].rstrip('.')}."
        if sentence not in self.notes:
            self.notes.append(sentence)
        return Cell(NONE, note=self.notes.index(sentence) + 1)

    def share(self, estimate: dict[str, Any] | None, *more: str, reason: str = "") -> Cell:
        """An estimate as a percentage with its interval; `reason` stands for no estimate at all."""
        if estimate is None or estimate["value"] is None:
            return self.missing(_reason(estimate) or reason or "no reason was given")
        details = (interval(estimate, scale=100, digits=1), *more)
        return self._cell(percent(estimate["value"]), details, estimate)

    def plain(self, estimate: dict[str, Any] | None, *, reason: str = "") -> Cell:
        """An estimate as a number with its interval; `reason` stands for no estimate at all."""
        if estimate is None or estimate["value"] is None:
            return self.missing(_reason(estimate) or reason or "no reason was given")
        return self._cell(number(estimate["value"]), (interval(estimate),), estimate)

    def value(self, value: float | None, *, reason: str, digits: int = 2) -> Cell:
        """A number that has no interval by design; `reason` stands for None."""
        return self.missing(reason) if value is None else Cell(number(value, digits))

    def part(self, value: float | None, *more: str, reason: str) -> Cell:
        """A share that has no interval by design; `reason` stands for None."""
        if value is None:
            return self.missing(reason)
        return Cell(percent(value), tuple(line for line in more if line))

    def _cell(self, text: str, details: tuple[str, ...], estimate: dict[str, Any]) -> Cell:
        """A value; where its interval is missing, a footnote says why."""
        reason = _reason(estimate)
        note = self.missing(f"No interval: {reason}").note if reason else 0
        return Cell(text, tuple(line for line in details if line), note)


def _reason(estimate: dict[str, Any] | None) -> str:
    return str(estimate.get("reason") or "") if estimate else ""
