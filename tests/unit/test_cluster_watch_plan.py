"""The node-hours that are left of a study."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from mimic.cluster.watch_plan import hours_left_of
from mimic.plan.study_plan import STAGES
from mimic.study import load_study, read_settings


@pytest.fixture
def left(project, tmp_path, monkeypatch):
    """What is left of the reference study, in a folder where nothing is done yet."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("MIMIC_STORE", str(tmp_path / "store"))
    study = load_study(read_settings(Path("config/paper.yaml")), source="paper.yaml")
    left = hours_left_of(study)
    monkeypatch.chdir(tmp_path)
    return left


def done(due):
    """Leave the result of a job."""
    due.output.parent.mkdir(parents=True, exist_ok=True)
    due.output.write_text("{}")


def test_what_is_done_or_runs_is_not_left(left):
    whole = left({})
    assert whole > 0
    answers = next(due for due in left.dues if due.job.stage == "questionnaire")
    nodes = -(-answers.job.devices // left.node.gpus)
    hours = nodes * answers.job.hours
    assert left({answers.task: 36}) == pytest.approx(whole - nodes * min(0.01, answers.job.hours))
    # One that takes longer than was planned takes nothing from the others.
    assert left({answers.task: 10**7}) == pytest.approx(whole - hours)
    done(answers)
    assert left({}) == pytest.approx(whole - hours)
    for due in left.dues:
        done(due)
    assert left({}) == 0


def test_a_pack_is_left_until_its_longest_member_is_done(left):
    packed = next(due for due in left.dues if due.task[0] == "pack")
    members = sorted(
        (due for due in left.dues if due.task == packed.task), key=lambda due: due.job.hours
    )
    assert len(members) > 1
    alone = replace(left, dues=tuple(members))
    assert alone({}) == pytest.approx(members[-1].job.hours)
    assert alone({packed.task: 360}) == pytest.approx(max(0.0, members[-1].job.hours - 0.1))
    done(members[0])
    assert alone({}) == pytest.approx(members[-1].job.hours)


def test_each_planned_job_has_the_place_of_its_rule(left, project):
    """The outputs of rules, and their wildcards as the Slurm plugin writes them."""
    # Of a training the outputs stand in a dictionary.
    patterns = {"finetune": re.compile("finetune/(.*)/manifest.json")}
    for path in (project / "workflow/rules").glob("*.smk"):
        for rule in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            output = re.search(r'^    output:\n.*?manifest=f"\{ROOT\}/(.*?)"', rule, re.M | re.S)
            if output is not None:
                pattern = re.sub(r"\\{\\{\w+\\}\\}", "(.*)", re.escape(output.group(1)))
                patterns[rule.partition(":")[0]] = re.compile(pattern)
    dues = left.dues
    assert {due.job.stage for due in dues} == set(STAGES)
    assert {due.task[0] for due in dues} >= {"pack", "writing", "questionnaire", "generated"}
    assert len({due.output for due in dues}) == len(dues)
    for due in dues:
        rule, wildcards = due.task
        place = due.output.relative_to("results/paper").as_posix()
        found = patterns["finetune" if rule == "pack" else rule].fullmatch(place)
        assert found, (due.task, place)
        if rule != "pack":
            assert "_".join(found.groups()).replace("/", "_") == wildcards
