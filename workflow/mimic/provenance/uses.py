"""Which studies use which entries of a store.

``<store>/studies/<study>/`` holds ``study.json`` and an empty file for each entry that the study
is linked to; the file's time is that of the last use. A study is named by the digest of the place
of its results, so that clones and people don't get in each other's way.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from mimic.files import make_shared_folder, read_json, write_json

DESCRIPTION = "study.json"


@dataclass(frozen=True)
class Use:
    """A study that uses a store.

    Attributes
    ----------
    root
        Where its results lie, or lay.
    host, user
        Who used it last, and on which machine.
    entries
        Time of the last use (seconds since 1970) of each entry.
    """

    root: Path
    host: str
    user: str
    entries: dict[str, float]


def register_use(folder: Path, root: Path, identity: str) -> None:
    """Note that the study with its results in `root` uses an entry now."""
    study = folder / _name(root.resolve())
    _describe(study, root.resolve())
    _touch(study, identity)


def register_study(folder: Path, root: Path, identities: Callable[[], Iterable[str]]) -> None:
    """Note a study with its results in `root`, unless it is noted: it may have been moved there.

    Parameters
    ----------
    folder
        Of the notes.
    root
        The study's folder.
    identities
        Gives what the study's results are linked to.
    """
    study = folder / _name(root.resolve())
    if (study / DESCRIPTION).is_file():
        return
    found = sorted(set(identities()))
    if found:
        _describe(study, root.resolve())
        for identity in found:
            _touch(study, identity)


def _name(place: Path) -> str:
    return hashlib.sha256(str(place).encode()).hexdigest()[:16]


def _describe(study: Path, place: Path) -> None:
    make_shared_folder(study)
    if not (study / DESCRIPTION).is_file():
        description = {"root": str(place), "host": socket.gethostname(), "user": _user()}
        temporary = study / f".{DESCRIPTION}.{os.getpid()}"
        write_json(temporary, description)
        temporary.rename(study / DESCRIPTION)


def _touch(study: Path, identity: str) -> None:
    try:
        (study / identity).touch()
    except PermissionError:
        # Of another person who works in the same place.
        (study / identity).unlink(missing_ok=True)
        (study / identity).touch()


def read_uses(folder: Path) -> list[Use]:
    """The studies that have used a store, sorted by place."""
    found = []
    for study in sorted(folder.glob(f"*/{DESCRIPTION}")):
        values = read_json(study)
        files = [path for path in study.parent.iterdir() if "." not in path.name]
        entries = {path.name: path.stat().st_mtime for path in sorted(files)}
        found.append(Use(Path(values["root"]), values["host"], values["user"], entries))
    return sorted(found, key=lambda use: str(use.root))


def last_use(folder: Path, identity: str) -> float:
    """When any study used an entry last (seconds since 1970); 0 if none did."""
    return max((path.stat().st_mtime for path in folder.glob(f"*/{identity}")), default=0.0)


def forget_use(folder: Path, root: Path) -> None:
    """Forget a study whose results are gone."""
    study = folder / _name(root)
    for path in study.iterdir():
        path.unlink(missing_ok=True)
    study.rmdir()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container without an entry for its user.
        return str(os.getuid())
