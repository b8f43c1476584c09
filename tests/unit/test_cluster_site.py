"""The file of a Slurm machine, and what jobs ask for there."""

from pathlib import Path

import pytest
import yaml

from mimic.cluster.requests import LINKING_MB, LINKING_MINUTES, Need, Request, impossible, request
from mimic.cluster.site import Site, read_site
from mimic.settings import parse_settings

VALUES = {
    "account_variable": "ACCOUNT",
    "qos": "default",
    "max_minutes": 600,
    "whole_nodes": True,
    "cpu": {"partition": "cpu", "mem_mb": 8000},
    "gpu": {"partition": "gpu", "gpus": 4, "mem_mb": 16000},
    "rules": {"finetune": "gpu", "gates": "cpu", "report": "here"},
}
SITE = parse_settings(Site, VALUES, source="site.yaml")
NEED = Need(rule="finetune", mem_mb=6000, minutes=250)


def test_a_job_asks_for_a_whole_node_or_for_its_share():
    assert request(SITE, NEED) == Request(partition="gpu", mem_mb=6000, runtime=250, gpus=4)
    shared = SITE.model_copy(update={"whole_nodes": False})
    two = Need(rule="finetune", mem_mb=6000, minutes=250, devices=2)
    assert request(shared, two).gpus == 2
    other = Need(rule="metrics_run", mem_mb=6000, minutes=250)
    assert request(SITE, other) == Request(partition="cpu", mem_mb=6000, runtime=250, gpus=0)


def test_each_attempt_asks_for_more_up_to_what_there_is():
    found = [request(SITE, NEED, attempt=number) for number in (1, 2, 3, 4)]
    assert [one.mem_mb for one in found] == [6000, 12000, 16000, 16000]
    assert [one.runtime for one in found] == [250, 500, 600, 600]


def test_jobs_that_share_an_allocation_ask_for_no_more_time_together_than_there_is():
    few = Need(rule="pairs", mem_mb=1000, minutes=15, together=40)
    assert [request(SITE, few, attempt=n).runtime for n in (1, 2)] == [15, 15]
    assert request(SITE, Need(rule="pairs", mem_mb=1, minutes=15, together=50)).runtime == 12
    assert request(SITE, Need(rule="pairs", mem_mb=1, minutes=15, together=10**4)).runtime == 1
    with pytest.raises(ValueError, match="pairs needs 601 minutes"):
        request(SITE, Need(rule="pairs", mem_mb=1, minutes=601, together=50))


def test_gpus_of_a_job_are_of_one_node_and_others_name_no_number_of_nodes():
    asked = {
        key: value for key, value in request(SITE, NEED).resources.items() if value is not None
    }
    assert asked == {
        "mem_mb": 6000,
        "runtime": 250,
        "slurm_partition": "gpu",
        "gpu": 4,
        "nodes": 1,
    }
    light = request(SITE, Need(rule="metrics_run", mem_mb=100, minutes=5)).resources
    assert (light["nodes"], light["gpu"]) == (None, None)


def test_what_is_stored_waits_for_no_gpu():
    assert request(SITE, NEED, is_stored=True) == Request(
        partition="cpu", mem_mb=LINKING_MB, runtime=LINKING_MINUTES, gpus=0
    )


def test_what_an_api_does_waits_for_no_gpu():
    served = Need(rule="finetune", mem_mb=100, minutes=5, devices=0)
    assert request(SITE, served).partition == "cpu"


def test_a_job_on_two_nodes_asks_for_the_share_of_each():
    two = Need(rule="finetune", mem_mb=20001, minutes=250, devices=4, nodes=2)
    shared = SITE.model_copy(update={"whole_nodes": False})
    asked = request(shared, two)
    assert asked == Request(partition="gpu", mem_mb=10001, runtime=250, gpus=2, nodes=2)
    assert asked.resources == {
        "mem_mb": 10001,
        "runtime": 250,
        "slurm_partition": "gpu",
        "gpu": None,
        "gres": "gpu:2",
        "nodes": 2,
        "tasks": 2,
        "tasks_per_gpu": 0,
        "mpi": "srun",
    }
    assert request(SITE, two).gpus == 4
    linked = request(SITE, two, is_stored=True).resources
    given = {key for key, value in linked.items() if value is not None}
    assert given == {"mem_mb", "runtime", "slurm_partition"}
    with pytest.raises(ValueError, match="needs 5 GPUs on each of 2 nodes; a node of .* has 4"):
        request(SITE, Need(rule="finetune", mem_mb=1, minutes=1, devices=10, nodes=2))
    with pytest.raises(ValueError, match="needs 16001 MB on each of 2 nodes; a node .* has 16000"):
        request(SITE, Need(rule="finetune", mem_mb=32002, minutes=1, nodes=2))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"minutes": 601}, "finetune needs 601 minutes; the site's max_minutes is 600"),
        ({"mem_mb": 16001}, "needs 16001 MB; a node of partition gpu has 16000"),
        ({"devices": 5}, "needs 5 GPUs; a node of partition gpu has 4"),
    ],
)
def test_what_no_node_has_is_refused(change, words):
    values = {"rule": "finetune", "mem_mb": 6000, "minutes": 250, "devices": 1}
    with pytest.raises(ValueError, match=words):
        request(SITE, Need(**(values | change)))


def test_what_no_node_has_is_refused_together_and_what_is_stored_is_not():
    long = {"rule": "finetune", "mem_mb": 6000, "minutes": 601}
    asked = []

    def job(name, **values):
        return name, Need(**values), lambda: asked.append(name) or name == "made before"

    found = impossible(
        SITE,
        [
            job("finetune a", **long),
            job("questionnaire a", rule="questionnaire", mem_mb=9000, minutes=1),
            job("finetune b", **long),
            job("made before", **long),
            job("finetune c", **long | {"minutes": 600}),
        ],
    )
    assert [line.split(";")[0] for line in found] == [
        "finetune a and 1 more: finetune needs 601 minutes",
        "questionnaire a: questionnaire needs 9000 MB",
    ]
    # The store is looked into for no job that fits.
    assert "finetune c" not in asked


def test_account_and_qos_are_those_of_the_environment_and_the_file():
    assert SITE.account_and_qos({"ACCOUNT": "p1"}) == {"slurm_account": "p1", "qos": "default"}
    assert SITE.account_and_qos({}) == {"qos": "default"}
    free = SITE.model_copy(update={"account_variable": None, "qos": None})
    assert free.account_and_qos({"ACCOUNT": "p1"}) == {}


def test_jobs_take_from_the_hub_s_cache_alone_where_a_site_says_so(project):
    assert SITE.environment() == {}
    offline = SITE.model_copy(update={"offline": True})
    assert offline.environment() == {"HF_HUB_OFFLINE": "1"}
    assert read_site(project / "profiles/meluxina/site.yaml").offline


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"partitions": "gpu"}, "partitions: no such setting"),
        ({"max_minutes": 0}, "max_minutes = 0: Input should be greater than 0"),
        ({"gpu": {"partition": "gpu", "mem_mb": 1}}, "say how many GPUs such a node has"),
        ({"rules": {"finetune": "there"}}, r"rules.finetune = 'there': Input should be 'gpu'"),
    ],
)
def test_a_file_with_a_mistake_is_refused_in_words(tmp_path, change, words):
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(VALUES | change))
    with pytest.raises(ValueError, match=words) as refused:
        read_site(path)
    assert str(path) in str(refused.value)


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="can't be read"):
        read_site(tmp_path / "none.yaml")
    (tmp_path / "odd.yaml").write_text("{a: [")
    with pytest.raises(ValueError, match="odd.yaml: not YAML"):
        read_site(tmp_path / "odd.yaml")


def test_a_rule_that_there_is_not_is_refused_with_the_nearest():
    SITE.check_rules({"finetune", "gates", "report"}, source="site.yaml")
    with pytest.raises(ValueError, match=r"rules.finetune: no such rule; did you mean 'finetunes'"):
        SITE.check_rules({"finetunes", "gates", "report"}, source="site.yaml")


@pytest.mark.parametrize("name", ["meluxina", "slurm"])
def test_the_sites_of_the_profiles_can_be_read(project, name):
    site = read_site(project / f"profiles/{name}/site.yaml")
    assert site.rules["finetune"] == "gpu"
    assert site.rules["report"] == "here"


@pytest.mark.parametrize("name", ["meluxina", "slurm"])
def test_profiles_say_what_the_guard_and_the_plugin_rely_on(project, name):
    profile = yaml.safe_load((project / f"profiles/{name}/config.yaml").read_text())
    assert profile["config"] == [f"site=profiles/{name}/site.yaml"]
    assert profile["slurm-jobname-prefix"] == "mimic"
    assert profile["nolock"] is True
    assert profile["slurm-status-command"] == "squeue"
    assert profile["slurm-requeue"] is True


def test_retries_stand_in_no_rule_and_no_profile_is_taken_unasked(project):
    rules = sorted((project / "workflow/rules").glob("*.smk"))
    assert rules
    assert not [path for path in rules if "retries:" in path.read_text()]
    assert not (project / "profiles/default").exists()
    assert {path.name for path in Path(project, "profiles").iterdir()} == {
        "local",
        "meluxina",
        "slurm",
    }
