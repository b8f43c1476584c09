"""The study of docs/large-models.md: its rules resolve, and it is planned, without a GPU."""

import json
import re

import pytest
from small_study import CONFIG, SmallStudy

RUN = "llama-3.1-70b-sft-s1"
DOCUMENTED = re.compile(r"```yaml\n(root: results/large\n.*?)```", flags=re.DOTALL)


@pytest.fixture
def study(project, tiny_model, tmp_path):
    """The documented settings, on a corpus that is here."""
    made = SmallStudy.make(project, tmp_path / "study", model=tiny_model.parent, hub=tmp_path / "h")
    (settings,) = DOCUMENTED.findall((project / "docs/large-models.md").read_text())
    assert settings.count("path: /data/essays.csv") == 1
    made.write(CONFIG, settings.replace("/data/essays.csv", "corpus.csv"))
    return made


def test_a_dry_run_makes_one_job_of_four_processes(study):
    found = study.run(f"results/large/finetune/{RUN}/manifest.json", "--dry-run", "-p").output
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", found.split("Job stats:")[1], flags=re.MULTILINE))
    assert jobs == {"essays": "1", "models": "1", "pairs": "1", "finetune": "1", "total": "4"}
    (said,) = re.findall(rf"--name 'finetune {RUN}' --spec '(.*?)' --files '(.*?)'", found)
    spec, files = map(json.loads, said)
    assert spec["settings"]["launch"] == {"config": "fsdp1_qlora", "devices": 4}
    assert spec["settings"]["sft"]["quantisation"] == "nf4"
    assert files["inputs"]["accelerate"] == ["config/accelerate/fsdp1_qlora.yaml"]
    assert "accelerate" in spec["sources"]


def test_its_trainings_are_planned_to_fit_one_node(study):
    done = study.mimic("plan", "--json", "--configfile", CONFIG)
    plan = json.loads(done.stdout)
    trainings = [job for job in plan["jobs"] if job["stage"] == "finetune"]
    assert {job["task"]["sharding"] for job in trainings} == {"fsdp1_qlora"}
    assert all((job["fits"], job["nodes"], job["devices"]) == (True, 1, 4) for job in trainings)
    # Whole and in bfloat16, as what answers and writes is, it fits no device that is known.
    others = [job for job in plan["jobs"] if job["stage"] != "finetune"]
    assert others and not any(job["fits"] for job in others)
    assert done.returncode == 1
