"""Jobs of several nodes: their nodes, roles and signals, with stand-ins for Slurm."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from node_stand_ins import JOB, NODES, put_commands

from mimic.cluster import slurm
from mimic.cluster.allocation import Allocation, Node, Step
from mimic.cluster.roles import Roles
from mimic.settings import parse_settings

SERVER = """\
import http.server, os, sys, time
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
        if self.path == "/die":
            print("out of luck", flush=True)
            # The other one knows of it before Slurm does.
            self.connection.close()
            time.sleep(1)
            os._exit(3)
address = os.environ["MIMIC_HOST"], int(os.environ["MIMIC_PORT"])
http.server.HTTPServer(address, Answers).serve_forever()
"""
CLIENT = """\
import os, sys, time, urllib.request
assert urllib.request.urlopen(os.environ["MIMIC_URL_REWARD"] + "/health").status == 200
print("error: heard it on " + os.environ["SLURMD_NODENAME"])
if sys.argv[1] == "die":
    urllib.request.urlopen(os.environ["MIMIC_URL_REWARD"] + "/die")
sys.exit(int(sys.argv[1]))
"""
PATIENT = """\
import pathlib, signal, sys, time
def note(number, _frame):
    print(f"told {number}", flush=True)
    # The end of the one that works is that of all.
    end = time.monotonic() + 60
    while not all("told" in pathlib.Path(log).read_text() for log in sys.argv[1:]):
        if time.monotonic() > end: break
        time.sleep(0.1)
    time.sleep(1)
    sys.exit(75)
signal.signal(signal.SIGUSR1, note)
print("ready", flush=True)
time.sleep(300)
"""


# Waits for Slurm's word on who ended first, however late it comes.
BLAMING = """\
import sys
from mimic.cluster import roles
roles.BLAME_S = 60.0
sys.exit(roles.main(sys.argv[1:]))
"""


@pytest.fixture
def in_job(tmp_path, monkeypatch):
    put_commands(tmp_path, monkeypatch)


def begin(tmp_path, *, program=("-m", "mimic.cluster.roles"), **commands):
    """Start the roles of a job, the first of which works; a command with `serves` serves."""
    roles = [{"name": name, **each} for name, each in commands.items()]
    told = {"roles": roles, "main": next(iter(commands)), "logs": str(tmp_path / "logs")}
    (tmp_path / "roles.json").write_text(json.dumps(told))
    return subprocess.Popen(
        [sys.executable, *program, str(tmp_path / "roles.json")],
        stdout=subprocess.PIPE,
        text=True,
    )


def python(code, *arguments, **others):
    return {"command": [sys.executable, "-c", code, *arguments], **others}


def test_nodes_of_the_job_are_found_with_their_addresses(in_job):
    found = Allocation.of_this_job(nodes=2)
    assert found.job == JOB
    assert found.nodes == tuple(Node(name=name, address="127.0.0.1") for name in NODES)


def test_another_number_of_nodes_or_no_job_is_told(in_job, monkeypatch):
    with pytest.raises(ValueError, match=r"3 nodes are needed, but job 7 has 2 \(node1, node2\)"):
        Allocation.of_this_job(nodes=3)
    monkeypatch.delenv("SLURM_JOB_ID")
    with pytest.raises(ValueError, match="this is no job of Slurm .* start snakemake with"):
        Allocation.of_this_job(nodes=2)


def test_a_node_without_an_address_is_told(in_job, tmp_path):
    (tmp_path / "bin/scontrol").write_text("#!/bin/sh\necho NodeName=$3\n")
    with pytest.raises(ValueError, match="names no NodeAddr: NodeName=node1"):
        slurm.address_of("node1")


def test_where_there_is_no_srun_it_is_told(in_job, tmp_path, monkeypatch):
    (tmp_path / "bin/srun").unlink()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ValueError, match="there is no srun on PATH"):
        Step(
            ["true"],
            name="a",
            node=Node(name="node1", address="127.0.0.1"),
            job=JOB,
            environment={},
            hear=print,
        )


@pytest.mark.parametrize("status", [0, 9])
def test_the_status_is_that_of_the_role_that_works(in_job, tmp_path, status):
    reward = python(SERVER, serves={"within_s": 120})
    job = begin(tmp_path, trainer=python(CLIENT, str(status)), reward=reward)
    said, _ = job.communicate(timeout=300)
    assert job.returncode == status, said
    assert "» reward is on node2" in said
    assert "error: heard it on node1" in said
    assert (tmp_path / "logs/trainer.log").read_text() == "error: heard it on node1\n"
    # The server was told to stop, or killed.
    pid = int((tmp_path / "steps/reward").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_where_a_server_dies_the_others_are_ended_and_its_words_shown(in_job, tmp_path):
    reward = python(SERVER, serves={"within_s": 120})
    trainer = python(CLIENT, "die")
    job = begin(tmp_path, program=("-c", BLAMING), trainer=trainer, reward=reward)
    said, _ = job.communicate(timeout=300)
    assert job.returncode == 1
    assert "» [reward] out of luck" in said
    assert "error: reward (on node2) ended with exit status 3 before trainer did" in said


@pytest.mark.parametrize(
    ("code", "within_s", "words"),
    [
        (
            "print('no model'); raise SystemExit(4)",
            120,
            "ended with exit status 4 before it was ready",
        ),
        ("print('no model', flush=True); import time; time.sleep(300)", 5, "within 5 s"),
    ],
)
def test_a_server_that_is_never_ready_is_told(in_job, tmp_path, code, within_s, words):
    reward = python(code, serves={"within_s": within_s, "ready": "/ready"})
    job = begin(tmp_path, trainer=python("print('began')"), reward=reward)
    said, _ = job.communicate(timeout=300)
    assert job.returncode == 1
    assert "» [reward] no model" in said
    assert words in said
    assert "began" not in said


def test_a_signal_reaches_each_role_once_and_the_work_is_waited_for(in_job, tmp_path):
    logs = [tmp_path / f"logs/{name}.log" for name in ("trainer", "other")]
    job = begin(tmp_path, trainer=python(PATIENT, str(logs[1])), other=python(PATIENT))
    end = time.monotonic() + 120
    while not all(log.is_file() and "ready" in log.read_text() for log in logs):
        assert time.monotonic() < end
        time.sleep(0.1)
    job.send_signal(signal.SIGUSR1)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(120) == 75
    for log in logs:
        assert log.read_text() == f"ready\ntold {int(signal.SIGUSR1)}\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"main": "judge"}, "main is 'judge', which is no role; there are trainer, reward"),
        ({"main": "reward"}, "reward is main and serves"),
        ({"roles": []}, "at least 1 item"),
        (
            {"roles": [{"name": "trainer", "command": ["true"]}] * 2},
            "two of the roles trainer, trainer have one name",
        ),
        (
            {"roles": [{"name": "trainer", "command": ["true"], "serves": {"ready": "health"}}]},
            "ready = 'health'",
        ),
    ],
)
def test_roles_with_a_mistake_are_refused_in_words(change, words):
    values = {
        "roles": [
            {"name": "trainer", "command": ["true"]},
            {"name": "reward", "command": ["true"], "serves": {}},
        ],
        "main": "trainer",
        "logs": "logs",
    }
    assert parse_settings(Roles, values, source="roles.json").roles[1].variable == (
        "MIMIC_URL_REWARD"
    )
    with pytest.raises(ValueError, match=words):
        parse_settings(Roles, values | change, source="roles.json")
