"""Two people, one store: real users, whose files the other may not change."""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from runner_jobs import PATIENCE_S, Runner, wait_until

from mimic.files import read_json

GROUP, ANNA, BEN = 60_000, 60_001, 60_002

# The first attempt leaves something to go on from, and is killed; the second goes on from it.
STEP = """\
import time
from mimic.progress import say
from mimic.step import run_step

def main(job):
    part = job.unfinished / "checkpoint" / "part.txt"
    if part.exists():
        (part.parent / "more.txt").write_text("more")
        (job.out / "folder").mkdir()
        (job.out / "folder" / "whole.txt").write_text(part.read_text() + " and whole")
        (job.out / "whole.txt").write_text("whole")
        return
    part.parent.mkdir(parents=True)
    part.write_text("half")
    say("half is done")
    time.sleep(600)

run_step(main)
"""
# As from the command line, but a lock that nobody touches is old soon.
RUNNER = """\
import sys
from mimic.provenance import lock, runner

lock.ABANDONED_S = 3.0
sys.exit(runner.main(sys.argv[1:]))
"""


def other_peoples_python() -> str | None:
    """A Python of this version that any user may start."""
    version = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            subprocess.run([python, "-c", version], user=ANNA, group=GROUP, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    return None


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that both may enter, with a store of their group."""
    if os.geteuid() != 0:
        pytest.skip("only root can work as two other users")
    folder = Path(tempfile.mkdtemp(prefix="mimic-two-users-"))
    folder.chmod(0o755)
    store = folder / "store"
    store.mkdir()
    os.chown(store, ANNA, GROUP)
    store.chmod(0o2775)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start(
    place: Path, runner: Runner, made_up: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], "subprocess.Popen[str]"]:
    """Starts the same job as one of the two, each in a project folder of their own."""
    made_up(STEP)
    python = other_peoples_python()
    if python is None:
        pytest.skip(f"no Python {sys.version_info.major}.{sys.version_info.minor} for other users")
    package = shutil.copytree("package", place / "package")
    libraries = sysconfig.get_paths()["purelib"]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(package), libraries]))
    shutil.copy("pyproject.toml", place)
    command = runner("made_up", outputs=["results/whole.txt", "results/manifest.json"])

    def begin(user: int) -> "subprocess.Popen[str]":
        own = place / str(user)
        own.mkdir(exist_ok=True)
        os.chown(own, user, GROUP)
        return subprocess.Popen(
            [python, "-c", RUNNER, *command[3:]],
            cwd=own,
            user=user,
            group=GROUP,
            extra_groups=[],
            umask=0o022,
            env={**os.environ, "MIMIC_STORE": str(place / "store")},
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


def kill(process: "subprocess.Popen[str]") -> None:
    """End a runner and its step by force, as a machine that dies does."""
    # The runner first: it would clear up after its step.
    for each in [process, *psutil.Process(process.pid).children(recursive=True)]:
        # Some end with the runner.
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    process.communicate(timeout=PATIENCE_S)


def is_half_done(store: Path) -> bool:
    """Whether the first attempt has written what the second goes on from."""
    parts = store.glob("work/*/unfinished/checkpoint/part.txt")
    return [part.read_text() for part in parts] == ["half"]


def test_one_goes_on_with_what_the_other_left_and_finds_what_the_other_made(
    place: Path, start: Callable[[int], "subprocess.Popen[str]"]
) -> None:
    store = place / "store"
    first = start(ANNA)
    assert wait_until(lambda: is_half_done(store)), first.poll()
    kill(first)
    # The first one's job can't be seen to be gone by the other: its lock has to grow old.
    (lock,) = store.glob("work/*.lock")
    old = time.time() - 1_000
    os.utime(lock, (old, old))

    second = start(BEN)
    _, said = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 0, said
    assert "done in" in said
    assert (place / str(BEN) / "results/folder/whole.txt").read_text() == "half and whole"
    assert not list(store.glob("work/*"))
    (record,) = store.glob("*/record.json")
    assert record.stat().st_uid == BEN
    assert read_json(record)["circumstances"]["attempts"] == 2

    third = start(ANNA)
    _, said = third.communicate(timeout=PATIENCE_S)
    assert third.returncode == 0, said
    assert "was made before" in said
    linked = place / str(ANNA) / "results/whole.txt"
    assert linked.read_text() == "whole"
    # A copy of one's own: the other one's file could not be mended.
    assert linked.stat().st_uid == ANNA


def test_a_store_of_ones_own_leaves_the_rights_alone(
    place: Path, start: Callable[[int], "subprocess.Popen[str]"]
) -> None:
    store = place / "store"
    store.chmod(0o755)
    process = start(ANNA)
    assert wait_until(lambda: is_half_done(store))
    kill(process)
    (made,) = store.glob("work/*/unfinished/checkpoint")
    assert stat.S_IMODE(made.stat().st_mode) == 0o755
