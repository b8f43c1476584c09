"""`mimic doctor`: each thing that is there, that is missing, and that can't be checked here."""

import collections
import os
import re
import shutil
import stat
from pathlib import Path

import pytest
import yaml

from mimic import cli
from mimic.cluster import disk_findings as disks
from mimic.cluster import doctor
from mimic.cluster import environment_findings as environments
from mimic.cluster.environment_findings import read_pins
from mimic.cluster.finding import MISSING, OK, UNCHECKED
from mimic.cluster.site import read_site
from mimic.cluster.slurm_findings import slurm_findings

SLURM = {
    "sacctmgr": 'case "$*" in *assoc*) echo "p1|default";; *) echo "default|2-00:00:00"; esac',
    "sinfo": 'case "$*" in *%m*) echo "cpu|500000|(null)|2-00:00:00";'
    ' echo "gpu|480000|gpu:a100:4(S:0-1)|infinite";; *) echo cpu; echo gpu; esac',
    "scontrol": 'echo "MinJobAge               = 300 sec"; echo "MinJobAgeOfElse = 1 sec"',
}
Usage = collections.namedtuple("Usage", "total used free")


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Put a stand-in for a command in front of all others."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def put_one(name, script):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    for name, script in SLURM.items():
        put_one(name, script)
    return put_one


@pytest.fixture
def clone(project, tmp_path, monkeypatch):
    """A copy of the project as set-up leaves it, on a machine whose Slurm answers."""
    folder = tmp_path / "clone"
    for name in ("config", "profiles", "envs"):
        shutil.copytree(project / name, folder / name)
    (folder / "Snakefile").touch()
    (folder / "meluxina").symlink_to("profiles/meluxina")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MELUXINA_ACCOUNT", "p1")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(doctor.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return folder


def of_slurm(project, delay=20, **profile):
    source = project / "profiles/meluxina/site.yaml"
    values = {"slurm-status-command": "squeue"} | profile
    if delay is not None:
        values["slurm-init-seconds-before-status-checks"] = delay
    found = slurm_findings(read_site(source), values, {"MELUXINA_ACCOUNT": "p1"}, source=source)
    return {one.what: one for one in found}


def test_what_slurm_allows_is_ok_and_what_it_refuses_is_missing(put, project):
    assert of_slurm(project)["account, QOS, partitions"].state == OK
    put("sinfo", "echo cpu")
    one = of_slurm(project)["account, QOS, partitions"]
    assert (one.state, "'gpu': there is no such partition" in one.found) == (MISSING, True)
    put("sacctmgr", "echo no contact >&2; exit 1")
    one = of_slurm(project)["account, QOS, partitions"]
    assert (one.state, "no contact" in one.found) == (UNCHECKED, True)


@pytest.mark.parametrize(
    ("age", "delay", "state", "words"),
    [
        (240, 20, OK, "after 240 s"),
        # The plugin looks every 180 s at last, however soon it looks first.
        (239, 20, MISSING, "for a MinJobAge of at least 240"),
        (2, 20, MISSING, "slurm-status-command: sacct in the profile"),
        (300, 100, OK, "300 s are needed"),
        (299, 100, MISSING, "checks in the profile to at most 99"),
        (240, None, OK, "240 s are needed"),
        # The plugin takes it for less than it needs.
        (0, 20, MISSING, "never forgotten, but"),
    ],
)
def test_slurm_has_to_remember_ended_jobs_between_two_looks(put, project, age, delay, state, words):
    put("scontrol", f'echo "MinJobAge               = {age} sec"')
    one = of_slurm(project, delay)["MinJobAge"]
    assert one.state == state, one
    assert words in f"{one.found} {one.mend}"


def test_a_slurm_that_does_not_tell_its_configuration_is_unchecked(put, project):
    put("scontrol", "echo MaxJobCount = 5")
    assert of_slurm(project)["MinJobAge"].state == UNCHECKED
    # sacct is asked then, which forgets nothing.
    assert of_slurm(project, **{"slurm-status-command": "sacct"})["MinJobAge"].state == OK


@pytest.mark.parametrize(
    ("lines", "state", "words"),
    [
        (["cpu|480000|(null)|2-00:00:00", "gpu|479999|gpu:4|infinite"], MISSING, "gpu.mem_mb"),
        (["cpu|480000|(null)|2-00:00:00", "gpu|480000|gpu:a100:2|infinite"], MISSING, "gpu.gpus"),
        (["cpu|480000|(null)|1-00:00:00"], MISSING, "max_minutes (now 2880) to at most 1440 in"),
        # Of nodes that differ the largest counts; other resources are no GPUs.
        (["gpu|1|(null)|infinite", "gpu|480000+|nvme:9,gpu:a100:4(S:0-1)|infinite"], OK, "4 GPUs"),
        (["cpu"], UNCHECKED, "1 of 4 fields"),
    ],
)
def test_a_site_s_figures_are_compared_with_slurm_s(put, project, lines, state, words):
    put("sinfo", "\n".join(f'echo "{line}"' for line in lines))
    one = of_slurm(project)["memory, GPUs and walltime of nodes"]
    assert one.state == state, one
    assert words in f"{one.found} {one.mend}"


def of_disks(monkeypatch, tmp_path, *, free=10**12, size=10**9):
    monkeypatch.setattr(disks.shutil, "disk_usage", lambda path: Usage(2 * free, free, free))
    needs = {tmp_path: ("the project", 0), tmp_path / "not/yet/there": ("the store", size)}
    return list(disks.disk_findings(needs))


def test_folders_of_one_file_system_need_their_room_together(put, tmp_path, monkeypatch):
    put("lfs", "echo no quota >&2; exit 1")
    wanted = disks.SPARE_BYTES + 10**9
    for free, state in ((wanted, OK), (wanted - 1, MISSING)):
        one = of_disks(monkeypatch, tmp_path, free=free)[0]
        assert (one.what, one.state) == ("room for the project and the store", state)
        assert "21.0 GB wanted" in one.found


def test_too_few_files_are_told(put, tmp_path, monkeypatch):
    status = collections.namedtuple("Status", "f_files f_favail")
    for counted, left, state in ((10**6, 99_999, MISSING), (10**6, 100_000, OK), (0, 0, OK)):
        answer = status(counted, left)
        monkeypatch.setattr(disks.os, "statvfs", lambda path, answer=answer: answer)
        assert of_disks(monkeypatch, tmp_path)[0].state == state


@pytest.mark.parametrize(
    ("line", "state", "words"),
    [
        ("{0} 1000 0 0 - 5 0 0 -", OK, "none for"),
        ("{0} 1000 0 40000000 - 5 0 1000000 -", OK, "41.0 GB left, 21.0 GB wanted"),
        ("{0} 39000000 0 40000000 - 5 0 0 -", MISSING, "1.0 GB left, 21.0 GB wanted"),
        ("{0} 41000000* 40000000 50000000 6d 5 0 0 -", MISSING, "0 B left"),
        ("{0} 1000 0 0 - 999990 0 1000000 -", MISSING, "10 files left, 100,000 wanted"),
        # A long name has a line of its own.
        ("{0}\n   1000 0 0 - [5] 0 1000000 -", OK, "999,995 files left"),
        ("nothing", UNCHECKED, "`lfs quota` said 'nothing'"),
    ],
)
def test_quotas_of_lustre_are_read(put, tmp_path, monkeypatch, line, state, words):
    text = line.format(tmp_path).replace("\n", "\\n")
    none = f'echo "{tmp_path} 1 0 0 - 1 0 0 -"'
    put("lfs", f'case "$*" in *-u*) printf "{text}\\n";; quota*) {none};; *) exit 1; esac')
    _, quota, *more = of_disks(monkeypatch, tmp_path)
    assert not more
    assert quota.state == state, quota
    assert words in quota.found


def test_the_quota_of_a_project_s_folder_is_asked_for(put, tmp_path, monkeypatch):
    put(
        "lfs",
        f'case "$*" in project*) echo "4711 P {tmp_path}";; *"-p 4711"*) echo "x 0 0 5 - 1 0 0 -";;'
        ' *) echo "x 0 0 0 - 1 0 0 -";; esac',
    )
    _, quota = of_disks(monkeypatch, tmp_path)
    assert (quota.what, quota.state) == ("quota of the project and the store (project)", MISSING)


def test_without_lfs_the_quota_is_unchecked(put, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    _, quota = of_disks(monkeypatch, tmp_path)
    assert (quota.state, "myquota" in quota.mend) == (UNCHECKED, True)


def test_the_lock_is_compared_with_what_is_installed(clone, monkeypatch):
    real = environments.metadata.version
    pins = read_pins(Path("envs/gpu.txt"))
    installed = pins | read_pins(Path("envs/embedded.txt"))
    monkeypatch.setattr(environments.metadata, "version", installed.__getitem__)
    assert environments._lock().state == OK
    # Another build of torch brings another CUDA.
    other = installed | {"torch": f"{pins['torch']}+cu126", "nvidia-cublas": "12.6"}
    monkeypatch.setattr(environments.metadata, "version", other.__getitem__)
    assert environments._lock().state == OK
    monkeypatch.setattr(environments.metadata, "version", (other | {"torch": "2.0"}).__getitem__)
    assert "nvidia-cublas 12.6, not " in environments._lock().found

    def lacking(name):
        return "1.0" if name == "peft" else real("no-such") if name == "trl" else installed[name]

    monkeypatch.setattr(environments.metadata, "version", lacking)
    one = environments._lock()
    assert one.state == MISSING
    assert one.found == f"peft 1.0, not {pins['peft']}, no trl"
    assert "build_gpu.sh" in one.mend


@pytest.mark.parametrize(("cuda", "state"), [("None", MISSING), ("'13.0'", OK)])
def test_torch_is_looked_at_without_importing_it(tmp_path, monkeypatch, cuda, state):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text("raise SystemExit('imported')")
    (tmp_path / "torch/version.py").write_text(f"__version__ = '2.13.0'\ncuda = {cuda}\n")
    spec = environments.importlib.util.spec_from_file_location(
        "torch", tmp_path / "torch/__init__.py"
    )
    monkeypatch.setattr(environments.importlib.util, "find_spec", lambda name: spec)
    assert environments._torch().state == state


def test_flash_attention_is_missed_where_a_study_sets_it(monkeypatch):
    def states(settings):
        found = environments.environment_findings(settings)
        return [one.state for one in found if one.what == "flash-attn"]

    deep = {"finetune": {"recipes": [{"sft": {"attention": "flash_attention_2"}}]}}
    assert states({"compute": {"attention": "sdpa"}}) == []
    assert states(deep) == [MISSING]
    monkeypatch.setattr(environments.metadata, "version", lambda name: "2.8.3")
    assert states(deep) == [OK]


def test_another_clone_s_code_is_told(clone):
    assert environments._package().state == MISSING


def lines_of(capsys, *options):
    """Exit status, and each line of the table by what it is about."""
    status = cli.main(["doctor", *options])
    out = capsys.readouterr().out
    rows = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]
    return status, {row[0]: row[1:] for row in rows if len(row) == 3}, out


def test_the_reference_study_s_table(put, clone, capsys, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    status, table, out = lines_of(capsys)
    assert status == 1
    assert "config/paper.yaml on the machine of profiles/meluxina/site.yaml" in out
    assert "hf_secret" not in out
    assert table["account, QOS, partitions"] == [OK, "p1, default; cpu, gpu"]
    assert table["link meluxina"][0] == OK
    assert table["MinJobAge"][0] == OK
    assert table["essays"][0] == MISSING and "no data/essays.csv" in table["essays"][1]
    state, words = table["model google/gemma-2-2b"]
    assert state == MISSING
    assert "mimic download --configfile config/paper.yaml; it is gated: ask at " in words
    assert "/google/gemma-2-2b (a token is set)" in words
    assert "gated" not in table["model IlyaGusev/gemma-2-9b-it-abliterated"][1]
    # One line each; of a model that its provider serves there is nothing to fetch but a key.
    assert "model gpt-3.5" not in table
    state, words = table["key for gpt-3.5"]
    assert (state, "OPENAI_API_KEY is not set; model gpt-3.5, which" in words) == (MISSING, True)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    _, table, out = lines_of(capsys)
    assert table["key for gpt-3.5"] == [OK, "OPENAI_API_KEY holds one"]
    assert "sk-secret" not in out
    (clone / "meluxina").unlink()
    state, words = lines_of(capsys)[1]["link meluxina"]
    assert (state, words.endswith("mend: ln -sfn profiles/meluxina meluxina")) == (MISSING, True)


def test_nothing_missing_is_exit_status_0(put, clone, capsys, monkeypatch):
    monkeypatch.setattr(doctor, "environment_findings", lambda settings: [])
    monkeypatch.setattr(doctor, "disk_findings", lambda needs: [])
    status, table, out = lines_of(capsys, "--configfile", "config/smoke.yaml")
    assert (status, {row[0] for row in table.values()} - {"state"}) == (0, {OK})
    assert "nothing is missing" in out
    put("sinfo", "exit 1")
    # What can't be checked isn't missing.
    assert lines_of(capsys, "--configfile", "config/smoke.yaml")[0] == 0


def test_another_site_is_checked_with_its_own_profile(put, clone, capsys):
    source = clone / "profiles/slurm/config.yaml"
    profile = yaml.safe_load(source.read_text())
    profile |= {"configfile": "config/smoke.yaml", "slurm-init-seconds-before-status-checks": 200}
    source.write_text(yaml.safe_dump(profile))
    _, table, out = lines_of(capsys, "--site", "profiles/slurm/site.yaml")
    assert "config/smoke.yaml on the machine of profiles/slurm/site.yaml" in out
    assert "MIMIC_ACCOUNT isn't set" in table["account, QOS, partitions"][1]
    assert table["MinJobAge"][0] == MISSING
    assert "link meluxina" not in table
    source.unlink()
    assert cli.main(["doctor", "--site", "profiles/slurm/site.yaml"]) == 2


def test_weights_take_room_once_where_the_store_links_them(clone, monkeypatch, tmp_path):
    from mimic.hub_contents import hub_contents, weight_bytes
    from mimic.study import load_study, read_settings

    study = load_study(read_settings(Path("config/paper.yaml")), source="paper.yaml")
    all_bytes = sum(map(weight_bytes, study.models.values()))
    assert all_bytes > 10**11
    lacking = hub_contents(study)
    assert sum(size for _, size in doctor._needs(study, lacking).values()) == all_bytes
    monkeypatch.setattr(doctor.constants, "HF_HUB_CACHE", "/dev/shm/cache")
    if Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system alone")
    assert sum(size for _, size in doctor._needs(study, lacking).values()) == 2 * all_bytes
    assert sum(size for _, size in doctor._needs(study, []).values()) == all_bytes
