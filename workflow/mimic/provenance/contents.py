"""What a store holds, who uses it, and removing what nobody needs."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mimic.files import make_shared_folder
from mimic.provenance.lock import is_abandoned
from mimic.provenance.notes import FOLDER, all_notes
from mimic.provenance.records import read_record
from mimic.provenance.store import RECORD, Store
from mimic.provenance.uses import Use, read_uses
from mimic.sizes import bytes_below


@dataclass(frozen=True)
class Content:
    """Something that takes room in a store.

    Attributes
    ----------
    kind
        entry, answers, unfinished or refused.
    path
        Its folder.
    what
        What it is, for a reader.
    size
        In bytes.
    last_used
        Seconds since 1970.
    users
        The results of the studies that need it.
    held
        Whether a job is at work on it.
    """

    kind: str
    path: Path
    what: str
    size: int
    last_used: float
    users: tuple[Path, ...] = ()
    held: bool = False

    def days_unused(self, now: float) -> float:
        """Days since the last use."""
        return (now - self.last_used) / 86_400


def contents(store: Store) -> list[Content]:
    """All that takes room in a store, the largest first."""
    uses = read_uses(store.root / "studies")
    users: dict[str, list[Path]] = {}
    last: dict[str, float] = {}
    for use in uses:
        for identity in needed_by(use):
            users.setdefault(identity, []).append(use.root)
        for identity, when in use.entries.items():
            last[identity] = max(when, last.get(identity, 0.0))
    found = [
        _entry(store, identity, tuple(users.get(identity, ())), last.get(identity, 0.0))
        for identity in store.entries()
    ]
    return sorted([*found, *_rest(store)], key=lambda content: (-content.size, content.path))


def needed_by(use: Use) -> set[str]:
    """The entries that a study needs.

    Of a study whose results are at hand those that its outputs are linked to; of one whose results
    are gone none; of one on another machine all that it ever used, for nobody can look there.
    """
    if (use.root / FOLDER).is_dir():
        return {note.identity for _, note in all_notes(use.root)}
    return set() if use.host == socket.gethostname() else set(use.entries)


def unneeded(found: list[Content], *, days: float, now: float | None = None) -> list[Content]:
    """What no study needs, no job holds, and nobody has used for so many days."""
    now = time.time() if now is None else now
    return [
        content
        for content in found
        if not content.users and not content.held and content.days_unused(now) >= days
    ]


def remove(store: Store, content: Content) -> bool:
    """Remove something from a store; False if a job has come to hold it."""
    if content.kind not in ("entry", "unfinished"):
        shutil.rmtree(content.path)
        return True
    identity = content.path.name
    with store.lock_if_free(identity) as lock:
        if lock is None:
            return False
        # By one rename, so that nobody sees half an entry.
        make_shared_folder(store.root / "refused")
        going = store.root / "refused" / f"{identity}-removed-{time.time_ns()}"
        if content.path.is_dir():
            content.path.rename(going)
            shutil.rmtree(going)
    return True


def _entry(store: Store, identity: str, users: tuple[Path, ...], last_used: float) -> Content:
    folder = store.entry(identity)
    try:
        record = read_record(folder / RECORD)
        part, ended = record["identity"], record["circumstances"]["ended"]
        what = " ".join(filter(None, (part["rule"], part["run"])))
        made = datetime.fromisoformat(ended).timestamp()
    except ValueError as error:
        what, made = f"its record can't be read ({error})", folder.stat().st_mtime
    return Content(
        kind="entry",
        path=folder,
        what=what,
        size=bytes_below(folder),
        last_used=max(made, last_used),
        users=users,
        held=_is_held(store, identity),
    )


def _rest(store: Store) -> Iterator[Content]:
    for kind, folder in (
        ("answers", store.answers),
        ("unfinished", store.root / "work"),
        ("refused", store.root / "refused"),
    ):
        for path in sorted(folder.glob("*")):
            if path.is_dir():
                # Whoever opens a folder of answers writes into it for a moment.
                yield Content(
                    kind=kind,
                    path=path,
                    what=f"{kind} {path.name[:12]}",
                    size=bytes_below(path),
                    last_used=path.stat().st_mtime,
                    held=kind == "unfinished" and _is_held(store, path.name),
                )


def _is_held(store: Store, identity: str) -> bool:
    lock = store.lock_file(identity)
    return lock.exists() and not is_abandoned(lock)
