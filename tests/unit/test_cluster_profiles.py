"""The profiles of Slurm machines, as Snakemake itself reads them, and against the rules."""

import re
from types import SimpleNamespace

import pytest
import yaml
from snakemake.cli import get_argument_parser
from snakemake.resources import GroupResources

from mimic.study import load_study

PROFILES = ("meluxina", "slurm")
FILES = ("config.yaml", "site.yaml")


@pytest.fixture(params=PROFILES)
def profile(project, request):
    """The folder of a profile."""
    return project / "profiles" / request.param


@pytest.fixture
def options(profile):
    """What Snakemake makes of it; an option that there isn't ends this."""
    return get_argument_parser([str(profile)]).parse_args([])


@pytest.fixture(scope="module")
def rules(project):
    """The names of all rules."""
    texts = [path.read_text() for path in (project / "workflow/rules").glob("*.smk")]
    found = set(re.findall(r"^rule (\w+):$", "\n".join(texts), re.MULTILINE))
    assert "finetune" in found
    return found


def test_a_group_asks_for_the_sum_of_times_and_for_the_memory_of_one(options):
    # Each submitted group has a turn of its own; else groups would wait for each other.
    assert options.set_resource_scopes.is_local("turn")
    each = {"runtime": 15, "_cores": 16, "_nodes": 1, "turn": 1}
    members = [
        SimpleNamespace(resources=each | {"mem_mb": 1000 + number}, pipe_group=None)
        for number in range(50)
    ]
    asked = GroupResources.basic_layered([members], constraints=options.resources, run_local=False)
    assert {key: asked[key] for key in ("runtime", "mem_mb", "_cores")} == {
        "runtime": 750,
        "mem_mb": 1049,
        "_cores": 16,
    }


def test_ready_jobs_are_chosen_without_a_solver(options):
    assert options.scheduler == "greedy"


def test_places_and_groups_are_of_all_rules_and_of_no_others(profile, options, rules):
    places = yaml.safe_load((profile / "site.yaml").read_text())["rules"]
    assert set(places) == rules
    grouped = options.groups
    assert set(grouped) <= {name for name, place in places.items() if place == "cpu"}
    assert set(grouped.values()) == set(options.group_components)
    # Each is a group of its own (docs/decisions/0025).
    assert len(set(grouped.values())) == len(grouped)


def test_no_value_holds_a_variable_and_the_account_s_is_set_by_a_comment(profile):
    for file in FILES:
        # Nothing expands it but where jobs run; unset, Slurm would get its name.
        values = yaml.safe_load((profile / file).read_text())
        assert "$" not in yaml.safe_dump(values), file
    assert f"# export {values['account_variable']}=" in (profile / file).read_text()


def test_no_jobs_are_submitted_as_an_array(profile):
    # Each task of an array gets its parent's status.
    assert "slurm-array-jobs" not in yaml.safe_load((profile / "config.yaml").read_text())


def test_the_page_s_change_of_the_reference_study_needs_no_flash_attention(project, monkeypatch):
    page = (project / "docs/meluxina.md").read_text()
    (former, new) = re.findall(r"^sed 's/(.+?)/(.+?)/' config/paper.yaml", page, re.MULTILINE)[0]
    text = (project / "config/paper.yaml").read_text()
    assert former in text
    monkeypatch.chdir(project)
    study = load_study(yaml.safe_load(text.replace(former, new)), source="mine.yaml")
    assert "flash_attention_2" not in str(study.as_values())
