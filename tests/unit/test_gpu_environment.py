"""The locks of the environments, the script that builds one in a job, and the image."""

import os
import re
import shutil
import stat
import subprocess

import pytest

from mimic.cluster.environment_findings import read_pins

SCRIPT = "envs/build_gpu.sh"


def own_pins(path):
    """What a lock pins itself, without what it includes."""
    return {line.split("==")[0].lower() for line in path.read_text().splitlines() if "==" in line}


def test_the_gpu_lock_holds_the_versions_of_the_cpu_lock(project):
    cpu, gpu = (read_pins(project / "envs" / f"{name}.txt") for name in ("cpu", "gpu"))
    assert {name: gpu.get(name) for name in cpu} == cpu
    # One place for each version.
    assert not own_pins(project / "envs/gpu.txt") & own_pins(project / "envs/cpu.txt")


def test_the_gpu_lock_holds_what_torch_takes_of_cuda(project):
    needed = {"nvidia-cudnn-cu13", "nvidia-nccl-cu13", "nvidia-cublas", "triton", "cuda-toolkit"}
    own = own_pins(project / "envs/gpu.txt")
    assert needed <= own
    assert all(name.startswith(("cuda-", "nvidia-", "triton")) for name in own)


@pytest.mark.parametrize("line", ["torch>=2", "torch", "torch==2,<3"])
def test_a_line_that_pins_no_version_is_refused(tmp_path, line):
    (tmp_path / "lock.txt").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=f"lock.txt: {line}: pin one version"):
        read_pins(tmp_path / "lock.txt")


@pytest.mark.parametrize("name", ["build_gpu.sh", "lock_gpu.sh"])
def test_the_scripts_can_be_parsed(project, name):
    subprocess.run(["bash", "-n", project / "envs" / name], check=True)


def test_the_job_asks_for_a_gpu_node_and_is_none_of_the_workflow_s(project):
    script = (project / SCRIPT).read_text()
    # `module` is a function of login shells.
    assert script.startswith("#!/bin/bash -l\n")
    lines = re.findall(r"^#SBATCH --([\w-]+)=(.*)$", script, re.M)
    asked = dict(lines)
    assert len(asked) == len(lines)
    assert asked["partition"] == "gpu" and asked["nodes"] == "1" and asked["gpus"] == "4"
    assert re.fullmatch(r"0[12]:\d\d:00", asked["time"])
    # Jobs of that name are cancelled by the next snakemake of the folder.
    assert not asked["job-name"].startswith("mimic_")
    # Who pays comes from the environment.
    assert not {"account", "qos"} & set(asked)


def test_all_that_is_installed_is_pinned(project):
    text = (project / SCRIPT).read_text().replace("\\\n", " ")
    installs = re.findall(r"^\s*(?:\w+=\S+ )*pip install (.*)$", text, re.M)
    assert len(installs) == 7
    # Another index is named by whoever builds; the version is the lock's.
    assert installs.pop(0) == '--index-url "$TORCH_INDEX" "$(grep \'^torch==\' envs/cpu.txt)"'
    for words in map(str.split, installs):
        for word, after in zip(words, [*words[1:], ""], strict=True):
            if word.startswith("-") or (after == "" and word == "."):
                continue
            assert re.fullmatch(r"envs/\w+\.txt|[a-z-]+==[\w.]+|\.", word), word
    image = (project / "envs/mimic.def").read_text()
    for name in ("gpu.txt", "embedded.txt"):
        assert f"-r envs/{name}" in text and f"-r /opt/mimic/envs/{name}" in image
    assert not re.search(r"pip install[^\n]*==", image)


@pytest.fixture
def machine(project, tmp_path):
    """A folder with the script, and stand-ins that write down how they were called."""
    clone, bin = tmp_path / "clone", tmp_path / "bin"
    shutil.copytree(project / "envs", clone / "envs")
    bin.mkdir()
    log = tmp_path / "log"

    def put(name, script=""):
        path = bin / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >> {log}\n{script}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    put("sbatch")
    put("nvidia-smi")
    # A Python whose venv is another stand-in.
    inner = f'#!/bin/bash\\necho "python $*" >> {log}\\ncat > /dev/null\\n'
    make = f'mkdir -p "$3/bin"; printf \'{inner}\' > "$3/bin/python"; chmod +x "$3/bin/python"'
    put("python3", f'if [ "$2" = venv ]; then {make}; fi')

    def run(*arguments, **environment):
        log.unlink(missing_ok=True)
        done = subprocess.run(
            ["bash", "-c", f'module() {{ echo "module $*" >> {log}; }}; export -f module; '
             f'exec bash {SCRIPT} "$@"', "_", *arguments],
            cwd=clone,
            env={"PATH": f"{bin}:{os.environ['PATH']}", "HOME": str(tmp_path)} | environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done, log.read_text().splitlines() if log.exists() else []

    run.put = put
    run.clone = clone
    return run


def test_on_a_login_node_it_submits_itself_for_the_account(machine, tmp_path):
    done, called = machine("there", MELUXINA_ACCOUNT="p1")
    assert done.returncode == 0, done.stderr
    assert called == [f"sbatch --account=p1 --qos=short {SCRIPT} {machine.clone / 'there'}"]
    _, (call,) = machine("there", MELUXINA_ACCOUNT="p1", MELUXINA_QOS="test")
    assert "--qos=test" in call


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        ([], {"MELUXINA_ACCOUNT": "p1"}, "name the folder of the environment"),
        (["there"], {}, "MELUXINA_ACCOUNT: it names the account that pays"),
    ],
)
def test_what_is_not_said_is_asked_for(machine, arguments, environment, words):
    done, called = machine(*arguments, **environment)
    assert done.returncode != 0 and words in done.stderr and not called


def test_in_a_job_it_builds_and_tries_the_environment(machine, tmp_path):
    done, called = machine(str(tmp_path / "env"), SLURM_JOB_ID="7")
    assert done.returncode == 0, done.stderr
    assert called[0] == "module load env/release/2024.1 Python"
    pip = "python -m pip --no-cache-dir --disable-pip-version-check"
    text = "\n".join(called)
    assert f"{pip} install -r envs/gpu.txt\n" in text
    assert f"{pip} install --no-deps -r envs/embedded.txt\n" in text
    assert "flash-attn" not in text
    assert called[-1] == "python -"
    assert "--index-url" not in text
    other = {"FLASH_ATTN": "1", "MODULES": "a CUDA/13", "PYTHON": "python3"}
    _, called = machine(str(tmp_path / "env"), SLURM_JOB_ID="7", **other)
    assert called[0] == "module load a CUDA/13"
    assert any("--no-build-isolation flash-attn==" in line for line in called)
    _, called = machine(str(tmp_path / "env"), SLURM_JOB_ID="7", TORCH_INDEX="https://other/cu126")
    torch = read_pins(machine.clone / "envs/cpu.txt")["torch"]
    # First: what the lock names is then there.
    assert [line for line in called if line.startswith(f"{pip} install")][:2] == [
        f"{pip} install --index-url https://other/cu126 torch=={torch}",
        f"{pip} install -r envs/cpu.txt",
    ]
    assert not any("envs/gpu.txt" in line for line in called)


def test_a_python_that_needs_modules_ends_the_job_before_anything_is_installed(machine, tmp_path):
    made = f'mkdir -p "$3/bin" && install -m 755 {tmp_path}/inner "$3/bin/python"'
    machine.put("python3", f'if [ "$2" = venv ]; then {made}; fi')
    (tmp_path / "inner").write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/log\n[ "$1" != -c ]\n')
    done, called = machine(str(tmp_path / "env"), SLURM_JOB_ID="7")
    assert done.returncode == 1 and "PYTHON=/usr/bin/python3.11" in done.stderr
    assert not any("pip" in line for line in called)


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        ('[ "$1" = -c ] || exit 3', 3, ""),
        ('[ "$1 $2" != "-c import ctypes, sqlite3, ssl" ]', 1, "starts only where its modules are"),
        ('[ "$1" != - ]', 1, ""),
    ],
)
def test_an_environment_that_is_none_ends_the_job(machine, tmp_path, script, status, words):
    (tmp_path / "inner").write_text(f"#!/bin/sh\n{script}\n")
    made = f'mkdir -p "$3/bin" && install -m 755 {tmp_path}/inner "$3/bin/python"'
    machine.put("python3", f'if [ "$2" = venv ]; then {made}; fi')
    done, _ = machine(str(tmp_path / "env"), SLURM_JOB_ID="7")
    assert done.returncode == status and words in done.stderr
    assert "done" not in done.stdout
