"""The runner, as rules call it: hits, failures, a full disk, code that changed."""

import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from runner_jobs import (
    ANSWERING_STEP,
    FAILING_STEP,
    FORGETFUL_STEP,
    MEASURING_STEP,
    PATIENCE_S,
    QUICK_STEP,
    TALKATIVE_STEP,
    Runner,
    entries,
    gone,
    identity_in,
    run,
    work,
)

from mimic.files import canonical_json, read_json
from mimic.provenance.records import recomputed_identity, spec_of
from mimic.provenance.specs import spec
from mimic.provenance.store import Store


def test_the_second_time_is_a_hit_with_the_same_bytes(runner: Runner, project: Path) -> None:
    config = project / "config"
    sources = {
        "authored": [str(config / "forms/authored.yaml")],
        "rewordings": [str(config / "forms/rewordings.yaml")],
        "instruments": sorted(map(str, (config / "instruments").glob("*.yaml"))),
    }
    whole = spec("forms.build", group="data", settings={"forms": {}}, sources=sources)
    command = runner(
        "forms.build",
        inputs=sources,
        outputs=["results/forms/forms.json"],
        whole_spec=whole,
    )
    output, log = Path("results/forms/forms.json"), Path("results/logs/test.log")
    made = run(command)
    assert made.returncode == 0, made.stderr
    assert "[test forms.build] done" in made.stderr
    before = output.read_bytes()
    assert json.loads(before)
    (entry,) = entries()
    record = read_json(entry / "record.json")
    assert spec_of(record["identity"]) == json.loads(whole)
    assert recomputed_identity(record["identity"]) == entry.name
    assert record["circumstances"]["peak_memory_mb"] > 0
    assert work() == []
    note = read_json(Path("results/.identities/forms__forms.json.json"))
    assert note["identity"] == entry.name
    assert note["output"] == "forms/forms.json"
    assert note["record"] == record["sha256"]["identity"]
    assert note["circumstances"] == record["sha256"]["circumstances"]
    assert note["inputs"] == sources
    assert note["hit"] is False

    # Snakemake deletes outputs before it runs their job again.
    output.unlink()
    record_before = (entry / "record.json").read_bytes()
    hit = run(command)
    assert hit.returncode == 0, hit.stderr
    assert "was made before" in hit.stderr
    assert log.read_text().startswith("hit: ")
    assert output.read_bytes() == before
    assert entries() == [entry]
    assert (entry / "record.json").read_bytes() == record_before


def test_each_of_several_processes_measures_itself(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up(MEASURING_STEP)
    command = runner("made_up", outputs=["results/x"])
    place = command.index("--files") + 1
    command[place] = canonical_json(json.loads(command[place]) | {"devices": 2})
    made = run(command)
    assert made.returncode == 0, made.stderr
    (entry,) = entries()
    circumstances = read_json(entry / "record.json")["circumstances"]
    assert circumstances["peak_gpu_memory_mb"] == [1024, 2048]
    assert circumstances["answers"] == ["common", "of-0", "of-1"]
    assert work() == []


def test_changed_input_bytes_make_another_entry(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up(
        "from mimic.step import run_step\n"
        "run_step(lambda job: (job.out / 'b').write_text(job.input('a').read_text() * 2))"
    )
    command = runner("made_up", inputs={"a": ["a"]}, outputs=["results/b"])
    for text in ("1", "2", "1"):
        Path("a").write_text(text)
        done = run(command)
        assert done.returncode == 0, done.stderr
        assert Path("results/b").read_text() == text * 2
    assert len(entries()) == 2
    assert "was made before" in done.stderr


def test_a_failing_step(runner: Runner, made_up: Callable[..., None]) -> None:
    made_up(FAILING_STEP)
    done = run(runner("made_up", outputs=["results/x/manifest.json"]))
    assert done.returncode == 1
    assert "[test made_up] error: essays.csv, row 3: no text; remove the row" in done.stderr
    assert "failed with exit status 1; its log is results/logs/test.log" in done.stderr
    assert "Traceback" not in done.stderr
    log = Path("results/logs/test.log").read_text()
    assert "for the log alone" in log
    assert "Traceback" in log
    assert entries() == []
    assert work() == []
    assert not Path("results/x").exists()
    assert not Path("results/.identities").exists()


def test_answers_are_kept_from_job_to_job(runner: Runner, made_up: Callable[..., None]) -> None:
    made_up(ANSWERING_STEP)
    command = runner("made_up", inputs={"questions": ["q"]}, outputs=["results/folder.txt"])
    answers = Path(os.environ["MIMIC_STORE"], "answers")
    asked = []
    # The second has a new question; the third fails when it has answered; the last is a hit.
    for text, status in (("a b", 0), ("a b c", 0), ("c d wrong", 1), ("a b", 0)):
        Path("q").write_text(text)
        done = run(command)
        assert done.returncode == status, done.stderr
        asked.append([line.split()[-1] for line in done.stderr.splitlines() if "asks" in line])
    assert asked == [["a", "b"], ["c"], ["d", "wrong"], []]
    assert Path("results/folder.txt").read_text() == str(answers)
    assert sorted(path.name for path in answers.iterdir()) == ["a", "b", "c", "d", "wrong"]
    assert (answers / "a").stat().st_mode & 0o200
    assert len(entries()) == 2
    assert all(len(entry.name) == 40 for entry in entries())


def test_a_step_that_forgets_an_output(runner: Runner, made_up: Callable[..., None]) -> None:
    made_up(FORGETFUL_STEP)
    done = run(runner("made_up", outputs=["results/x/manifest.json", "results/x/a.csv"]))
    assert done.returncode == 1
    assert "wrote no a.csv" in done.stderr
    assert "wrote no a.csv" in Path("results/logs/test.log").read_text()
    assert entries() == []
    assert not Path("results/x").exists()


def test_a_missing_input_is_told_in_words(runner: Runner) -> None:
    done = run(runner("forms.build", inputs={"a": ["none.csv"]}, outputs=["results/x"]))
    assert done.returncode == 1
    assert "none.csv" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_disk_that_fills_while_a_step_writes(runner: Runner, project: Path) -> None:
    resources = project / "workflow/resources"
    command = runner(
        "essays.prepare",
        settings={"essays": {}},
        inputs={
            "corpus": [str(resources / "composed_essays.csv")],
            "moderation": [str(resources / "moderation.yaml")],
        },
        outputs=["results/essays/manifest.json", "results/essays/essays.csv"],
    )

    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    full = run(command, preexec_fn=no_large_files)
    assert full.returncode == 1
    assert "failed" in full.stderr
    assert "File too large" in Path("results/logs/test.log").read_text()
    assert entries() == []
    assert not Path("results/essays").exists()

    done = run(command)
    assert done.returncode == 0, done.stderr
    assert Path("results/essays/essays.csv").stat().st_size > 20_000
    assert len(entries()) == 1


def test_a_disk_that_fills_while_the_runner_writes(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up(TALKATIVE_STEP)

    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    started = time.monotonic()
    full = run(runner("made_up", outputs=["results/x"]), preexec_fn=no_large_files)
    assert full.returncode == 1
    assert "failed: " in full.stderr
    assert "File too large" in full.stderr
    assert time.monotonic() - started < 100, "the runner waited for its step"
    # No step works on without a runner.
    assert gone(int(Path("pid").read_text()))
    assert entries() == []


def test_an_attempt_count_that_a_full_disk_left_empty(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up(QUICK_STEP)
    command = runner("made_up", outputs=["results/x"])
    counted = Store(Path("store")).work(identity_in(command)) / "attempts.json"
    counted.parent.mkdir(parents=True)
    counted.touch()
    done = run(command)
    assert done.returncode == 0, done.stderr
    (entry,) = entries()
    assert read_json(entry / "record.json")["circumstances"]["attempts"] == 1


SAVING_STEP = """\
import os, signal, sys, time
from mimic.progress import say
from mimic.step import run_step

def save(number, frame):
    say("saves")
    time.sleep(0.5)
    say("has almost saved")
    time.sleep(0.5)
    open("saved", "w").close()
    sys.exit(75)

def main(job):
    signal.signal(signal.SIGUSR1, save)
    say("works")
    time.sleep(120)

run_step(main)
"""


def test_a_step_saves_though_nobody_listens_any_more(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up(SAVING_STEP)
    command = runner("made_up", outputs=["results/x"])
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "works" in process.stderr.readline()
    process.stderr.close()
    process.send_signal(signal.SIGUSR1)
    assert process.wait(timeout=PATIENCE_S) == 75
    assert Path("saved").exists()
    assert "has almost saved" in Path("results/logs/test.log").read_text()


def test_code_or_sources_that_changed_since_stop_the_job(runner: Runner, project: Path) -> None:
    forms = project / "config/forms/authored.yaml"
    command = runner("forms.build", settings={"forms": {}}, outputs=["results/forms/forms.json"])
    good = json.loads(command[command.index("--spec") + 1])
    for changed, named in (
        ({"code": {**good["code"], "mimic.forms.authored": "0" * 16}}, "mimic.forms.authored"),
        ({"sources": {"authored": "0" * 64}}, "authored"),
    ):
        command = runner(
            "forms.build",
            inputs={"authored": [str(forms)]},
            outputs=["results/forms/forms.json"],
            whole_spec=canonical_json(good | changed),
        )
        stopped = run(command)
        assert stopped.returncode == 1
        said = f"{named} changed since the workflow was read"
        assert said in stopped.stderr
        # No step has written a log; on a cluster what Snakemake shows is the log.
        assert said in Path("results/logs/test.log").read_text()
        assert entries() == []
        assert not Path("results/forms/forms.json").exists()
