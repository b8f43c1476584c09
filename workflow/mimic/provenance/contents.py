"""What a store holds, who uses it, and removing what nobody needs."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mimic.files import make_shared_folder
from mimic.provenance.lock import is_abandoned
from mimic.provenance.notes import FOLDER, all_notes
from mimic.provenance.records import read_record
from mimic.provenance.store import MANIFEST, RECORD, Store
from mimic.provenance.uses import Use, last_use, read_uses
from mimic.sizes import bytes_below

# Whoever has a folder of answers open touches it twice a minute; between two openings a job may
# load a large model.
ASKED_S = 3600.0


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
    linked
        Whether files of it have further links: results of a study that nobody registered, such as
        one that was moved.
    """

    kind: str
    path: Path
    what: str
    size: int
    last_used: float
    users: tuple[Path, ...] = ()
    held: bool = False
    linked: bool = False

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
    found = []
    # By folder of answers: who needs what rests on them, and whether anything of that is linked.
    askers: dict[str, set[Path]] = {}
    linked: set[str] = set()
    for identity in store.entries(whole=False):
        needed_for = tuple(users.get(identity, ()))
        content, answers = _entry(store, identity, needed_for, last.get(identity, 0.0))
        found.append(content)
        for name in answers:
            askers.setdefault(name, set()).update(needed_for)
        linked.update(answers if content.linked else ())
    found += _rest(store, askers, linked)
    return sorted(found, key=lambda content: (-content.size, content.path))


def needed_by(use: Use) -> set[str]:
    """The entries that a study needs.

    Of a study whose results are at hand those that its outputs are linked to; of one whose results
    are gone none; of one that nobody can look at (on another machine, in another person's private
    folder, with notes that can't be read) all that it ever used.
    """
    try:
        if is_gone(use):
            return set()
        # Unlike `all_notes`, this fails where the folder can't be read.
        os.listdir(use.root / FOLDER)
        return {note.identity for _, note in all_notes(use.root)}
    except (OSError, ValueError):
        return set(use.entries)


def is_gone(use: Use) -> bool:
    """Whether the results of a study of this machine are there no more.

    Raises
    ------
    PermissionError
        If one may not look.
    """
    try:
        os.stat(use.root / FOLDER)
    except (FileNotFoundError, NotADirectoryError):
        return use.host == socket.gethostname()
    return False


def unneeded(found: list[Content], *, days: float, now: float | None = None) -> list[Content]:
    """What no study needs, no job holds, and nobody has used for so many days."""
    now = time.time() if now is None else now
    return [
        content
        for content in found
        if not (content.users or content.held or content.linked)
        and content.days_unused(now) >= days
    ]


def remove(store: Store, content: Content) -> bool:
    """Remove something from a store; False if it has come to be used since it was listed."""
    if content.kind == "refused":
        shutil.rmtree(content.path)
        return True
    if content.kind == "answers":
        if _is_asked(content.path):
            return False
        _drop(store, content.path)
        return True
    with store.lock_if_free(content.path.name) as lock:
        if lock is None or _is_used_since(store, content):
            return False
        _drop(store, content.path)
    return True


def _is_used_since(store: Store, content: Content) -> bool:
    """Whether what has an identity, whose lock is held, was used since it was listed.

    Jobs link entries and note their use while they hold the lock. Each attempt at what is
    unfinished makes files in its folder.
    """
    if content.kind == "unfinished":
        return content.path.is_dir() and content.path.stat().st_mtime > content.last_used
    used = last_use(store.root / "studies", content.path.name)
    return used > content.last_used or _is_linked(content.path)


def _drop(store: Store, folder: Path) -> None:
    """Remove a folder by one rename, so that nobody sees half of it."""
    make_shared_folder(store.root / "refused")
    going = store.root / "refused" / f"{folder.name}-removed-{time.time_ns()}"
    if folder.is_dir():
        folder.rename(going)
        shutil.rmtree(going)


def _entry(
    store: Store, identity: str, users: tuple[Path, ...], last_used: float
) -> tuple[Content, list[str]]:
    """An entry, and the folders of answers that the job that made it had opened."""
    folder = store.entry(identity)
    answers: list[str] = []
    try:
        record = read_record(folder / RECORD)
        part, ended = record["identity"], record["circumstances"]["ended"]
        what = " ".join(filter(None, (part["rule"], part["run"])))
        made = datetime.fromisoformat(ended).timestamp()
        answers = list(record["circumstances"].get("answers", ()))
    except (OSError, ValueError) as error:
        what, made = f"its record can't be read ({error})", folder.stat().st_mtime
    if not store.has(identity):
        what = f"not whole, it has no {MANIFEST}: {what}"
    content = Content(
        kind="entry",
        path=folder,
        what=what,
        size=bytes_below(folder),
        last_used=max(made, last_used),
        users=users,
        held=_is_held(store, identity),
        linked=_is_linked(folder),
    )
    return content, answers


def _rest(store: Store, askers: Mapping[str, set[Path]], linked: set[str]) -> Iterator[Content]:
    for kind, folder in (
        ("answers", store.answers),
        ("unfinished", store.root / "work"),
        ("refused", store.root / "refused"),
    ):
        for path in sorted(folder.glob("*")):
            if path.is_dir():
                answers = kind == "answers"
                yield Content(
                    kind=kind,
                    path=path,
                    what=f"{kind} {path.name[:12]}",
                    size=bytes_below(path),
                    last_used=path.stat().st_mtime,
                    users=tuple(sorted(askers.get(path.name, ()))) if answers else (),
                    held=_is_asked(path)
                    if answers
                    else kind == "unfinished" and _is_held(store, path.name),
                    linked=answers and path.name in linked,
                )


def _is_asked(folder: Path) -> bool:
    """Whether a job may have a folder of answers open."""
    return time.time() - folder.stat().st_mtime < ASKED_S


def _is_linked(entry: Path) -> bool:
    """Whether a file of an entry has a further link."""
    return any(path.stat().st_nlink > 1 for path in entry.rglob("*") if path.is_file())


def _is_held(store: Store, identity: str) -> bool:
    lock = store.lock_file(identity)
    return lock.exists() and not is_abandoned(lock)
