"""Trainings over several nodes: their settings, what depends on them, and their plan."""

from dataclasses import replace

import pytest
from plan_models import LLAMA_3_70B

from mimic.finetune.settings import SftSettings
from mimic.finetune.spread import SpreadSettings, SpreadSft, nodes_of
from mimic.plan.devices import MELUXINA
from mimic.plan.schedule import PlannedJob, as_set, packed
from mimic.plan.study_plan import plan_work
from mimic.plan.study_work import Work
from mimic.plan.time import training_seconds
from mimic.plan.workload import Adapter, Training
from mimic.provenance.fingerprint import step_code
from mimic.recipes import FinetuneSettings
from mimic.settings import parse_settings
from mimic.study import load_study

TRAINING = Training(
    method="sft",
    adapter=Adapter(rank=8),
    batch_size=1,
    accumulation=4,
    steps=10,
    longest=512,
    mean_length=512,
    examples=40,
    quantisation="nf4",
    sharding="fsdp1_qlora",
    devices=4,
)
SPREAD = replace(TRAINING, nodes=2)


def test_on_one_node_plain_values_and_steps_know_of_no_nodes():
    plain = SpreadSft().model_dump(mode="json")
    assert plain == SftSettings().model_dump(mode="json")
    assert list(plain) == list(SftSettings().model_dump(mode="json"))
    two = SpreadSettings(config="ddp", devices=4, nodes=2)
    assert two.model_dump() == {"config": "ddp", "devices": 4, "nodes": 2}
    assert "mimic.finetune.settings" in step_code("finetune.sft")
    assert "mimic.finetune.spread" not in step_code("finetune.sft")


def test_nodes_share_the_devices_evenly():
    values = {"sft": {"accumulation": 3, "launch": {"config": "ddp", "devices": 3, "nodes": 2}}}
    with pytest.raises(ValueError, match="set devices to a multiple of 2, or nodes to 1"):
        parse_settings(FinetuneSettings, values, source="mine.yaml")


def test_a_run_has_the_nodes_of_its_method(project, monkeypatch):
    monkeypatch.chdir(project)
    sft = {"accumulation": 4, "launch": {"config": "ddp", "devices": 4, "nodes": 2}}
    study = load_study({"finetune": {"methods": ["sft", "dpo"], "sft": sft}}, source="a test")
    assert {label: run.nodes for label, run in study.runs.items()} == {
        "smollm2-base": 1,
        "smollm2-sft-s1": 2,
        "smollm2-dpo-s1": 1,
    }
    assert nodes_of(SftSettings()) == 1
    # As a job of a cluster reads it.
    again = load_study(study.settings.model_dump(mode="json"), source="a test")
    assert again.settings == study.settings


def test_weights_that_come_from_another_node_come_by_the_network():
    assert training_seconds(LLAMA_3_70B, SPREAD, MELUXINA).total > (
        1.05 * training_seconds(LLAMA_3_70B, TRAINING, MELUXINA).total
    )


def test_the_plan_counts_the_nodes_and_proposes_them():
    jobs = [PlannedJob(name=n, stage="finetune", devices=2, nodes=2, hours=1.0) for n in "ab"]
    assert [one.nodes for one in as_set(jobs, MELUXINA)] == [2, 2]
    # Two GPUs of each of their nodes: they share none.
    assert [(len(one.jobs), one.nodes) for one in packed(jobs, MELUXINA)] == [(1, 2), (1, 2)]


def planned(task):
    work = Work(
        name="a", stage="finetune", method="sft", section="finetune.sft", model="m", task=task
    )
    (row,) = plan_work((work,), {"m": LLAMA_3_70B}, MELUXINA, factors={}).rows
    return row


def test_a_row_of_the_plan_has_the_nodes_that_are_set_or_needed():
    assert planned(SPREAD).nodes == 2
    assert planned(TRAINING).nodes == 1
    assert planned(replace(TRAINING, devices=8, accumulation=8)).nodes == 2
