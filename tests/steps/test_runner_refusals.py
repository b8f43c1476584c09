"""The runner and entries that it doesn't link: refused, named, and made again."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from runner_jobs import QUICK_STEP, Runner, entries, identity_in, run


@pytest.fixture
def made(runner: Runner, made_up: Callable[..., None]) -> tuple[list[str], Path]:
    """The command of a job that ran, and the entry that it left."""
    made_up(QUICK_STEP)
    command = runner("made_up", outputs=["results/x"])
    assert run(command).returncode == 0
    (entry,) = entries()
    return command, entry


def test_an_entry_whose_bytes_do_not_fit_is_refused(made: tuple[list[str], Path]) -> None:
    command, entry = made
    (entry / "x").chmod(0o644)
    (entry / "x").write_text("tampered")
    again = run(command)
    assert again.returncode == 0
    assert f"the store's entry {entry.name} is refused" in again.stderr
    assert "x has other bytes than its manifest says" in again.stderr
    assert Path("results/x").read_text() == "x"
    (refused,) = Path("store/refused").iterdir()
    assert (refused / "x").read_text() == "tampered"


def test_an_entry_that_lost_its_manifest_is_set_aside_and_made_again(
    made: tuple[list[str], Path],
) -> None:
    command, entry = made
    (entry / "manifest.json").unlink()
    again = run(command)
    assert again.returncode == 0, again.stderr
    assert f"the store's entry {entry.name} is refused" in again.stderr
    assert "manifest.json" in again.stderr
    assert (entry / "manifest.json").is_file()
    (refused,) = Path("store/refused").iterdir()
    assert (refused / "x").read_text() == "x"


def test_an_entry_under_the_name_of_another_one_is_refused(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up(QUICK_STEP)
    first, second = (
        runner("made_up", outputs=["results/x"], settings={"seed": seed}) for seed in (1, 2)
    )
    assert run(first).returncode == 0
    (entry,) = entries()
    entry.rename(entry.with_name(identity_in(second)))
    again = run(second)
    assert again.returncode == 0, again.stderr
    assert f"the store's entry {identity_in(second)} is refused" in again.stderr
    assert f"its contents give the identity {entry.name}" in again.stderr
    assert "done in" in again.stderr


@pytest.mark.parametrize("lost", ["entry", "record", "note"])
def test_what_an_input_was_made_from_is_asked_before_the_step_works(
    runner: Runner, made: tuple[list[str], Path], lost: str
) -> None:
    _, entry = made
    (note,) = Path("results/.identities").iterdir()
    if lost == "note":
        note.write_text("half")
    else:
        shutil.rmtree(entry) if lost == "entry" else (entry / "record.json").unlink()
    command = runner("made_up", inputs={"a": ["results/x"]}, outputs=["results/b/x"])
    stopped = run(command)
    assert stopped.returncode == 1
    assert "results/x: what it was made from isn't known" in stopped.stderr
    assert (str(note) if lost == "note" else "the record is missing") in stopped.stderr
    assert "remove it and start snakemake again" in stopped.stderr
    # The step would have been an attempt.
    assert not list(Path("store/work").rglob("attempts.json"))
    assert not Path("results/b").exists()
