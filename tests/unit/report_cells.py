"""What tests of the report's tables look at."""

from mimic.report.numbers import Cell, Table


def texts(row: list[Cell]) -> list[str]:
    """What is read first in each cell, no-break spaces as spaces."""
    return [cell.text.replace("\xa0", " ") for cell in row]


def details(cell: Cell) -> list[str]:
    return [line.replace("\xa0", " ") for line in cell.details]


def row_of(table: Table, *first: str) -> list[Cell]:
    """The first row whose cells begin so."""
    return next(row for row in table.rows if tuple(texts(row)[: len(first)]) == first)


def note_of(table: Table, cell: Cell) -> str:
    return table.notes[cell.note - 1] if cell.note else ""
