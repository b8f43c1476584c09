"""What `mimic watch` shows, from stand-ins for Slurm's commands that print as Slurm does."""

import json
import os
import time
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from test_cluster_site import SITE

from mimic.cluster import slurm, watch_command
from mimic.cluster.guard import hold_folder
from mimic.cluster.snakemake_log import last_invocation
from mimic.cluster.watch import invocation_of, look, site_file_of
from mimic.cluster.watch_display import render

RUN = "mimic_8007624f-e284-4ad0-b331-1a8c786079a3"
# As snakemake 9.27 and the Slurm plugin 2.8 write it: banner, counts, submissions, a failed job
# with its logs, which themselves hold what snakemake prints of itself.
LOG = """\
SNAKEMAKE
=========
  Command: /venv/bin/snakemake --profile meluxina --configfile config/small.yaml
  Config file(s): [PosixPath('{folder}/config/small.yaml')]

SLURM run ID: {run}
Job stats:
job              count
-------------  -------
essays               1
pairs                2
finetune             3
all                  1
total                7

[Sat Nov 28 11:21:28 2026]
Finished jobid: 9 (Rule: essays)
1 of 7 steps (14%) done
Job {group} has been submitted with SLURM jobid 3 (log: {logs}/group_pairs_pairs/3.log).
Finished jobid: 15 (Rule: pairs)
Finished jobid: 21 (Rule: pairs)
3 of 7 steps (43%) done
Job 20 has been submitted with SLURM jobid 7 (log: {logs}/rule_finetune/a-dpo-s1/7.log).
Job 14 has been submitted with SLURM jobid 8 (log: {logs}/rule_finetune/a-sft-s1/8.log).
Job 16 has been submitted with SLURM jobid 9 (log: {logs}/rule_finetune/a-orpo-s1/9.log).
[Sat Nov 28 11:23:20 2026]
Error in rule finetune:
    message: SLURM-job '7' failed, SLURM status is: 'FAILED'. Detailed failure reason unavailable
    log: results/logs/finetune/a-dpo-s1.log, {logs}/rule_finetune/a-dpo-s1/7.log{check}
    external_jobid: 7
Logfile {logs}/rule_finetune/a-dpo-s1/7.log:
================================================================================
SNAKEMAKE
=========
Finished jobid: 0 (Rule: finetune)
1 of 1 steps (100%) done
================================================================================
"""
DPO_LOG = """\
  Command: snakemake --target-jobs finetune:run=a-dpo-s1 --allowed-rules finetune
[finetune a-dpo-s1] dpo step 1 of 40, about 30 s left, loss 0.693
[finetune a-dpo-s1] failed with exit status 1; its log is results/logs/finetune/a-dpo-s1.log
RuleException:
srun: error: mel2003: task 0: Exited with exit code 1
"""
SFT_LOG = """\
  Command: snakemake --target-jobs finetune:run=a-sft-s1 --allowed-rules finetune
[finetune a-sft-s1] sft step 1015 of 1500, about 61 s left, loss 11.109
[finetune a-sft-s1] sft step 1063 of 1500, about 54 s left, loss 10.608
"""


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Stand-ins for Slurm's commands; each call of one is a line of `calls`."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(name, *lines, script=""):
        (folder / f"{name}.out").write_text("".join(f"{line}\n" for line in lines))
        path = folder / name
        path.write_text(
            f"#!/bin/sh\necho {name} >> {folder}/calls\n{script or f'cat {folder}/{name}.out'}\n"
        )
        path.chmod(0o755)

    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return put


@pytest.fixture
def clone(tmp_path):
    """A folder in which snakemake has submitted a group and three trainings."""
    folder = tmp_path / "clone"
    logs = folder / "results/.slurm"
    for name, text in {
        ".snakemake/log/2026-11-28T112121.354384.snakemake.log": LOG.format(
            folder=folder,
            logs=logs,
            run=RUN,
            group="1cbf3046-68b4-5d8d-9343-b6bf635172b3",
            check=" (check log file(s) for error details)",
        ),
        ".snakemake/log/2026-11-27T080000.000001.snakemake.log": "SLURM run ID: mimic_former\n",
        # Of a command that submits nothing.
        ".snakemake/log/2026-11-28T112500.000001.snakemake.log": "Building DAG of jobs...\n",
        "results/.slurm/rule_finetune/a-dpo-s1/7.log": DPO_LOG,
        "results/.slurm/rule_finetune/a-sft-s1/8.log": SFT_LOG,
        "results/logs/finetune/a-dpo-s1.log": "Traceback …\nRuntimeError: no such tensor\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def queued(job, state, *, folder, reason="None", start="N/A", wall="2:00:00", comment="rule_gates"):
    """A line of squeue."""
    nodes = "" if state == "PENDING" else "mel2001"
    return f"{job}|{state}|{RUN}|{reason}|{start}|2:42|{wall}|{nodes}|{comment}|{folder}"


def accounted(job, state, *, folder, elapsed=1800, ended="0:0", comment="", name=RUN):
    """A line of sacct."""
    return f"{job}|{name}|{state}|{elapsed}|2|{ended}|120|4000M|{comment}|{folder}"


def looked(clone, **options):
    """What is seen in the clone."""
    return look(clone, invocation_of(clone), site=SITE, hours_left=None, **options)


def shown(facts):
    """What is shown of it."""
    console = Console(width=110, highlight=False)
    with console.capture() as capture:
        console.print(render(facts))
    return capture.get()


def test_what_snakemake_says_is_read(clone):
    found = last_invocation(clone)
    assert found.name == RUN
    assert found.began == datetime(2026, 11, 28, 11, 21, 21)
    assert found.configfile == clone / "config/small.yaml"
    assert found.profile == Path("meluxina")
    assert found.submitted["7"].task == "20"
    # What the logs of failed jobs say in it counts for nothing.
    assert found.steps == (3, 7)
    assert found.total == {"essays": 1, "pairs": 2, "finetune": 3}
    assert found.finished == {"essays": 1, "pairs": 2}
    assert found.failed == {"7": "FAILED"}
    assert found.failed_here == ()


def test_a_job_that_fails_in_snakemakes_own_machine_is_told(clone, commands):
    commands("squeue")
    commands("sacct")
    (log,) = (clone / ".snakemake/log").glob("*T112121*")
    with log.open("a") as handle:
        handle.write(
            "Error in rule essays:\n    message: None\n"
            "    log: results/logs/essays.log (check log file(s) for error details)\n"
        )
    (clone / "results/logs/essays.log").write_text("error: the corpus is empty\n")
    here = looked(clone).failed[-1]
    assert (here.job, here.name) == ("here", "essays")
    assert here.words == ("results/logs/essays.log:", "  error: the corpus is empty")


def test_a_folder_that_submitted_nothing_is_told(tmp_path):
    with pytest.raises(ValueError, match="no snakemake has submitted jobs .* from this folder"):
        invocation_of(tmp_path)


def test_what_pends_runs_failed_and_is_done(clone, commands):
    commands(
        "squeue",
        queued("8", "RUNNING", folder=clone, comment="rule_finetune_wildcards_a-sft-s1"),
        queued("9", "PENDING", folder=clone, reason="Priority", start="2026-11-28T12:51:00"),
        queued("10", "RUNNING", folder=clone.parent),
        f"11|RUNNING|else|None|N/A|0:01|1:00|mel2002|(null)|{clone}",
    )
    commands(
        "sacct",
        accounted("3", "COMPLETED", folder=clone, comment="rule_pairs_pairs"),
        accounted("7", "FAILED", folder=clone, ended="1:0"),
        accounted("8", "RUNNING", folder=clone),
        accounted("9", "PENDING", folder=clone, elapsed=0),
        accounted("10", "COMPLETED", folder=clone.parent),
        # Of a snakemake that was killed: its hours count, it isn't this one's failure.
        accounted("2", "CANCELLED by 0", folder=clone, name="mimic_other"),
    )
    facts = looked(clone)
    (running,) = facts.running
    assert (running.job, running.name, running.nodes) == ("8", "finetune a-sft-s1", "mel2001")
    assert (running.elapsed_s, running.walltime_s) == (162, 7200)
    (progress,) = running.log.progress
    assert (progress.what, progress.done, progress.total) == ("sft step", 1063, 1500)
    (pending,) = facts.pending
    assert pending.start == datetime(2026, 11, 28, 12, 51)
    (failed,) = facts.failed
    assert (failed.job, failed.name, failed.state) == ("7", "finetune a-dpo-s1", "FAILED")
    assert "  RuntimeError: no such tensor" in failed.words
    assert facts.done == 1
    # Jobs 2, 3, 7 and 8 had two nodes for half an hour.
    assert facts.hours_used == pytest.approx(4.0)
    assert facts.submitting is None
    text = shown(facts)
    for words in (
        "3 of 7 jobs of the study done: essays 1/1, pairs 2/2, finetune 0/3",
        "Slurm jobs: 1 ended well, 1 failed, 1 running, 1 pending",
        "sft step 1063 of 1500 (71%), 0:00:54 left, loss 10.608",
        "jobs of higher priority come first (Priority)",
        "node-hours: 4.00 used since then, unknown left by the plan",
    ):
        assert words in text, text
    calls = (clone.parent / "bin/calls").read_text().split()
    assert sorted(calls) == ["sacct", "squeue"]


def test_a_retry_takes_the_place_of_what_failed(clone, commands):
    (log,) = (clone / ".snakemake/log").glob("*T112121*")
    again = f"Job 20 has been submitted with SLURM jobid 12 (log: {clone}/results/.slurm/12.log).\n"
    log.write_text(log.read_text() + again)
    commands("squeue", queued("12", "RUNNING", folder=clone))
    commands("sacct", accounted("7", "OUT_OF_MEMORY", folder=clone, ended="0:125"))
    facts = looked(clone)
    assert facts.failed == ()
    assert facts.retried == {"OUT_OF_MEMORY": 1}
    assert "1 submitted again after OUT_OF_MEMORY" in shown(facts)


def test_a_job_that_slurm_starts_again_has_not_failed(clone, commands):
    rows = (
        accounted("8", "NODE_FAIL", folder=clone, elapsed=3600),
        accounted("8", "RUNNING", folder=clone, elapsed=1800),
    )
    commands("squeue", queued("8", "RUNNING", folder=clone))
    commands("sacct", *rows)
    facts = looked(clone)
    assert [job.former for job in facts.running] == [("NODE_FAIL",)]
    # Job 7, of which snakemake alone knows, stays.
    assert [job.job for job in facts.failed] == ["7"]
    assert facts.hours_used == pytest.approx(3.0)
    commands("squeue")
    commands("sacct", rows[0], accounted("8", "COMPLETED", folder=clone))
    assert [job.job for job in looked(clone).failed] == ["7"]


@pytest.mark.parametrize("script", ["echo 'Connection refused' >&2; exit 1", "sleep 30"])
def test_without_sacct_snakemakes_word_counts(clone, commands, monkeypatch, script):
    asked = slurm.accounted

    def impatiently(since):
        # squeue, which answers, was asked before.
        monkeypatch.setattr(slurm, "LOOK_TIMEOUT_S", 3.0)
        return asked(since)

    monkeypatch.setattr(slurm, "accounted", impatiently)
    commands("squeue", queued("8", "RUNNING", folder=clone))
    commands("sacct", script=script)
    facts = looked(clone)
    assert [(job.job, job.state) for job in facts.failed] == [("7", "FAILED")]
    assert "  RuntimeError: no such tensor" in facts.failed[0].words
    assert facts.done is None
    assert facts.hours_used is None
    assert "node-hours can't be told" in facts.notes[0]
    assert "note: " in shown(facts)


def test_without_squeue_nothing_can_be_told(clone, commands):
    commands("squeue", script="exit 1")
    with pytest.raises(ValueError, match="`squeue .*failed"):
        looked(clone)
    commands("squeue", "8|RUNNING")
    with pytest.raises(ValueError, match="which has 2 of 10 fields"):
        looked(clone)


def test_times_and_states_of_slurm_are_read(commands):
    assert slurm.seconds_of("2-03:04:05") == ((2 * 24 + 3) * 60 + 4) * 60 + 5
    assert slurm.seconds_of("1:00:00") == 3600
    assert slurm.seconds_of("5:03") == 303
    for text in ("UNLIMITED", "INVALID", "NOT_SET", "Partition_Limit", ""):
        assert slurm.seconds_of(text) is None
    for text in ("N/A", "Unknown", "None", ""):
        assert slurm.time_of(text) is None
    assert slurm.state_of("CANCELLED by 1000") == "CANCELLED"
    assert slurm.state_of('["NODE_FAIL","REQUEUED"]') == "NODE_FAIL"
    assert slurm.state_of("") == "UNKNOWN"
    commands(
        "sacct",
        "7_3|x|CANCELLED by 1000|Unknown||0:15|UNLIMITED|?||/a|b",
        "8|x|TIMEOUT|90|1|1:0|Partition_Limit|4Gn|rule_gates|/c",
    )
    one, other = slurm.accounted(datetime(2026, 11, 28, 11, 21))
    assert (one.job, one.state, one.cancelled_by) == ("7_3", "CANCELLED", 1000)
    assert (one.elapsed_s, one.nodes, one.signal, one.walltime_min) == (0, 0, 15, None)
    assert one.folder == "/a|b"
    assert (other.cancelled_by, other.exit_status, other.walltime_min) == (None, 1, None)


def test_many_jobs_are_counted(clone, commands):
    pend = [queued(str(n), "PENDING", folder=clone, reason="Priority") for n in range(100, 120)]
    commands("squeue", *pend)
    commands("sacct", *(accounted(str(n), "TIMEOUT", folder=clone) for n in range(20, 40)))
    text = shown(looked(clone))
    assert "and 12 more: jobs of higher priority come first (Priority)" in text
    # With the one that snakemake tells of.
    assert "failed: 21" in text
    assert text.count("was over. A retry") + text.count("its last words say why") == 8
    assert text.count("TIMEOUT") == 20


def test_who_submits_is_told(clone, commands):
    commands("squeue")
    commands("sacct")
    hold_folder(clone)
    facts = looked(clone)
    assert facts.submitting.startswith(f"process {os.getpid()} on ")


def test_the_site_is_that_of_the_profile(clone, project):
    (clone / "meluxina").symlink_to(project / "profiles/meluxina")
    found = site_file_of(invocation_of(clone), clone)
    assert found == clone / "profiles/meluxina/site.yaml"
    (clone / "meluxina").unlink()
    assert site_file_of(invocation_of(clone), clone) is None


def test_the_command_prints_once_without_a_terminal(clone, commands, monkeypatch, capsys):
    held = queued("9", "REQUEUE_HOLD", folder=clone, reason="launch failed requeued held")
    commands("squeue", queued("8", "PENDING", folder=clone, reason="Resources"), held)
    commands("sacct")
    monkeypatch.chdir(clone)
    monkeypatch.setattr(watch_command, "_study", lambda source: (_ for _ in ()).throw(ValueError))
    watch_command.show_watch(None, site_file=None, once=False, as_json=False)
    assert "nodes that it needs are busy" in capsys.readouterr().out
    watch_command.show_watch(None, site_file=None, once=True, as_json=True)
    values = json.loads(capsys.readouterr().out)
    assert values["began"] == "2026-11-28T11:21:21"
    assert [job["job"] for job in values["pending"]] == ["8", "9"]
    assert values["running"] == []
    assert values["pending"][0]["start"] is None
    assert values["steps"] == [3, 7]
    with pytest.raises(ValueError, match="none.yaml: can't be read"):
        watch_command.show_watch(None, site_file=Path("none.yaml"), once=True, as_json=False)


def test_it_goes_on_where_slurm_is_away_for_a_while(clone, commands, monkeypatch):
    commands("squeue", script="exit 1")
    commands("sacct")
    monkeypatch.chdir(clone)
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        commands("squeue")
        if len(waited) == 2:
            raise KeyboardInterrupt

    # Not in the module `time`, by which subprocesses are waited for.
    monkeypatch.setattr(watch_command, "time", SimpleNamespace(sleep=sleep))
    console = Console(width=110, force_terminal=True, highlight=False)
    watched = watch_command._Watched(folder=clone, site=None, hours_left=None, notes=("so",))
    with console.capture() as capture:
        watch_command._show_until_interrupted(console, watched)
    text = capture.get()
    assert text.index("looking again") < text.index("3 of 7 jobs of the study done")
    assert "note: so" in text
    assert min(waited) >= 10


def test_a_job_that_slurm_ended_and_snakemake_waits_for_is_told(commands, clone):
    commands("squeue")
    rows = ((job, "FAILED" if job == 7 else "COMPLETED") for job in (3, 7, 8, 9))
    commands("sacct", *(accounted(job, state, folder=clone) for job, state in rows))
    log = clone / "results/.slurm/rule_finetune/a-sft-s1/8.log"

    def told():
        return [note for note in looked(clone).notes if "snakemake waits for" in note]

    ten_minutes_ago = time.time() - 660
    os.utime(log, (ten_minutes_ago, ten_minutes_ago))
    # Nobody waits where no snakemake lives.
    assert told() == []
    hold_folder(clone)
    (one,) = told()
    assert one.startswith("snakemake waits for job 8, which Slurm has ended: end snakemake and")
    path = next((clone / ".snakemake/log").glob("2026-11-28T112121*"))
    path.write_text(f"{path.read_text()}Finished jobid: 14 (Rule: finetune)\n")
    assert told() == []
    path.write_text(path.read_text().replace("jobid: 14", "jobid: 140"))
    os.utime(log)
    # It may just not have looked yet.
    assert told() == []
