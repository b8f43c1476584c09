"""Several processes that share what one respondent is asked: the bytes of one process."""

import dataclasses
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from launched import environment, write_job

from mimic.forms import build
from mimic.provenance import runner
from mimic.provenance.call import parse_call
from mimic.provenance.specs import job_files
from mimic.respondents.shards import Shard
from mimic.study import load_study

SETTINGS = {
    "questionnaire.ask": {"questionnaire": {"batch_tokens": 128}},
    "questionnaire.generate": {"questionnaire": {"max_tokens": 4, "batch_size": 20}},
    "writing.write": {"writing": {"max_new_tokens": 8, "samples": 1, "batch_size": 8}},
}
OUTPUTS = {
    "questionnaire.ask": "answers.parquet",
    "questionnaire.generate": "generated.parquet",
    "writing.write": "texts.csv",
}
# 16 profiles × 10 items × both orders; 4 × 10 × 3 formats; 16 × 2 situations.
ASKED = {"questionnaire.ask": 320, "questionnaire.generate": 120, "writing.write": 32}


@pytest.fixture
def job_of(make_job, tiny_model, essays_csv, project):
    instruments = project / "config/instruments"
    names = ("ipip_bffm_50", "ipip_neo_120", "mini_ipip_10")
    forms = make_job(
        settings={"forms": {"formats": ["digits"]}},
        inputs={
            "authored": project / "config/forms/authored.yaml",
            "rewordings": project / "config/forms/rewordings.yaml",
            "instruments": [instruments / f"{name}.yaml" for name in names],
        },
        out="forms",
    )
    build.main(forms)

    def make(step, out):
        return make_job(
            settings={**SETTINGS[step], "compute": {"threads": 1}, "engine_code": "0"},
            inputs={
                "model": tiny_model,
                "adapter": [],
                "texts": [],
                "sketches": [],
                "essays": essays_csv if step == "writing.write" else [],
                "trait_words": project / "workflow/resources/trait_words.yaml",
                "released": project / "config/forms/released.yaml",
                "instrument": instruments / "mini_ipip_10.yaml",
                "forms": forms.out / "forms.json",
                "words": forms.out / "words.json",
            },
            out=out,
        )

    return make


def in_two(job, step):
    launched = ["-m", "mimic.provenance.launch", "--processes", "2"]
    return subprocess.run(
        [sys.executable, *launched, f"mimic.{step}", str(write_job(job))],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=1200,
    )


@pytest.mark.slow
@pytest.mark.parametrize("step", SETTINGS)
def test_two_processes_share_the_work_and_give_the_bytes_of_one(job_of, step):
    alone, shared = job_of(step, "alone"), job_of(step, "shared")
    importlib.import_module(f"mimic.{step}").main(
        dataclasses.replace(alone, answers=alone.out.with_suffix(".answers"))
    )
    said = in_two(shared, step)
    assert said.returncode == 0, said.stdout + said.stderr
    half = ASKED[step] // 2
    for beginning in ("» answers", "[1] answers"):
        assert f"\n{beginning} {half} of {half}" in f"\n{said.stdout}"
    written = [(job.out / OUTPUTS[step]).read_bytes() for job in (alone, shared)]
    assert written[0] == written[1]


def test_the_number_of_devices_changes_no_job(project, monkeypatch):
    monkeypatch.chdir(project)
    studies = [load_study({"compute": {"devices": n}}, source="a.yaml") for n in (1, 4)]
    specs = [(s.slice("compute"), s.compute_of("smollm2-base")) for s in studies]
    assert specs[0] == specs[1]
    assert [study.devices_of("smollm2-base") for study in studies] == [1, 4]


def test_the_runner_starts_a_process_for_each_device():
    def command(devices):
        files = job_files({}, {}, [], root="results", rule="writing", devices=devices)
        call = ["--name", "a", "--spec", '{"settings": {}, "step": "writing.write"}']
        call = parse_call([*call, "--files", files, "--log", "a.log"])
        return runner._command(call, Path("job.json"))[1:]

    assert command(1) == ["-m", "mimic.writing.write", "job.json"]
    launched = ["-m", "mimic.provenance.launch", "--processes", "4"]
    assert command(4) == [*launched, "mimic.writing.write", "job.json"]


def test_each_falls_to_one_process():
    things = list(range(10))
    shares = [Shard(rank, 4).share(things) for rank in range(4)]
    assert sorted(thing for share in shares for thing in share) == things
    assert {len(share) for share in shares} == {2, 3}
    assert Shard().share(things) == things
