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

from mimic.files import make_shared_folder, read_json
from mimic.provenance.placing import write_json_whole

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
    wrong
        Why nobody knows where it lies, or lay: its description is broken, and `root` is the folder
        of that. Empty if all is well.
    """

    root: Path
    host: str
    user: str
    entries: dict[str, float]
    wrong: str = ""


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
    if _is_described(study):
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
    if not _is_described(study):
        description = {"root": str(place), "host": socket.gethostname(), "user": _user()}
        write_json_whole(study / DESCRIPTION, description)


def _is_described(study: Path) -> bool:
    try:
        _description(study)
    except (FileNotFoundError, ValueError):
        return False
    except PermissionError:
        # Of another person who works in the same place.
        return True
    return True


def _description(study: Path) -> tuple[Path, str, str]:
    """Place, host and user of a study. Raises ValueError if its description is broken."""
    place = study / DESCRIPTION
    values = read_json(place)
    try:
        return Path(values["root"]), str(values["host"]), str(values["user"])
    except (KeyError, TypeError):
        raise ValueError(f"{place}: not a description of a study") from None


def _touch(study: Path, identity: str) -> None:
    try:
        (study / identity).touch()
    except PermissionError:
        # Of another person who works in the same place.
        (study / identity).unlink(missing_ok=True)
        (study / identity).touch()


def read_uses(folder: Path) -> list[Use]:
    """The studies that have used a store, sorted by place.

    One whose description can't be read is among them, so that what it used is kept.
    """
    found = []
    for place in sorted(folder.glob(f"*/{DESCRIPTION}")):
        study, wrong = place.parent, ""
        try:
            root, host, user = _description(study)
        except (OSError, ValueError) as error:
            root, host, user, wrong = study, "", "", str(error)
        files = [path for path in study.iterdir() if "." not in path.name]
        entries = {path.name: path.stat().st_mtime for path in sorted(files)}
        found.append(Use(root, host, user, entries, wrong))
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
