"""A step in processes on two nodes, with stand-ins for Slurm: who they are, what they are told."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from launched import PROJECT, environment, launch, write_job
from node_stand_ins import put_commands
from runner_jobs import PATIENCE_S, entries, gone, run, wait_until
from test_launch_processes import TOLD_STEP, begin, told_lines

from mimic.files import read_json

# Each process says who it is, and what it has of its node's disk.
WHO_STEP = """\
import os, pathlib, tempfile, time
from mimic.provenance.placing import write_json_whole
from mimic.step import run_step

NAMES = "RANK LOCAL_RANK WORLD_SIZE LOCAL_WORLD_SIZE MASTER_ADDR MASTER_PORT SLURMD_NODENAME"

def main(job):
    job.unfinished.mkdir(exist_ok=True)
    found = {name: os.environ[name] for name in NAMES.split()}
    found |= {"threads": os.environ["OMP_NUM_THREADS"], "scratch": tempfile.gettempdir()}
    pathlib.Path(found["scratch"], "left").mkdir(exist_ok=True)
    write_json_whole(job.unfinished / f"{found['RANK']}.json", found)
    if found["RANK"] == "0":
        while len(list(job.unfinished.glob("*.json"))) < int(found["WORLD_SIZE"]):
            time.sleep(0.1)
        for path in sorted(job.unfinished.glob("*.json")):
            (job.out / path.name).write_bytes(path.read_bytes())

run_step(main)
"""

# A process of the second node fails while the first node's wait for it.
FAILING_STEP = """\
import os, signal, time
from pathlib import Path
from mimic.step import run_step

def main(job):
    signal.signal(signal.SIGTERM, lambda *_: None)
    print(f"error: process {os.getpid()}", flush=True)
    if os.environ["RANK"] == "1":
        while not Path("begun").exists():
            time.sleep(0.1)
        raise ValueError("essays.csv, row 3: no text; remove the row")
    Path("begun").touch()
    time.sleep(900)

run_step(main)
"""


@pytest.fixture
def on_two_nodes(runner, made_up, project, tmp_path, monkeypatch):
    """The command line of a job of a made-up step on two nodes."""
    put_commands(tmp_path, monkeypatch)

    def command(code, outputs, *, devices=2):
        made_up(code)
        shutil.copytree(project / "workflow/mimic/cluster", tmp_path / "package/mimic/cluster")
        launch = {"config": "ddp", "devices": devices, "nodes": 2}
        return runner(
            "made_up",
            outputs=outputs,
            settings={"launch": launch, "compute": {"threads": 3}},
            inputs={"accelerate": [str(project / "config/accelerate/ddp.yaml")]},
        )

    return command


def test_processes_of_two_nodes_know_who_they_are(on_two_nodes, tmp_path, monkeypatch):
    scratch = tmp_path / "disk"
    scratch.mkdir()
    monkeypatch.setenv("DISK", str(scratch))
    monkeypatch.setenv("MIMIC_SCRATCH", "$DISK")
    done = run(on_two_nodes(WHO_STEP, [f"results/{rank}.json" for rank in range(4)], devices=4))
    assert done.returncode == 0, done.stderr + Path("results/logs/test.log").read_text()
    found = [read_json(Path(f"results/{rank}.json")) for rank in range(4)]
    assert [one["RANK"] for one in found] == ["0", "1", "2", "3"]
    assert [one["LOCAL_RANK"] for one in found] == ["0", "1", "0", "1"]
    assert [one["SLURMD_NODENAME"] for one in found] == ["node1"] * 2 + ["node2"] * 2
    assert {(one["WORLD_SIZE"], one["LOCAL_WORLD_SIZE"]) for one in found} == {("4", "2")}
    assert {one["threads"] for one in found} == {"3"}
    assert {one["MASTER_ADDR"] for one in found} == {"127.0.0.1"}
    assert len({one["MASTER_PORT"] for one in found}) == 1
    # A folder for each node, on its disk, which is gone.
    assert len({one["scratch"] for one in found}) == 2
    assert {Path(one["scratch"]).parent for one in found} == {scratch}
    assert list(scratch.iterdir()) == []


def test_a_signal_reaches_the_processes_of_both_nodes(on_two_nodes):
    job = begin(on_two_nodes(TOLD_STEP, ["results/x"]))
    assert sorted(line.split()[-1] for line in told_lines(job, 2)) == ["0", "1"]
    job.send_signal(signal.SIGUSR1)
    _, words = job.communicate(timeout=PATIENCE_S)
    assert job.returncode == 75, words
    (unfinished,) = Path("store/work").glob("*/unfinished")
    told = {path.name: path.read_text() for path in unfinished.iterdir()}
    assert told == dict.fromkeys("01", str(int(signal.SIGUSR1)))


def test_where_a_process_fails_those_of_the_other_node_end(on_two_nodes):
    job = begin(on_two_nodes(FAILING_STEP, ["results/x"]))
    _, words = job.communicate(timeout=700)
    assert job.returncode == 1
    assert words.count("] error: essays.csv, row 3: no text; remove the row\n") == 1
    assert "process 2 of 2 failed with exit status 1" in words
    pids = [int(line.split()[-1]) for line in words.splitlines() if "error: process " in line]
    assert len(pids) == 2
    # Those of the first node end with what started them there.
    assert wait_until(lambda: gone(*pids))
    assert entries() == []


def test_without_a_job_of_two_nodes_it_is_told(on_two_nodes):
    os.environ.pop("SLURM_JOB_ID")
    done = run(on_two_nodes(WHO_STEP, ["results/0.json"]))
    assert done.returncode == 1
    assert "error: 2 nodes are needed, but this is no job of Slurm" in done.stderr


@pytest.mark.slow
def test_two_nodes_train_what_two_processes_of_one_train(job_of, tmp_path, monkeypatch):
    options = {"steps": 2, "batch_size": 1, "accumulation": 2}
    one, two = (job_of("sft", out=out, **options) for out in ("one", "two"))
    put_commands(tmp_path, monkeypatch)
    line = [sys.executable, "-m", "mimic.cluster.training", "--nodes", "2", "--processes", "2"]
    line += ["--config", str(PROJECT / "config/accelerate/ddp.yaml")]
    line += ["mimic.finetune.sft", str(write_job(two))]
    done = subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("» sft step 2 of 2") == 1
    alone = launch(one, "sft")
    said, _ = alone.communicate(timeout=1200)
    assert alone.returncode == 0, said
    for name in ("adapter_model.safetensors", "training_log.csv", "learning.json"):
        assert (one.out / name).read_bytes() == (two.out / name).read_bytes(), name
