"""Jobs on two nodes of a real Slurm: a training, and roles that talk to each other."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from lab_files import ACCOUNT, GPU_NODES, GPUS
from slurm_lab import SlurmLab
from small_study import SETTINGS, SmallStudy

pytestmark = pytest.mark.slow
COLUMNS = (
    "JobIDRaw",
    "State",
    "Partition",
    "ReqTRES",
    "AllocTRES",
    "NNodes",
    "NodeList",
    "Comment",
    "ExitCode",
)

SERVER = """\
import http.server, os, sys, time
print("loading", flush=True)
time.sleep(1)
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        here = os.environ["SLURMD_NODENAME"], os.environ["CUDA_VISIBLE_DEVICES"]
        self.wfile.write(" ".join(here).encode())
        if self.path == "/die":
            print("out of luck", flush=True)
            os._exit(3)
address = os.environ["MIMIC_HOST"], int(os.environ["MIMIC_PORT"])
http.server.HTTPServer(address, Answers).serve_forever()
"""
CLIENT = """\
import os, pathlib, sys, time, urllib.request
def ask(path):
    return urllib.request.urlopen(os.environ["MIMIC_URL_REWARD"] + path).read().decode()
pathlib.Path(sys.argv[1]).write_text(
    f"{os.environ['SLURMD_NODENAME']} {os.environ['CUDA_VISIBLE_DEVICES']} heard {ask('/')}"
)
if sys.argv[2:]:
    ask(sys.argv[2])
    time.sleep(900)
"""
# Tells both which signal came, by a file for each.
TOLD = """\
import os, pathlib, signal, sys, time
here = pathlib.Path(sys.argv[1])
def note(number, _frame):
    (here / f"told-{os.environ['SLURMD_NODENAME']}").write_text(str(number))
    # The end of the one that works is that of both.
    end = time.monotonic() + 120
    while len(list(here.glob("told-*"))) < 2 and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(1)
    sys.exit(75)
signal.signal(signal.SIGUSR1, note)
(here / f"ready-{os.environ['SLURMD_NODENAME']}").touch()
time.sleep(600)
"""


def in_two_nodes(
    lab: SlurmLab, project: Path, folder: Path, roles: list[dict[str, object]], before: str = ""
) -> tuple[int, str]:
    """Submit a job of two nodes that runs roles; its exit status and what it said."""
    told = {"roles": roles, "main": "trainer", "logs": str(folder / "logs")}
    (folder / "roles.json").write_text(json.dumps(told))
    command = shlex.join([sys.executable, "-m", "mimic.cluster.roles", str(folder / "roles.json")])
    # As Snakemake's plugin leaves a job.
    clean = "for v in ${!SLURM_*}; do [ $v = SLURM_JOB_ID ] || unset $v; done"
    script = folder / "job.sh"
    script.write_text(f"#!/bin/bash\n{clean}\n{before}\n{command}\n")
    lab_line = ["sbatch", "--parsable", "--partition=gpu", "--nodes=2", "--ntasks=2"]
    lab_line += [f"--gres=gpu:{GPUS}", f"--account={ACCOUNT}", "--mem=1000", "--time=10"]
    done = subprocess.run(
        [str(lab.state / "bin" / lab_line[0]), *lab_line[1:], f"--output={folder}/said", script],
        env=os.environ | lab.environment | {"PYTHONPATH": str(project / "workflow")},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.strip().isdigit(), done.stderr
    end = time.monotonic() + 900
    asked = ("scontrol", "show", "job", done.stdout.strip())
    while re.search("JobState=(PENDING|RUNNING|COMPLETING)", job := lab.run(*asked)):
        assert time.monotonic() < end, job
        time.sleep(0.5)
    found = re.search(r" ExitCode=(\d+):0", job)
    assert found, job
    return int(found.group(1)), (folder / "said").read_text()


def role(name: str, code: str, *arguments: object, serves: object = None) -> dict[str, object]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return {"name": name, "command": command, "serves": serves}


def test_two_roles_talk_and_the_server_ends_with_the_trainer(lab, project, tmp_path):
    reward = role("reward", SERVER, serves={"ready": "/", "within_s": 300})
    trainer = role("trainer", CLIENT, tmp_path / "heard")
    status, said = in_two_nodes(lab, project, tmp_path, [trainer, reward])
    assert status == 0, said
    first, second = GPU_NODES[:2]
    gpus = ",".join(map(str, range(GPUS)))
    assert (tmp_path / "heard").read_text() == f"{first} {gpus} heard {second} {gpus}"
    assert re.search(r"reward is ready at http://127.0.0.1:\d+\n", said)
    assert "loading" in (tmp_path / "logs/reward.log").read_text()
    assert "loading" not in said
    (job,) = [job for job in lab.jobs(*COLUMNS) if job["NNodes"] == "2"][-1:]
    assert job["State"] == "COMPLETED"
    assert f"gres/gpu={2 * GPUS}" in job["AllocTRES"]


def test_where_a_server_dies_the_job_fails_with_its_words(lab, project, tmp_path):
    reward = role("reward", SERVER, serves={"ready": "/", "within_s": 300})
    trainer = role("trainer", CLIENT, tmp_path / "heard", "/die")
    start = time.monotonic()
    status, said = in_two_nodes(lab, project, tmp_path, [trainer, reward])
    assert time.monotonic() - start < 600
    assert status == 1, said
    assert "[reward] out of luck" in said
    assert "error: reward (on mel2002) ended with exit status 3 before trainer did" in said
    (job,) = [job for job in lab.jobs(*COLUMNS) if job["NNodes"] == "2"][-1:]
    assert job["State"] == "FAILED"


def test_a_server_that_dies_first_or_never_answers_is_told(lab, project, tmp_path):
    trainer = role("trainer", CLIENT, tmp_path / "heard")
    dying = role("reward", "print('no model'); raise SystemExit(7)", serves={"within_s": 300})
    status, said = in_two_nodes(lab, project, tmp_path, [trainer, dying])
    assert status == 1
    assert "[reward] no model" in said
    assert "reward (on mel2002) ended with exit status 7 before it was ready" in said
    mute = role("reward", "import time; time.sleep(300)", serves={"within_s": 3})
    status, said = in_two_nodes(lab, project, tmp_path, [trainer, mute])
    assert status == 1
    assert re.search(r"reward \(on mel2002\) didn't answer at http://.*/health within 3 s", said)
    assert not (tmp_path / "heard").exists()


def test_a_signal_reaches_the_roles_of_both_nodes(lab, project, tmp_path):
    roles = [role(name, TOLD, tmp_path) for name in ("trainer", "other")]
    # The signal comes from the shell that started the roles, as from a runner.
    tell = (
        f"(until [ $(ls {tmp_path} | grep -c ready-) = 2 ]; do sleep 0.2; done; "
        "kill -USR1 $(pgrep -P $$ -f mimic.cluster.roles)) &"
    )
    status, said = in_two_nodes(lab, project, tmp_path, roles, before=tell)
    assert status == 75, said
    told = {path.name: path.read_text() for path in tmp_path.glob("told-*")}
    assert told == {f"told-{node}": "10" for node in GPU_NODES[:2]}


LABEL = "tiny-sft-s1"


@pytest.fixture
def study(project, tiny_model, tmp_path) -> SmallStudy:
    """A copy of the project as set-up leaves it, with a study of the tiny model."""
    study = SmallStudy.make(
        project, tmp_path / "clone", model=tiny_model.parent, hub=tmp_path / "hub"
    )
    (study.folder / "meluxina").symlink_to("profiles/meluxina")
    return study


def train(lab: SlurmLab, study: SmallStudy, profile: str, root: str, **launch: object) -> Path:
    """Train its run in two processes; the folder of what came out."""
    values = yaml.safe_load(SETTINGS)
    sft = values["finetune"]["sft"] | {"accumulation": 2, "launch": launch}
    values |= {"root": f"results/{root}", "finetune": {"methods": ["sft"], "sft": sft}}
    (study.folder / f"{root}.yaml").write_text(yaml.safe_dump(values))
    line = [sys.executable, "-m", "snakemake", "--profile", profile]
    # Looked at sooner than on a cluster that others use.
    line += ["--slurm-init-seconds-before-status-checks", "2"]
    line += ["--configfile", f"{root}.yaml", "--", f"results/{root}/finetune/{LABEL}/manifest.json"]
    done = subprocess.run(
        line,
        cwd=study.folder,
        env=study.environment | lab.environment,
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return study.folder / f"results/{root}/finetune/{LABEL}"


def test_a_training_on_two_nodes_is_that_on_one(lab, study):
    before = len(lab.jobs("State"))
    two = train(lab, study, "meluxina", "two", config="ddp", devices=2, nodes=2)
    jobs = lab.jobs(*COLUMNS)[before:]
    (job,) = [job for job in jobs if job["Comment"].startswith("rule_finetune")]
    assert job["State"] == "COMPLETED"
    assert (job["Partition"], job["NNodes"]) == ("gpu", "2")
    assert job["NodeList"] == "mel[2001-2002]"
    assert f"gres/gpu={2 * GPUS}" in job["AllocTRES"]
    steps = lab.run("sacct", "-nP", "-j", job["JobIDRaw"], "--format=JobName,NodeList,State")
    for number, node in enumerate(GPU_NODES[:2]):
        assert f"training-{number}|{node}|COMPLETED" in steps.splitlines()
    one = train(lab, study, "profiles/local", "one", config="ddp", devices=2)
    logs = [pd.read_csv(folder / "training_log.csv") for folder in (two, one)]
    pd.testing.assert_frame_equal(*logs)
    assert len(logs[0]) == 2
    adapters = [(folder / "adapter_model.safetensors").read_bytes() for folder in (two, one)]
    assert adapters[0] == adapters[1]
