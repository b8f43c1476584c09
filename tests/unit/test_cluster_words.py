"""The words of `mimic watch`: names of jobs, why one waits or ended, and what its log says."""

from pathlib import Path

import pytest
from test_cluster_site import SITE

from mimic.cluster.job_log import last_words, read_progress
from mimic.cluster.slurm import AccountedJob
from mimic.cluster.snakemake_log import name_of, task_of, task_of_log
from mimic.cluster.states import mend_of, reason_in_words


def test_a_job_is_named_by_its_comment_or_its_log():
    assert name_of(task_of("rule_questionnaire_wildcards__none_a-base")) == (
        "questionnaire none_a-base"
    )
    assert name_of(task_of("rule_gates")) == "gates"
    logs = Path("/home/rule_me/results/.slurm")
    assert task_of_log(logs / "rule_questionnaire/_none_a/5.log") == ("questionnaire", "_none_a")
    assert task_of_log(logs / "rule_gates/2.log") == ("gates", "")
    assert task_of_log(logs / "group_pairs_pairs/3.log") == ("pairs_pairs", "")
    assert task_of_log(Path("5.log")) == ("5", "")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Resources", "nodes that it needs are busy"),
        ("ReqNodeNotAvail, UnavailableNodes:mel2001", "are down or reserved"),
        ("QOSMaxJobsPerUserLimit", "as many jobs of yours run as the QOS allows"),
        ("QOSMaxWallDurationPerJobLimit", "more time than the QOS allows"),
        ("AssocGrpCPUMinutesLimit", "the hours that the account has are used up"),
        ("AssocGrpNodeLimit", "a limit of the account"),
        ("launch failed requeued held", "held: `scontrol release` lets it go on"),
        ("launch_failed_requeued_held", "held: `scontrol release` lets it go on"),
        ("JobHoldMaxRequeue", "started again too often"),
        ("Moonphase", "Slurm says Moonphase"),
    ],
)
def test_reasons_are_told_in_words(reason, words):
    assert words in reason_in_words(reason)
    assert reason in reason_in_words(reason)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"state": "TIMEOUT"},
            "its walltime of 120 minutes was over. A retry asks for more, at most 600",
        ),
        ({"state": "TIMEOUT", "walltime_min": None}, "its walltime was over"),
        ({"state": "OUT_OF_MEMORY"}, "memory was over (asked for 4000M). A retry .* most 16000 MB"),
        ({"state": "FAILED", "exit_status": 137}, "killed, as if out of memory"),
        ({"state": "FAILED", "signal": 9}, "killed, as if out of memory"),
        ({"state": "FAILED", "exit_status": 2}, "failed with exit status 2: its last words"),
        ({"state": "NODE_FAIL"}, "its node failed. .* isn't in its queue, so start"),
        ({"state": "BOOT_FAIL"}, "didn't start. A retry is another job"),
        ({"state": "PREEMPTED"}, "another job took its nodes. Slurm starts such"),
        ({"state": "CANCELLED", "cancelled_by": 0}, "cancelled by root. Start snakemake again"),
        ({"state": "CANCELLED"}, "cancelled. Start snakemake again"),
        ({"state": "DEADLINE"}, "before its deadline"),
    ],
)
def test_each_end_is_told_with_the_mend(changes, words):
    values = {
        "job": "7",
        "name": "mimic_of_a_run",
        "cancelled_by": None,
        "elapsed_s": 60,
        "nodes": 1,
        "exit_status": 0,
        "signal": 0,
        "walltime_min": 120,
        "memory": "4000M",
        "comment": "",
        "folder": "/a",
    }
    mend = mend_of(AccountedJob(**(values | changes)), SITE)
    for part in words.split(" .* "):
        assert part in mend, mend


def test_a_pack_and_a_group_tell_what_each_does(tmp_path):
    log = tmp_path / "5.log"
    log.write_text(
        "[pack a] 3 of 3 to train, 0 in the store\n"
        "[finetune a] sft step 5 of 40, about 30 s left, loss 2.5\n"
        "[finetune b] dpo step 1 of 40, about 300 s left, loss 0.7\n"
        "[finetune c] dpo step 2 of 40, about 300 s left\n"
        "[finetune c] failed with exit status 1; its log is c.log\n"
        "[finetune a] sft step 9 of 40, about 20 s left, loss 2.4\n"
    )
    found = [(one.name, one.done) for one in read_progress(log).progress]
    assert found == [("finetune a", 9), ("finetune b", 1)]
    log.write_text(
        "  Command: snakemake --target-jobs pairs:run=a pairs:run=b pairs:run=c --cores all\n"
        "[pairs a] done in 2 s\n1 of 1 steps (100%) done\n2 of 3 steps (67%) done\n"
        "[pairs b] done in 2 s\n1 of 1 steps (100%) done\n"
    )
    group = read_progress(log)
    assert (group.tasks, group.done, group.progress) == (3, 2, ())
    assert read_progress(tmp_path / "none.log").tasks == 1
    # Of a long log the beginning and the end are read.
    with log.open("a") as handle:
        handle.writelines("x" * 99 + "\n" for _ in range(1000))
        handle.write("[pairs c] rows 5 of 9, about 1 s left\n")
    long = read_progress(log)
    assert (long.tasks, [one.done for one in long.progress]) == (3, [5])


def test_last_words_are_those_of_the_step_the_runner_or_slurm(tmp_path):
    log = tmp_path / "7.log"
    progress = [f"[finetune a] sft step {n} of 40, about 30 s left" for n in range(1, 40)]
    log.write_text("\n".join([*progress, "slurmstepd: error: *** JOB 7 DUE TO TIME LIMIT ***"]))
    assert last_words(log, folder=tmp_path) == (
        progress[-1],
        "slurmstepd: error: *** JOB 7 DUE TO TIME LIMIT ***",
    )
    log.write_text("slurmstepd: error: execve(): python: No such file\n" + "x" * 500)
    first, second = last_words(log, folder=tmp_path)
    assert first.startswith("slurmstepd: error: execve()")
    assert len(second) == 200
    # The runner's word of where the step's log is stands before a rule's command line.
    told = "[a] killed, perhaps"
    ended = "[a] failed with exit status 1; its log is a.log"
    log.write_text(f"{told}\n{ended}\nCommand 'python {'y' * 900_000}'\nWorkflowError:\n")
    (tmp_path / "a.log").write_text("1\n2\nMemoryError\n")
    assert last_words(log, folder=tmp_path) == ("a.log:", "  1", "  2", "  MemoryError", told)
    assert last_words(tmp_path / "none.log", folder=tmp_path) == ()
