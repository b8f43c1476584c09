"""The result store: outputs by identity, read-only, linked into place.

An entry ``<store>/<identity>/`` holds a step's files, ``manifest.json`` (each file's sha256) and
``record.json``. It appears by one rename, so that a killed job or a full disk leaves no entry.

Beside the entries lie

- ``work/``: a folder and a lock for each identity that is being made, or was left unfinished;
- ``answers/``, which is not read-only: what respondents answered, so that no job asks it again;
- ``refused/``: entries whose bytes didn't fit their manifests any more, or that had lost these;
- ``studies/``: which studies use which entries.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from mimic.files import canonical_json, make_shared_folder, read_json, sha256_file, write_json
from mimic.provenance.lock import Lock, hold, hold_if_free
from mimic.provenance.placing import place
from mimic.provenance.uses import register_study, register_use

MANIFEST = "manifest.json"
RECORD = "record.json"
VARIABLE = "MIMIC_STORE"
IDENTITY_DIGITS = 40


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
    return hashlib.sha256(text.encode()).hexdigest()[:IDENTITY_DIGITS]


def the_store() -> Store:
    """The store of this project, or the one that ``MIMIC_STORE`` names."""
    return Store(Path(os.environ.get(VARIABLE) or "results/.store"))


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

    def has_folder(self, identity: str) -> bool:
        """Whether the store has an entry of this identity, whole or not.

        Raises
        ------
        OSError
            If one can't look.
        """
        try:
            return stat.S_ISDIR(self.entry(identity).stat().st_mode)
        except FileNotFoundError:
            # Over NFS a host remembers for a while that there was none, as when it looked before it
            # waited for the one that made it. The list of the folder is asked of the server.
            return self.root.is_dir() and identity in os.listdir(self.root)

    def entries(self, *, whole: bool = True) -> Iterator[str]:
        """The identities that the store holds finished results of, sorted.

        Parameters
        ----------
        whole
            False also gives those of folders that lost their manifest, of which nothing is linked.
        """
        if not self.root.is_dir():
            return
        for path in sorted(self.root.iterdir()):
            if len(path.name) == IDENTITY_DIGITS and (
                self.has(path.name) or (not whole and path.is_dir())
            ):
                yield path.name

    @property
    def answers(self) -> Path:
        """The folder of answer stores; the first step that needs it makes it."""
        return self.root / "answers"

    @property
    def is_shared(self) -> bool:
        """Whether its group may write to it."""
        make_shared_folder(self.root)
        return bool(self.root.stat().st_mode & stat.S_IWGRP)

    def work(self, identity: str) -> Path:
        """The folder of an identity that is being made, or was left unfinished."""
        return self.root / "work" / identity

    def unfinished(self, identity: str) -> Path:
        """Where a step keeps what a later attempt can go on from."""
        return self.work(identity) / "unfinished"

    def lock_file(self, identity: str) -> Path:
        """The lock of whoever works on an identity."""
        return self.root / "work" / f"{identity}.lock"

    def lock(
        self,
        identity: str,
        *,
        waiting: Callable[[dict[str, Any]], None] | None = None,
        check: Callable[[], None] | None = None,
    ) -> AbstractContextManager[Lock]:
        """Hold the only right to work on `identity`; see `mimic.provenance.lock.hold`."""
        make_shared_folder(self.root / "work")
        return hold(self.lock_file(identity), waiting=waiting, check=check)

    def lock_if_free(self, identity: str) -> AbstractContextManager[Lock | None]:
        """The same lock, or None at once while another process has it."""
        make_shared_folder(self.root / "work")
        return hold_if_free(self.lock_file(identity))

    @contextmanager
    def fresh_out(self, identity: str) -> Iterator[Path]:
        """An empty folder for one attempt's outputs, removed at the end unless it was sealed."""
        make_shared_folder(self.work(identity))
        for former in self.work(identity).glob("out-*"):
            # Of an attempt that was killed: only the holder of the lock comes here.
            shutil.rmtree(former, ignore_errors=True)
        out = self.work(identity) / f"out-{uuid.uuid4().hex[:12]}"
        make_shared_folder(out)
        try:
            yield out
        finally:
            shutil.rmtree(out, ignore_errors=True)

    def seal(
        self,
        identity: str,
        out: Path,
        *,
        lock: Lock,
        record: Callable[[dict[str, str]], dict[str, Any]],
    ) -> None:
        """Turn an attempt's folder into an entry: manifest and record, read-only, one rename.

        Parameters
        ----------
        identity
            Of the job.
        out
            The folder with its outputs.
        lock
            Of the identity.
        record
            Makes the record from the sha256 of each output.

        Raises
        ------
        OSError
            If the disk is full; there is no entry then.
        LostLock
            If the lock was taken over meanwhile; there is none either.
        """
        contents = contents_of(out)
        write_json(out / MANIFEST, contents)
        digests = {name: str(entry["sha256"]) for name, entry in contents.items()}
        digests[MANIFEST] = sha256_file(out / MANIFEST)
        write_json(out / RECORD, record(digests))
        rights = stat.S_IMODE(self.root.stat().st_mode)
        for path in out.rglob("*"):
            if path.is_file():
                _sync(path)
                path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
            else:
                path.chmod(rights)
        # Hashing and writing to the disk may have taken minutes.
        lock.check()
        try:
            out.rename(self.entry(identity))
        except OSError as error:
            # A lock that was taken over: another process was faster, its entry is as good.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not self.has(identity):
                raise
        if lock.is_own():
            # Else another process works in it now.
            shutil.rmtree(self.work(identity), ignore_errors=True)

    def set_aside(self, identity: str) -> Path:
        """Move an entry to where nothing is linked from; returns its new place."""
        make_shared_folder(self.root / "refused")
        aside = self.root / "refused" / f"{identity}-{time.time_ns()}"
        self.entry(identity).rename(aside)
        # Its age is that of the refusal: `mimic store` removes what is refused by it.
        os.utime(aside)
        return aside

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
                place(entry / name, folder / name)
        for path in outputs:
            if path.parent not in folders:
                place(entry / path.name, path)

    def register(self, root: Path, identity: str) -> None:
        """Note that the study with its results in `root` uses an entry, and when it did last."""
        register_use(self.root / "studies", root, identity)

    def register_study(self, root: Path, identities: Callable[[], Iterable[str]]) -> None:
        """Note a study with its results in `root`, as one that was moved there isn't."""
        if self.root.is_dir():
            register_study(self.root / "studies", root, identities)


def contents_of(
    folder: Path,
    *,
    digest: Callable[[Path], str] = sha256_file,
    without: Collection[str] = (),
) -> dict[str, dict[str, Any]]:
    """sha256 and size of each file below a folder, by its name there."""
    paths = {path.relative_to(folder).as_posix(): path for path in _files_below(folder)}
    return {
        name: {"sha256": digest(path), "bytes": path.stat().st_size}
        for name, path in sorted(paths.items())
        if name not in without
    }


def _files_below(folder: Path) -> Iterator[Path]:
    """The files below a folder; unlike `Path.rglob`, raises OSError where one can't look."""

    def fail(error: OSError) -> None:
        raise error

    for below, _, names in os.walk(folder, onerror=fail):
        for name in names:
            path = Path(below, name)
            if stat.S_ISREG(path.stat().st_mode):
                yield path


def _sync(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
