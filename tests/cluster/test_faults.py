"""Whatever goes wrong on a cluster: it is noticed, and one command ends with the right bytes."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from cluster_study import NOTICED_S, ClusterStudy, can_mount, prepare, undisturbed
from lab_files import ACCOUNT, GPU_NODES, GPUS
from slurm_lab import SlurmLab, until
from small_study import SmallStudy

TRAINING = "mimic.finetune.sft"


@pytest.fixture(scope="module")
def prepared(
    lab: SlurmLab, project: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SmallStudy, Path, dict[str, str]]:
    """The study, a copy of all that belongs to it, and the results of an undisturbed run."""
    base = tmp_path_factory.mktemp("faults")
    made = prepare(project, base / "study", model=tiny_model.parent, hub=base / "hub")
    shutil.copytree(made.folder, base / "kept", symlinks=True)
    return made, base / "kept", undisturbed(made)


@pytest.fixture
def study(
    lab: SlurmLab, prepared: tuple[SmallStudy, Path, dict[str, str]]
) -> Iterator[ClusterStudy]:
    """The study before its three jobs."""
    made, kept, _ = prepared
    shutil.rmtree(made.folder)
    shutil.copytree(kept, made.folder, symlinks=True)
    study = ClusterStudy(lab, made)
    yield study
    study.end()


@pytest.fixture
def reference(prepared: tuple[SmallStudy, Path, dict[str, str]]) -> dict[str, str]:
    """The results of an undisturbed run."""
    return prepared[2]


@pytest.mark.slow
def test_a_job_that_was_cancelled_is_submitted_again(
    lab: SlurmLab, study: ClusterStudy, reference: dict[str, str]
) -> None:
    study.hold()
    running = study.start()
    job, _ = study.wait_for_step("finetune", TRAINING)
    lab.run("scancel", job.number)
    study.let_go()
    end = study.wait_for("finetune", "CANCELLED").end
    assert running.says(f"SLURM-job '{job.number}' failed, SLURM status is: 'CANCELLED'")
    assert end is not None and time.time() - end < NOTICED_S
    assert running.wait() == 0, running.output[-6000:]
    assert [job.state for job in study.jobs("finetune")] == ["CANCELLED", "COMPLETED"]
    study.check(reference)


@pytest.mark.slowest
def test_a_job_over_its_walltime_is_tried_again_with_more(
    study: ClusterStudy, reference: dict[str, str]
) -> None:
    # In place of what the plan says, which is an hour at least.
    study.hold()
    running = study.start("--set-resources", "finetune:runtime=attempt**3")
    job, step = study.wait_for_step("finetune", TRAINING)
    # It hangs; when its time is over and it was told so it saves, as one that works does.
    step.suspend()
    study.let_go()
    end = study.wait_for("finetune", "TIMEOUT").end
    # It is gone already where Slurm got at all processes.
    with contextlib.suppress(psutil.NoSuchProcess):
        step.resume()
    assert running.says(f"SLURM-job '{job.number}' failed, SLURM status is: 'TIMEOUT'")
    assert end is not None and time.time() - end < NOTICED_S
    assert running.wait() == 0, running.output[-6000:]
    tried = study.jobs("finetune")
    assert [(job.state, job.minutes) for job in tried] == [("TIMEOUT", 1), ("COMPLETED", 8)]
    assert not step.is_running()
    study.check(reference)


@pytest.mark.slowest
def test_a_job_over_its_memory_is_tried_again_with_more(
    study: ClusterStudy, reference: dict[str, str]
) -> None:
    running = study.start("--set-resources", "finetune:mem_mb=300*attempt**3")
    # Without control groups Slurm says FAILED, with them OUT_OF_MEMORY.
    assert running.says("failed, SLURM status is: 'FAILED'", seconds=600)
    assert running.wait() == 0, running.output[-6000:]
    tried = study.jobs("finetune")
    assert [(job.state, job.memory) for job in tried] == [
        ("FAILED", "300M"),
        ("COMPLETED", "2400M"),
    ]
    study.check(reference)


@pytest.mark.slowest
def test_a_job_whose_node_died_runs_on_another_and_not_beside_its_former_self(
    lab: SlurmLab, study: ClusterStudy, reference: dict[str, str]
) -> None:
    study.hold()
    running = study.start()
    job, step = study.wait_for_step("finetune", TRAINING)
    # The step outlives its node's daemon, and works on when the job runs elsewhere already.
    step.suspend()
    study.let_go()
    lab.stop(job.node, sign=signal.SIGKILL)
    try:
        # Slurm starts a job again two minutes after it lost it.
        assert until(lambda: len(study.jobs("finetune")) == 2, 600), study.jobs()
        again = study.wait_for("finetune", "RUNNING")
        assert again.node != job.node
        logs = study.study.folder / "results/.slurm/rule_finetune/tiny-sft-s1"
        waits = "waiting: another job"
        assert until(lambda: any(waits in log.read_text() for log in logs.iterdir()), 600)
        step.resume()
        assert running.wait() == 0, running.output[-6000:]
    finally:
        lab.start_node(job.node)
        lab.wait_until_idle()
    assert [job.state for job in study.jobs("finetune")] == ["NODE_FAIL", "COMPLETED"]
    study.check(reference)


@pytest.mark.slow
def test_after_a_killed_snakemake_the_next_one_cancels_its_jobs_and_goes_on(
    study: ClusterStudy, reference: dict[str, str]
) -> None:
    study.hold()
    killed = study.start()
    job, step = study.wait_for_step("finetune", TRAINING)
    # It mustn't end before the next snakemake finds it.
    step.suspend()
    study.let_go()
    killed.process.kill()
    killed.wait()
    following = study.start()
    left = f"cancelling 1 job(s) left by a snakemake that was killed: {job.number}"
    assert following.says(left), following.output
    # It is gone already where Slurm got at all processes.
    with contextlib.suppress(psutil.NoSuchProcess):
        step.resume()
    assert following.wait() == 0, following.output[-6000:]
    assert [job.state for job in study.jobs("finetune")] == ["CANCELLED", "COMPLETED"]
    study.check(reference)


@pytest.mark.slow
def test_an_interrupt_cancels_the_jobs_and_the_next_run_goes_on(
    lab: SlurmLab, study: ClusterStudy, reference: dict[str, str]
) -> None:
    study.hold()
    interrupted = study.start()
    study.wait_for_step("finetune", TRAINING)
    interrupted.process.send_signal(signal.SIGINT)
    study.let_go()
    assert interrupted.wait() != 0
    assert until(lambda: not lab.run("squeue", "--noheader").strip(), NOTICED_S)
    study.run()
    assert [job.state for job in study.jobs("finetune")] == ["CANCELLED", "COMPLETED"]
    study.check(reference)


@pytest.mark.slow
def test_a_second_snakemake_is_refused_while_one_submits(
    study: ClusterStudy, reference: dict[str, str]
) -> None:
    study.hold()
    first = study.start()
    study.wait_for_step("finetune", TRAINING)
    said = study.run(status=1)
    study.let_go()
    assert f"another snakemake submits jobs from this folder (process {first.process.pid} " in said
    assert first.wait() == 0, first.output[-6000:]
    assert [job.state for job in study.jobs()] == ["COMPLETED"] * 3
    study.check(reference)


@pytest.mark.slowest
def test_a_job_that_was_preempted_runs_again(
    lab: SlurmLab, study: ClusterStudy, reference: dict[str, str]
) -> None:
    study.hold()
    running = study.start()
    job, _ = study.wait_for_step("finetune", TRAINING)
    urgent = ["-A", ACCOUNT, "--qos", "urgent", "-p", "gpu", "-N", str(len(GPU_NODES))]
    # On all nodes, so that none is left to run on meanwhile.
    lab.run(
        *("sbatch", *urgent, "-G", str(GPUS * len(GPU_NODES)), "-o", "/dev/null"),
        *("--wrap", "sleep 5"),
    )
    assert until(lambda: study.jobs("finetune")[0].state == "PREEMPTED", 300), study.jobs()
    study.let_go()
    assert running.wait() == 0, running.output[-6000:]
    tried = study.jobs("finetune")
    assert [(job.number, job.state) for job in tried] == [
        (job.number, "PREEMPTED"),
        (job.number, "COMPLETED"),
    ]
    study.check(reference)


@pytest.fixture
def small_disk(study: ClusterStudy) -> Iterator[Path]:
    """The study on a disk of its own."""
    if not can_mount():
        pytest.skip("only root can mount a small disk")
    folder = study.study.folder
    kept = folder.with_name("on-disk")
    shutil.copytree(folder, kept, symlinks=True)
    size = sum(path.stat().st_size + 4096 for path in kept.rglob("*"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size + 4_000_000}", "tmpfs", folder],
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk can't be mounted here: {mounted.stderr.strip()}")
    try:
        shutil.copytree(kept, folder, symlinks=True, dirs_exist_ok=True)
        yield folder
    finally:
        assert until(lambda: not processes_in(folder), 60), processes_in(folder)
        subprocess.run(["umount", "-l", folder], check=True)
        shutil.rmtree(kept)


def processes_in(folder: Path) -> list[psutil.Process]:
    """The processes that work in a folder."""
    return [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(folder)]


def fill(path: Path) -> None:
    """Write a file until the disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"0" * 4096):
            pass


@pytest.mark.slowest
def test_a_full_disk_fails_the_job_in_words_and_leaves_nothing_half_written(
    study: ClusterStudy, reference: dict[str, str], small_disk: Path
) -> None:
    study.hold()
    running = study.start("--retries", "0")
    study.wait_for_step("finetune", TRAINING)
    filler = small_disk / "filler"
    fill(filler)
    study.let_go()
    assert running.wait() != 0
    assert "No space left on device" in running.output
    assert not (small_disk / "results/small/finetune/tiny-sft-s1/manifest.json").exists()
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=256m", small_disk], check=True)
    study.run()
    study.check(reference)
