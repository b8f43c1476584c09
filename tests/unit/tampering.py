"""Ways to change what a study has, for tests of audits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mimic.files import read_json, write_json
from mimic.provenance.records import part_digest
from mimic.provenance.store import RECORD, Store


def replace(path: Path | str, text: str) -> None:
    """Put other bytes in the place of a file, without writing into the store's."""
    Path(path).unlink()
    Path(path).write_text(text)


def edit_record(store: Store, identity: str, change: Callable[[Any], None], *, mend: bool) -> None:
    path = store.entry(identity) / RECORD
    record = read_json(path)
    change(record)
    if mend:
        record["sha256"] = {part: part_digest(record[part]) for part in record["sha256"]}
    path.chmod(0o644)
    write_json(path, record)
