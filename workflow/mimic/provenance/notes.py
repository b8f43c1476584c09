"""Notes of a study: for each of its outputs, the identity that it is linked to.

They lie in ``<root>/.identities`` and are no input of any rule. The audit follows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mimic.files import read_json
from mimic.provenance.placing import write_json_whole
from mimic.provenance.records import read_record
from mimic.provenance.store import RECORD, Store

FOLDER = ".identities"


@dataclass(frozen=True)
class Note:
    """Where an output of a study comes from.

    Attributes
    ----------
    identity
        The store's entry.
    record
        sha256 of the identity part of its record.
    lasting
        sha256 of what of that part stays when the same is made again; None in notes of former
        versions.
    circumstances
        sha256 of the circumstances part of its record; None in notes of former versions.
    rule, run
        Of the job that was linked to it, which of a hit needn't be those of its record; run is None
        if the job is about none or all.
    hit
        Whether the entry was there before, so that nothing ran.
    linked
        When, in UTC.
    inputs
        The study's paths of the job's inputs, by input name.
    """

    identity: str
    record: str
    rule: str
    run: str | None
    hit: bool
    linked: str
    inputs: dict[str, list[str]]
    lasting: str | None = None
    circumstances: str | None = None


def note_file(root: Path, output: Path) -> Path:
    """The file of the note of an output."""
    return root / FOLDER / (output.relative_to(root).as_posix().replace("/", "__") + ".json")


def write_notes(root: Path, outputs: Iterable[Path], note: Note) -> None:
    """Write the note of each output of a job."""
    for path in outputs:
        place = note_file(root, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_json_whole(place, {"output": path.relative_to(root).as_posix(), **asdict(note)})


def read_note(root: Path, output: Path) -> Note | None:
    """The note of an output; None if there is none. Raises ValueError if it can't be read."""
    place = note_file(root, output)
    return _note(place)[1] if place.is_file() else None


def all_notes(root: Path) -> Iterator[tuple[Path, Note]]:
    """The outputs of a study and their notes, sorted by output."""
    found = [_note(place) for place in (root / FOLDER).glob("*.json")]
    yield from ((root / name, note) for name, note in sorted(found, key=lambda pair: pair[0]))


def identities(root: Path) -> set[str]:
    """The entries that a study's outputs are linked to; without those of notes that are broken."""
    found = set()
    for place in (root / FOLDER).glob("*.json"):
        with suppress(ValueError):
            found.add(_note(place)[1].identity)
    return found


def noted_outputs(root: Path) -> Iterator[Path]:
    """The outputs of a study that are there and have a note; reads no note."""
    for place in sorted((root / FOLDER).glob("*.json")):
        output = root / place.name.removesuffix(".json").replace("__", "/")
        if output.is_file():
            yield output


def maker_of(store: Store, note: Note | None) -> dict[str, Any] | None:
    """The record of the job that made an output; None without a note."""
    return None if note is None else read_record(store.entry(note.identity) / RECORD)


def _note(place: Path) -> tuple[str, Note]:
    values = read_json(place)
    try:
        name, note = str(values.pop("output")), Note(**values)
        paths = [path for some in note.inputs.values() for path in some]
        if not all(isinstance(t, str) for t in (note.identity, note.record, note.linked, *paths)):
            raise TypeError
        return name, note
    except (TypeError, KeyError, AttributeError):
        raise ValueError(
            f"{place}: not a note of an output; remove it with its output and run snakemake"
        ) from None
