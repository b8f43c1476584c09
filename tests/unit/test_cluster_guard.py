"""What is refused before anything is submitted, and what a killed snakemake left."""

import os
import re
import stat
import subprocess
import sys
import textwrap

import pytest
from test_cluster_site import SITE

from mimic.cluster import guard, slurm_limits
from mimic.cluster.checks import refusals

ANSWERS = {
    "sacctmgr": 'case "$*" in *assoc*) echo "p1|default,short";; *) echo "default|2-00:00:00";'
    ' echo "short|06:00:00"; echo "free|";; esac',
    "sinfo": "echo cpu; echo gpu",
}


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Stand-ins for Slurm's commands, which answer as Slurm does."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(name, script):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    for name, script in ANSWERS.items():
        put(name, script)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return put


def refused(environment, **changes):
    """What of a site that was changed is refused."""
    site = SITE.model_copy(update={"max_minutes": 2880, **changes})
    return refusals(site, environment, source="site.yaml")


def test_a_site_that_fits_is_not_refused(commands):
    assert refused({"ACCOUNT": "P1"}) == []
    assert refused({}, account_variable=None, qos=None) == []


@pytest.mark.parametrize(
    ("environment", "changes", "words"),
    [
        ({}, {}, "ACCOUNT isn't set; .* Yours: p1. For example: export ACCOUNT=p1"),
        ({"ACCOUNT": "p2"}, {}, "ACCOUNT is p2, which is no account of yours; there are: p1"),
        ({"ACCOUNT": "p1"}, {"qos": "free"}, "qos = 'free': not allowed; yours are default, short"),
        ({"ACCOUNT": "p1"}, {"qos": "short"}, "QOS short ends jobs after 360 minutes"),
        (
            {"ACCOUNT": "p1"},
            {"gpu": SITE.gpu.model_copy(update={"partition": "gpus"})},
            "gpu.partition = 'gpus': there is no such partition; there are cpu, gpu",
        ),
    ],
)
def test_each_mistake_is_refused_with_the_mend(commands, environment, changes, words):
    (one,) = refused(environment, **changes)
    assert re.search(words, one), one


def test_a_command_that_is_not_there_or_fails_is_told(commands, monkeypatch):
    commands("sinfo", "echo 'slurm_load_partitions: no contact' >&2; exit 1")
    with pytest.raises(ValueError, match=r"`sinfo .*failed: slurm_load_partitions: no contact"):
        slurm_limits.partitions()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ValueError, match="there is no sinfo here; .* on a login node"):
        slurm_limits.partitions()


def test_walltimes_are_read(commands):
    assert slurm_limits.longest_minutes() == {"default": 2880, "short": 360, "free": None}
    assert slurm_limits.minutes_of("00:00:30") == 1
    with pytest.raises(ValueError, match="'UNLIMITED' is no walltime"):
        slurm_limits.minutes_of("UNLIMITED")


def test_what_a_killed_snakemake_left_here_is_cancelled(commands, tmp_path):
    queue = tmp_path / "queue"
    other = tmp_path / "other"
    queue.write_text(
        f"7|RUNNING|mimic_a|{tmp_path}\n8|PENDING|mimic_b|{other}\n9|RUNNING|else|{tmp_path}\n"
    )
    commands("squeue", f"cat {queue}")
    commands("scancel", f'echo "$*" >> {tmp_path}/cancelled; sed -i /^7/d {queue}')
    told = []
    assert guard.cancel_leftovers(tmp_path, tell=told.append) == ["7"]
    assert (tmp_path / "cancelled").read_text().split() == ["--quiet", "7"]
    assert told == ["cancelling 1 job(s) left by a snakemake that was killed: 7"]
    assert guard.cancel_leftovers(tmp_path, tell=told.append) == []


def test_jobs_that_do_not_go_are_told(commands, tmp_path, monkeypatch):
    monkeypatch.setattr(guard, "ENDING_S", 0.0)
    monkeypatch.setattr(guard, "POLL_S", 0.0)
    commands("squeue", f"echo '7|COMPLETING|mimic_a|{tmp_path}'")
    commands("scancel", "true")
    with pytest.raises(ValueError, match=r"jobs 7 were cancelled .* haven't ended"):
        guard.cancel_leftovers(tmp_path, tell=lambda line: None)


def test_one_process_holds_a_folder_and_a_killed_one_does_not(tmp_path):
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from mimic.cluster.guard import hold_folder
        hold_folder(Path(sys.argv[1]))
        print("held", flush=True)
        time.sleep(60)
        """
    )
    line = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match=f"another snakemake .*process {first.pid} on "):
            guard.hold_folder(tmp_path)
        first.kill()
    guard.hold_folder(tmp_path)
