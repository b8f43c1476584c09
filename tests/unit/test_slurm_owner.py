"""Locks of jobs on other nodes: taken over when Slurm says that the job has ended."""

import json
import os

import pytest

from mimic.provenance import lock, slurm_owner
from mimic.provenance.lock import hold, is_abandoned
from mimic.provenance.slurm_owner import EndedJobs

FORMER = {"host": "mel2001", "pid": 1, "began": 0.0, "slurm_job": "7", "slurm_cluster": "mel"}
GONE = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """In a job of its own, with a stand-in for squeue; how often that was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    monkeypatch.setenv("SLURM_CLUSTER_NAME", "mel")
    # A busy machine starts the stand-in late.
    monkeypatch.setattr(slurm_owner, "ANSWER_S", 60.0)

    def put(script):
        (folder / "squeue").write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\n{script}\n')
        (folder / "squeue").chmod(0o755)
        return folder / "calls"

    return put


@pytest.mark.parametrize(
    ("script", "ended"),
    [
        # Ended, and forgotten.
        ("true", True),
        (GONE, True),
        ("echo RUNNING", False),
        # Its last processes are being killed.
        ("echo COMPLETING", False),
        ("echo 'Unable to contact slurm controller' >&2; exit 1", False),
        ("sleep 300", False),
    ],
)
def test_slurm_s_word_counts_where_it_has_one(squeue, monkeypatch, script, ended):
    if "sleep" in script:
        monkeypatch.setattr(slurm_owner, "ANSWER_S", 8.0)
    calls = squeue(script)
    assert EndedJobs().has_ended(FORMER) is ended
    assert calls.read_text() == "--noheader --jobs=7 --format=%T\n"


def test_without_squeue_nobody_knows(squeue, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert not EndedJobs().has_ended(FORMER)


@pytest.mark.parametrize(
    "changes",
    [
        # A job that Slurm started again has its former number.
        {"slurm_job": "8"},
        {"slurm_job": None},
        {"slurm_cluster": "other"},
        {"slurm_cluster": None},
    ],
)
def test_of_other_owners_nothing_is_concluded(squeue, changes):
    calls = squeue("true")
    assert not EndedJobs().has_ended(FORMER | changes)
    assert not calls.exists()


def test_outside_of_slurm_nothing_is_asked(squeue, monkeypatch):
    calls = squeue("true")
    monkeypatch.delenv("SLURM_JOB_ID")
    assert not EndedJobs().has_ended(FORMER)
    assert not calls.exists()


def test_slurm_is_asked_now_and_then(squeue, monkeypatch):
    monkeypatch.setattr(slurm_owner, "ASK_S", 3600.0)
    calls = squeue("echo RUNNING")
    jobs = EndedJobs()
    assert not any(jobs.has_ended(FORMER) for _ in range(5))
    assert len(calls.read_text().splitlines()) == 1
    # Another owner is another question.
    assert not jobs.has_ended(FORMER | {"slurm_job": "9"})
    monkeypatch.setattr(slurm_owner, "ASK_S", 0.0)
    squeue("true")
    assert jobs.has_ended(FORMER)
    # What has ended stays so.
    assert jobs.has_ended(FORMER)
    assert len(calls.read_text().splitlines()) == 3


def test_who_waits_takes_over_from_a_job_that_has_ended(squeue, tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "POLL_S", 0.01)
    path = tmp_path / "a.lock"
    path.write_text(json.dumps(FORMER | {"token": "x"}))
    squeue("echo RUNNING")
    with pytest.raises(TimeoutError), hold(path, check=lambda: _raise(TimeoutError)):
        pass
    squeue(GONE)
    with hold(path) as own:
        assert own.is_own()
        owner = json.loads(path.read_text())
        assert (owner["slurm_job"], owner["slurm_cluster"]) == ("8", "mel")


def test_other_people_s_jobs_may_be_hidden(squeue, tmp_path, monkeypatch):
    path = tmp_path / "a.lock"
    path.write_text(json.dumps(FORMER | {"token": "x"}))
    squeue(GONE)
    assert is_abandoned(path, has_ended=EndedJobs().has_ended)
    monkeypatch.setattr(lock.os, "getuid", lambda: path.stat().st_uid + 1)
    assert not is_abandoned(path, has_ended=EndedJobs().has_ended)


def _raise(error):
    raise error
