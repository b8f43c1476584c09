"""Lock files that also hold between machines that share a folder.

A lock is a file made by ``O_EXCL`` (atomic, also over NFS and on file systems without ``flock``).
Its owner touches it every few seconds. It is abandoned when its owner was one's own process
of this host and is gone, or one's own job that Slurm has ended, or when nobody touched it for
`ABANDONED_S`. Who waits must have watched it for as long: a file server that stood still shows old
files whose owners live.
"""

from __future__ import annotations

import json
import math
import os
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from mimic.provenance.slurm_owner import EndedJobs, own_job

BEAT_S = 10.0
ABANDONED_S = 300.0
# The owner is written at once after the file was made.
WRITING_S = 30.0
POLL_S = 0.5
# Between two looks that are further apart the file server stood still, or who looks: each time the
# server makes a file (`_now_there`), so that none is answered from what a host remembers.
PAUSE_S = 5.0
# A process's start is told by the system's clock, which is set now and then; so soon no process
# number is given out again.
CLOCK_S = 60.0


class _Watch:
    """What a process that waits for a lock has itself seen of its file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._since_s = self._last_s = 0.0

    def look(self) -> float:
        """Look again; for how many seconds it has seen nobody touch the file, without a pause."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._seen = None
            return 0.0
        now_s, seen = time.monotonic(), (status.st_ino, status.st_mtime_ns)
        if seen != self._seen or now_s - self._last_s > PAUSE_S:
            self._seen, self._since_s = seen, now_s
        self._last_s = now_s
        return now_s - self._since_s


class LostLock(ValueError):
    """Another process took the lock over while this one held it."""


class Lock:
    """A lock that is held.

    Attributes
    ----------
    path
        The lock file.
    token
        What tells this owner from any other.
    """

    def __init__(self, path: Path, token: str) -> None:
        self.path, self.token = path, token
        self._lost = threading.Event()

    def is_own(self) -> bool:
        """Whether the lock is still this process's."""
        owner = read_owner(self.path)
        return owner is not None and owner.get("token") == self.token

    def is_lost(self) -> bool:
        """Whether the lock was seen to be another process's; looks at no file."""
        return self._lost.is_set()

    def beat(self) -> None:
        """Show that its owner lives, or see that it is another process's."""
        # What is touched is the file that was read: by its path it may be another one's by now,
        # which would look alive when that one is gone.
        with suppress(FileNotFoundError), self.path.open(encoding="utf-8") as file:
            owner = _owner_in(file.read())
            if owner is None:
                return
            if owner.get("token") == self.token:
                os.utime(file.fileno())
            else:
                self._lost.set()

    def check(self) -> None:
        """Raise `LostLock` if the lock is another process's now."""
        if self.is_lost() or not self.is_own():
            raise LostLock(
                f"{self.path.name}: this host didn't show for {ABANDONED_S:.0f} s, and another "
                "process took its work over; nothing of it is kept"
            )


@contextmanager
def hold(
    path: Path,
    *,
    waiting: Callable[[dict[str, Any]], None] | None = None,
    check: Callable[[], None] | None = None,
) -> Iterator[Lock]:
    """Hold the lock `path`; waits while another process has it.

    Parameters
    ----------
    path
        The lock file; its folder exists.
    waiting
        Called once with what is known of the owner, if there is one to wait for.
    check
        Called again and again while it waits; what it raises ends the waiting.
    """
    told, watch, jobs = False, _Watch(path), EndedJobs()
    while (lock := _taken(path)) is None:
        if _removed_abandoned(path, watched=watch.look, has_ended=jobs.has_ended):
            continue
        # Whoever has just made it may not have written its name yet.
        if not told and waiting is not None and (owner := read_owner(path)) is not None:
            waiting(owner)
            told = True
        if check is not None:
            check()
        time.sleep(POLL_S)
    with _held(lock):
        yield lock


@contextmanager
def hold_if_free(path: Path) -> Iterator[Lock | None]:
    """Hold the lock `path`, or give None at once if another process has it."""
    lock = _taken(path)
    if lock is None and _removed_abandoned(path):
        lock = _taken(path)
    if lock is None:
        yield None
        return
    with _held(lock):
        yield lock


def read_owner(path: Path) -> dict[str, Any] | None:
    """What a lock file says of its owner; None if there is no such lock or nothing in it yet."""
    try:
        return _owner_in(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _owner_in(text: str) -> dict[str, Any] | None:
    """What the text of a lock file says; None if it isn't whole yet."""
    try:
        owner = json.loads(text)
    except json.JSONDecodeError:
        return None
    return owner if isinstance(owner, dict) else None


def is_abandoned(
    path: Path,
    *,
    watched_s: float = math.inf,
    has_ended: Callable[[dict[str, Any]], bool] = lambda owner: False,
) -> bool:
    """Whether the owner of a lock file is gone; False if there is no such file.

    Parameters
    ----------
    path
        The lock file.
    watched_s
        For how long who asks has itself seen that nobody touches it. Who doesn't wait goes by the
        file's time alone.
    has_ended
        Whether the job of an owner has ended, if one knows.
    """
    try:
        status = path.stat()
        age_s = min(_now_there(path.parent) - status.st_mtime, watched_s)
    except FileNotFoundError:
        return False
    owner = read_owner(path)
    if owner is None:
        return age_s > WRITING_S
    if age_s > ABANDONED_S:
        return True
    # Where other people's processes and jobs can't be seen, theirs would look as if they were gone.
    if status.st_uid != os.getuid():
        return False
    is_here = owner.get("host") == socket.gethostname()
    return not _lives(owner) if is_here else has_ended(owner)


def _taken(path: Path) -> Lock | None:
    """The lock, if nobody had it."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o664)
    except FileExistsError:
        return None
    owner = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "began": psutil.Process().create_time(),
        **own_job(),
        "token": uuid.uuid4().hex,
    }
    try:
        os.write(handle, json.dumps(owner).encode())
    finally:
        os.close(handle)
    return Lock(path, str(owner["token"]))


@contextmanager
def _held(lock: Lock) -> Iterator[None]:
    ended = threading.Event()
    beat = threading.Thread(target=_beat, args=(lock, ended), daemon=True)
    beat.start()
    try:
        yield
    finally:
        ended.set()
        beat.join()
        if lock.is_own():
            lock.path.unlink(missing_ok=True)


def _beat(lock: Lock, ended: threading.Event) -> None:
    while not lock.is_lost() and not ended.wait(BEAT_S):
        try:
            lock.beat()
        except OSError:
            # The file system doesn't answer: `Lock.check` tells before sealing.
            continue


def _lives(owner: dict[str, Any]) -> bool:
    """Whether the process of an owner on this host still runs; its number may be another's now."""
    try:
        process = psutil.Process(int(owner["pid"]))
        return abs(process.create_time() - float(owner["began"])) < CLOCK_S
    except (psutil.NoSuchProcess, KeyError, TypeError, ValueError):
        return False
    except psutil.AccessDenied:
        return True


def _now_there(folder: Path) -> float:
    """The time by the clock of the file system, which may differ from this host's."""
    with tempfile.TemporaryFile(dir=folder) as handle:
        return os.fstat(handle.fileno()).st_mtime


def _removed_abandoned(
    path: Path,
    *,
    watched: Callable[[], float] = lambda: math.inf,
    has_ended: Callable[[dict[str, Any]], bool] = lambda owner: False,
) -> bool:
    """Remove an abandoned lock; one process at a time, lest a waiting one remove the next lock."""
    if not is_abandoned(path, watched_s=watched(), has_ended=has_ended):
        return False
    guard = path.with_name(f"{path.name}.takeover")
    try:
        os.close(os.open(guard, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o664))
    except FileExistsError:
        # Its maker removes it within milliseconds, unless it was killed just then.
        try:
            if _now_there(path.parent) - guard.stat().st_mtime > WRITING_S:
                guard.unlink(missing_ok=True)
        except FileNotFoundError:
            pass
        return False
    try:
        if not is_abandoned(path, watched_s=watched(), has_ended=has_ended):
            return False
        path.unlink(missing_ok=True)
        return True
    finally:
        guard.unlink(missing_ok=True)
