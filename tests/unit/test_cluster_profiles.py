"""The profiles of Slurm machines, against Snakemake's own reading of them and the rules."""

from types import SimpleNamespace

import pytest
import yaml
from snakemake.cli import parse_set_resource_scope
from snakemake.resources import GroupResources, Resources

PROFILES = ("meluxina", "slurm")


def read(project, name, file="config.yaml"):
    return yaml.safe_load((project / "profiles" / name / file).read_text())


def pairs_of(entries):
    return dict(entry.split("=") for entry in entries)


@pytest.mark.parametrize("name", PROFILES)
def test_a_group_asks_for_the_sum_of_times_and_for_the_memory_of_one(project, name):
    profile = read(project, name)
    limits = Resources.parse(profile["resources"], allow_expressions=False)
    # Each submitted group has its own; else groups would wait for each other.
    assert parse_set_resource_scope(profile["set-resource-scopes"]).is_local("turn")
    each = {"runtime": 15, "_cores": 16, "_nodes": 1, "turn": 1}
    members = [
        SimpleNamespace(resources=each | {"mem_mb": 1000 + number}, pipe_group=None)
        for number in range(50)
    ]
    asked = GroupResources.basic_layered([members], constraints=limits, run_local=False)
    assert {key: asked[key] for key in ("runtime", "mem_mb", "_cores")} == {
        "runtime": 750,
        "mem_mb": 1049,
        "_cores": 16,
    }


@pytest.mark.parametrize("name", PROFILES)
def test_each_group_has_a_size(project, name):
    profile = read(project, name)
    groups, sizes = pairs_of(profile["groups"]), pairs_of(profile["group-components"])
    assert set(groups.values()) == set(sizes)
