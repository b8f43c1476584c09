"""The result store: outputs by identity, read-only, linked into place.

An entry ``<store>/<identity>/`` holds a step's files, ``manifest.json`` (each file's sha256) and
``record.json``. It appears by one rename, so that a killed job or a full disk leaves no entry.

Beside the entries lie ``work/`` and ``answers/``, which is not read-only: steps keep there what
respondents answered, so that no job asks it again.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mimic.files import canonical_json, read_json, sha256_file, write_json

MANIFEST = "manifest.json"
RECORD = "record.json"
LOCK_WRITING_S = 30.0


def identity_of(*, spec: Any, inputs: dict[str, list[str]]) -> str:
    """The digest of a job's spec and of the contents of its inputs.

    Parameters
    ----------
    spec
        What ``mimic.provenance.specs.spec`` describes.
    inputs
        The sha256 of each input file, in order, by input name. Paths don't enter.
    """
    text = canonical_json({"spec": spec, "inputs": inputs})
    return hashlib.sha256(text.encode()).hexdigest()[:40]


class Store:
    """A result store in the folder `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def entry(self, identity: str) -> Path:
        """The folder of an entry, whether it exists or not."""
        return self.root / identity

    def has(self, identity: str) -> bool:
        """Whether the store holds finished results of this identity."""
        return (self.entry(identity) / MANIFEST).is_file()

    def work(self, identity: str) -> Path:
        """The folder in which a step of this identity works."""
        return self.root / "work" / identity

    @property
    def answers(self) -> Path:
        """The folder of answer stores; the first step that needs it makes it."""
        return self.root / "answers"

    def seal(self, identity: str, *, record: dict[str, Any]) -> None:
        """Turn the work folder into an entry: manifest and record, read-only, one rename.

        Raises
        ------
        OSError
            If the disk is full; the work folder is then no entry.
        """
        work = self.work(identity)
        paths = sorted(path for path in work.rglob("*") if path.is_file())
        contents = {
            path.relative_to(work).as_posix(): {
                "sha256": sha256_file(path),
                "bytes": path.stat().st_size,
            }
            for path in paths
        }
        write_json(work / MANIFEST, contents)
        record["identity"]["outputs"] = {name: entry["sha256"] for name, entry in contents.items()}
        write_json(work / RECORD, record)
        for path in work.rglob("*"):
            if path.is_file():
                _sync(path)
                path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        try:
            work.rename(self.entry(identity))
        except OSError as error:
            # Another job with the same identity was faster; its entry is as good.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not self.has(identity):
                raise
            shutil.rmtree(work)

    def link(self, identity: str, outputs: Iterable[Path]) -> None:
        """Put an entry's files into place, each by one rename.

        If `outputs` names the manifest, its folder belongs to the job: all files of the entry are
        linked there and files that the entry doesn't have are removed. Otherwise only the named
        files are linked.

        Raises
        ------
        ValueError
            If the step didn't write a file that the rule declares.
        """
        entry = self.entry(identity)
        outputs = list(outputs)
        missing = [path.name for path in outputs if not (entry / path.name).is_file()]
        if missing:
            raise ValueError(f"the step wrote no {', '.join(missing)}; the store entry is {entry}")
        folders = {path.parent for path in outputs if path.name == MANIFEST}
        for folder in folders:
            names = [*read_json(entry / MANIFEST), MANIFEST]
            keep = {folder / name for name in names}
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path not in keep:
                    path.unlink()
            for name in names:
                _place(entry / name, folder / name)
        for path in outputs:
            if path.parent not in folders:
                _place(entry / path.name, path)

    @contextmanager
    def lock(self, identity: str) -> Iterator[None]:
        """Hold the only right to work on `identity`; waits while another process has it."""
        path = self.root / "work" / f"{identity}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        owner = {"host": socket.gethostname(), "pid": os.getpid()}
        told = False
        while True:
            try:
                handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                if _removed_abandoned(path):
                    continue
                if not told:
                    print(f"waiting: another job makes {identity[:12]}", flush=True)
                    told = True
                time.sleep(0.5)
                continue
            break
        try:
            os.write(handle, json.dumps(owner).encode())
            os.close(handle)
            yield
        finally:
            path.unlink(missing_ok=True)


def _removed_abandoned(lock: Path) -> bool:
    """Remove an abandoned lock; one process at a time, lest a waiting one remove the next lock."""
    with lock.with_name("takeover").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not _abandoned(lock):
            return False
        lock.unlink()
        return True


def _abandoned(lock: Path) -> bool:
    """Whether the lock's owner was a process of this host that is gone."""
    try:
        text, age_s = lock.read_text(), time.time() - lock.stat().st_mtime
    except FileNotFoundError:
        return False
    try:
        owner = json.loads(text)
    except json.JSONDecodeError:
        # Its owner is just writing it, or ended before it could.
        return age_s > LOCK_WRITING_S
    if owner["host"] != socket.gethostname():
        return False
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _sync(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def _place(source: Path, target: Path) -> None:
    """Hard-link (or, across file systems and for other people's files, copy) by one rename."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        if source.stat().st_uid != os.getuid():
            raise PermissionError(errno.EPERM, "not one's own")
        os.link(source, temporary)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES):
            raise
        shutil.copyfile(source, temporary)
    # Two links to one file: rename would do nothing and leave the temporary name behind.
    target.unlink(missing_ok=True)
    temporary.rename(target)
