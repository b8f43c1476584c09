"""Locks between processes, hosts and people."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from mimic.provenance import lock as lock_module
from mimic.provenance.lock import LostLock, hold, hold_if_free, is_abandoned, read_owner


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "0.lock"


def me(**changes: Any) -> dict[str, Any]:
    """What a lock of this process says."""
    mine = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "began": psutil.Process().create_time(),
        "token": "mine",
    }
    return mine | changes


def dead_pid() -> int:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    return dead.pid


def write(path: Path, owner: Any, age_s: float = 0) -> None:
    path.write_text(owner if isinstance(owner, str) else json.dumps(owner))
    os.utime(path, (time.time() - age_s,) * 2)


def until(is_so: Callable[[], bool]) -> bool:
    """Wait until something is so; whether it came to be."""
    end = time.monotonic() + 60
    while not is_so() and time.monotonic() < end:
        time.sleep(0.02)
    return is_so()


def test_a_second_one_waits_and_says_for_whom(path: Path) -> None:
    order: list[str] = []
    waited: list[dict[str, Any]] = []

    def second() -> None:
        with hold(path, waiting=waited.append):
            order.append("second")

    with hold(path):
        other = threading.Thread(target=second)
        other.start()
        assert until(lambda: bool(waited))
        # It looks again meanwhile.
        time.sleep(0.8)
        order.append("first")
    other.join(timeout=60)
    assert order == ["first", "second"]
    (owner,) = waited
    assert owner["pid"] == os.getpid()
    assert owner["host"] == socket.gethostname()
    assert list(path.parent.iterdir()) == []


def test_an_owner_that_is_still_writing_its_name_is_told_with_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "POLL_S", 0.05)
    write(path, "")
    waited: list[dict[str, Any]] = []

    def check() -> None:
        if waited:
            path.unlink()
        elif path.read_text() == "":
            write(path, me())

    with hold(path, waiting=waited.append, check=check):
        assert waited == [me()]


def test_others_do_not_wait(path: Path) -> None:
    with hold(path), hold(path.with_name("1.lock")):
        assert len(list(path.parent.iterdir())) == 2


def test_only_if_free(path: Path) -> None:
    with hold(path):
        with hold_if_free(path) as lock:
            assert lock is None
        assert path.exists()
    with hold_if_free(path) as lock:
        assert lock is not None
        lock.check()
    assert not path.exists()
    write(path, me(pid=dead_pid()))
    with hold_if_free(path) as lock:
        assert lock is not None


@pytest.mark.parametrize(
    ("owner", "age_s", "abandoned"),
    [
        (me(), 0, False),
        (me(began=1.0), 0, True),
        # The clock was set by two seconds meanwhile.
        (me(began=psutil.Process().create_time() - 2), 0, False),
        (me(host="elsewhere"), 0, False),
        (me(host="elsewhere"), 9999, True),
        ("", 0, False),
        ("", 9999, True),
        ('{"host": "elsew', 9999, True),
    ],
)
def test_which_locks_are_abandoned(path: Path, owner: Any, age_s: float, abandoned: bool) -> None:
    write(path, owner, age_s)
    assert is_abandoned(path) is abandoned
    assert not is_abandoned(path.with_name("none.lock"))


def test_of_another_person_s_process_nothing_is_concluded(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(path, me(pid=dead_pid()))
    assert is_abandoned(path)
    monkeypatch.setattr(lock_module.os, "getuid", lambda: path.stat().st_uid + 1)
    # Where one may not see it, it would look as if it were gone.
    assert not is_abandoned(path)
    write(path, me(pid=dead_pid()), 9999)
    assert is_abandoned(path)


def test_the_lock_of_a_dead_process_is_taken_over(path: Path) -> None:
    write(path, me(pid=dead_pid()))
    with hold(path):
        owner = read_owner(path)
        assert owner is not None
        assert owner["pid"] == os.getpid()
    assert not path.exists()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks that are abandoned after a second, looked at often."""
    for name, value in (("ABANDONED_S", 1.0), ("POLL_S", 0.05), ("PAUSE_S", 0.5)):
        monkeypatch.setattr(lock_module, name, value)


@pytest.mark.usefixtures("soon")
def test_who_waits_watches_an_old_lock_before_it_takes_it_over(path: Path) -> None:
    write(path, me(host="elsewhere"), age_s=9999)
    started = time.monotonic()
    with hold(path):
        assert time.monotonic() - started >= 1.0


@pytest.mark.usefixtures("soon")
def test_an_owner_that_a_file_server_kept_waiting_keeps_its_lock(path: Path) -> None:
    owner = me(host="elsewhere")
    write(path, owner, age_s=9999)
    until = time.monotonic() + 2.5

    def check() -> None:
        os.utime(path)
        if time.monotonic() > until:
            raise TimeoutError

    with pytest.raises(TimeoutError), hold(path, check=check):
        pass
    assert read_owner(path) == owner


@pytest.mark.usefixtures("soon")
def test_what_a_file_server_took_long_for_is_not_watched(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(path, me(host="elsewhere"), age_s=9999)
    known, answered = lock_module._now_there, list[float]()

    def stands_still(folder: Path) -> float:
        if len(answered) < 4:
            time.sleep(0.7)
            answered.append(time.monotonic())
        return known(folder)

    monkeypatch.setattr(lock_module, "_now_there", stands_still)
    with hold(path):
        assert len(answered) == 4
        assert time.monotonic() - answered[-1] >= 1.0


def test_two_waiting_ones_do_not_both_take_over(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(path, me(pid=dead_pid()))
    known = lock_module.is_abandoned

    def slowly(lock: Path, **watched: float) -> bool:
        found = known(lock, **watched)
        time.sleep(0.2)
        return found

    monkeypatch.setattr(lock_module, "is_abandoned", slowly)
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        with hold(path):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.6)
            inside.pop()

    jobs = [threading.Thread(target=work) for _ in range(2)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(timeout=60)
    assert most == [1, 1]


def test_a_takeover_that_was_killed_does_not_stop_others_for_ever(path: Path) -> None:
    write(path, me(pid=dead_pid()))
    guard = path.with_name(f"{path.name}.takeover")
    write(guard, "", age_s=9999)
    with hold(path):
        assert not guard.exists()


def test_an_owner_shows_that_it_lives(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "BEAT_S", 0.05)
    with hold(path):
        began = time.time()
        os.utime(path, (1, 1))
        assert until(lambda: path.stat().st_mtime != 1)
        assert path.stat().st_mtime > began - 5


def test_who_lost_the_lock_is_told_and_leaves_the_other_ones_alone(path: Path) -> None:
    with hold(path) as lock:
        lock.check()
        path.unlink()
        write(path, me(token="another", host="elsewhere"))
        with pytest.raises(LostLock, match="took its work over"):
            lock.check()
    assert path.exists()


def test_who_lost_the_lock_does_not_show_that_the_other_one_lives(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "BEAT_S", 0.05)
    with hold(path):
        # As who takes over does, the file anew.
        path.unlink()
        write(path, me(token="another", host="elsewhere"), age_s=9999)
        time.sleep(0.3)
        assert is_abandoned(path)


def test_a_lock_that_is_taken_over_within_a_beat_is_not_touched(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = lock_module._owner_in

    def taken_over(text: str) -> dict[str, Any] | None:
        path.unlink()
        write(path, me(token="another", host="elsewhere"), age_s=9999)
        return known(text)

    with hold(path) as lock:
        with monkeypatch.context() as patch:
            patch.setattr(lock_module, "_owner_in", taken_over)
            lock.beat()
        assert is_abandoned(path)
        lock.beat()
        assert lock.is_lost()


def test_the_heartbeat_sees_that_the_lock_is_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "BEAT_S", 0.05)
    with hold(path) as lock:
        for half_written in ("", '{"host": "elsew'):
            write(path, half_written)
            time.sleep(0.2)
            assert not lock.is_lost()
        write(path, me(token="another", host="elsewhere"))
        assert until(lock.is_lost)
        with pytest.raises(LostLock):
            lock.check()


def test_a_lock_is_released_by_an_error(path: Path) -> None:
    with pytest.raises(RuntimeError, match="within"), hold(path):
        raise RuntimeError("within")
    assert not path.exists()
