"""The runner, as rules call it: hits, failures, a full disk, signals, a starter that is killed."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from mimic.files import canonical_json, read_json
from mimic.provenance import fingerprint
from mimic.provenance.environment import group_digest
from mimic.provenance.records import recomputed_identity, spec_of
from mimic.provenance.specs import spec
from mimic.provenance.submit import describe, place_of, write

# Says which processes it consists of, then works for a long time.
LONG_STEP = """\
import os, subprocess, sys, time
from mimic.progress import say
from mimic.step import run_step

def main(job):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    (job.out / "half.txt").write_text("half")
    say(f"processes {os.getpid()} {child.pid}")
    time.sleep(120)

run_step(main)
"""
FAILING_STEP = """\
from mimic.step import run_step

def main(job):
    (job.out / "half.txt").write_text("half")
    print("for the log alone")
    raise ValueError("essays.csv, row 3: no text; remove the row")

run_step(main)
"""
TALKATIVE_STEP = """\
import os, time
from pathlib import Path
from mimic.step import run_step

def main(job):
    Path("pid").write_text(str(os.getpid()))
    print("x" * 100_000)
    time.sleep(120)

run_step(main)
"""
FORGETFUL_STEP = """\
from mimic.step import run_step

run_step(lambda job: None)
"""

# Answers what nobody has answered yet, and fails when that is done where one is wrong.
ANSWERING_STEP = """\
from mimic.progress import say
from mimic.step import run_step

def main(job):
    job.answers.mkdir(exist_ok=True)
    for question in job.input("questions").read_text().split():
        if not (job.answers / question).exists():
            say(f"asks {question}")
            (job.answers / question).write_text("yes")
    (job.out / "folder.txt").write_text(str(job.answers))
    if (job.answers / "wrong").exists():
        raise ValueError("a wrong question")

run_step(main)
"""

Runner = Callable[..., list[str]]


@pytest.fixture
def runner(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """The command line of a job, in a folder of its own with a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIMIC_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("PYTHONPATH", str(project / "workflow"))

    def spec_of(step: str, settings: dict[str, Any]) -> str:
        # The runner fingerprints the package that it is part of: a made-up one, or the project's.
        root = Path(os.environ["PYTHONPATH"].split(os.pathsep)[0])
        monkeypatch.setattr(fingerprint, "PACKAGE_ROOT", root)
        fingerprint.forget()
        code = fingerprint.step_code(step)
        return canonical_json(
            {
                "step": step,
                "settings": settings,
                "code": code,
                "environment": {"data": group_digest("data")},
                "sources": {},
            }
        )

    def command(
        step: str,
        *,
        outputs: list[str],
        settings: dict[str, Any] | None = None,
        inputs: dict[str, list[str]] | None = None,
        whole_spec: str | None = None,
    ) -> list[str]:
        files = {"inputs": inputs or {}, "outputs": outputs, "root": "results"}
        files |= {"rule": "test", "run": None}
        return [
            *(sys.executable, "-m", "mimic.provenance.runner", "--name", f"test {step}"),
            "--spec",
            whole_spec or spec_of(step, settings or {}),
            *("--files", canonical_json(files), "--log", "results/logs/test.log"),
        ]

    return command


@pytest.fixture
def made_up(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a made-up step beside what the runner needs of the package."""

    def write(code: str) -> None:
        package = tmp_path / "package" / "mimic"
        package.mkdir(parents=True)
        for name in ("__init__.py", "files.py", "progress.py", "settings.py", "step.py"):
            shutil.copy(project / "workflow/mimic" / name, package)
        shutil.copytree(project / "workflow/mimic/provenance", package / "provenance")
        shutil.copy(project / "pyproject.toml", tmp_path)
        (package / "made_up.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(package.parent))

    return write


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def entries() -> list[Path]:
    return [
        path for path in Path("store").glob("*") if path.name not in ("work", "answers", "studies")
    ]


def work() -> list[str]:
    """What lies in the store's work folder, but how often something was begun."""
    found = [path for path in Path("store/work").rglob("*") if path.is_file()]
    return sorted(path.name for path in found if path.name != "attempts.json")


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def gone(*pids: int) -> bool:
    def one(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return all(map(one, pids))


def step_processes(process: subprocess.Popen[str]) -> list[int]:
    """The process ids that the long step says, from its runner's standard error."""
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "processes" in line, line
    return [int(word) for word in line.split("processes ")[1].split()]


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
    assert entries() == []
    assert not Path("results/x").exists()


def test_a_missing_input_is_told_in_words(runner: Runner) -> None:
    done = run(runner("forms.build", inputs={"a": ["none.csv"]}, outputs=["results/x"]))
    assert done.returncode == 1
    assert "none.csv" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_disk_that_fills_while_a_step_writes(runner: Runner, project: Path) -> None:
    corpus = str(project / "workflow/resources/composed_essays.csv")
    command = runner(
        "essays.prepare",
        settings={"essays": {}},
        inputs={"corpus": [corpus]},
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
    assert time.monotonic() - started < 30, "the runner waited for its step"
    # No step works on without a runner.
    assert gone(int(Path("pid").read_text()))
    assert entries() == []


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
        assert f"{named} changed since the workflow was read" in stopped.stderr
        assert entries() == []
        assert not Path("results/forms/forms.json").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_step(
    runner: Runner, made_up: Callable[..., None], number: signal.Signals
) -> None:
    made_up(LONG_STEP)
    command = runner("made_up", outputs=["results/x"])
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    pids = step_processes(process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode not in (0, None)
    assert "failed with exit status" in errors
    assert wait_until(lambda: gone(*pids), 5)
    assert entries() == []
    assert work() == []
    assert not Path("results/x").exists()


@pytest.mark.parametrize("waited_for", [True, False])
def test_a_starter_that_is_killed_ends_the_step(
    runner: Runner, made_up: Callable[..., None], tmp_path: Path, waited_for: bool
) -> None:
    made_up(LONG_STEP)
    # As in a real job: a snakemake, a shell that outlives it, the runner.
    starter = tmp_path / "snakemake"
    starter.write_text(
        "import shlex, subprocess, sys\n"
        "command = shlex.join(sys.argv[1:]) + '; true'\n"
        "subprocess.run(['/bin/sh', '-c', command])\n"
    )
    command = runner("made_up", outputs=["results/x"])
    process = subprocess.Popen(
        [sys.executable, str(starter), *command], stderr=subprocess.PIPE, text=True
    )
    pids = step_processes(process)
    (runner_pid,) = psutil.Process(pids[0]).parents()[:1]
    process.kill()
    if waited_for:
        process.wait()
    assert wait_until(lambda: gone(*pids), 10)
    assert wait_until(lambda: gone(runner_pid.pid), 5)
    process.communicate(timeout=5)
    assert entries() == []
    assert not Path("results/x").exists()
    # The next one finds no lock in its way.
    assert not [name for name in work() if name.endswith(".lock")]


def test_a_runner_that_is_killed_leaves_a_lock_that_the_next_takes_over(
    runner: Runner, made_up: Callable[..., None], tmp_path: Path
) -> None:
    quick = "from mimic.step import run_step\nrun_step(lambda j: (j.out / 'x').touch())\n"
    made_up(
        "from pathlib import Path\nif Path('quick').exists():\n"
        f"{textwrap.indent(quick, '    ')}else:\n{textwrap.indent(LONG_STEP, '    ')}"
    )
    command = runner("made_up", outputs=["results/x"])
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    pids = step_processes(process)
    process.kill()
    os.killpg(pids[0], signal.SIGKILL)
    process.communicate(timeout=20)
    assert any(name.endswith(".lock") for name in work())
    Path("quick").touch()
    done = run(command)
    assert done.returncode == 0, done.stderr
    assert work() == []
    # Nothing that the killed one left is in the entry.
    (entry,) = entries()
    assert sorted(read_json(entry / "manifest.json")) == ["x"]


SLOW_STEP = """\
import time
from pathlib import Path
from mimic.step import run_step

def main(job):
    with Path("ran").open("a") as ran:
        ran.write("once\\n")
    time.sleep(3)
    (job.out / "x").write_text("x")

run_step(main)
"""

RESUMING_STEP = """\
import sys
from mimic.step import run_step

def main(job):
    if not job.unfinished.exists():
        job.unfinished.mkdir()
        (job.unfinished / "half").write_text("half")
        sys.exit(75)
    (job.out / "x").write_text((job.unfinished / "half").read_text() + ", whole")

run_step(main)
"""


def test_two_jobs_of_one_identity_at_once(runner: Runner, made_up: Callable[..., None]) -> None:
    made_up(SLOW_STEP)
    commands = [runner("made_up", outputs=[f"results/{name}/x"]) for name in "ab"]
    started = [subprocess.Popen(c, stderr=subprocess.PIPE, text=True) for c in commands]
    said = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert Path("ran").read_text() == "once\n"
    assert sum("waiting: another job (process " in words for words in said) == 1
    assert sum("was made before, linked from the store" in words for words in said) == 1
    assert Path("results/a/x").samefile("results/b/x")


def test_what_is_unfinished_is_given_to_the_next_attempt(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up(RESUMING_STEP)
    command = runner("made_up", outputs=["results/x"])
    first = run(command)
    assert first.returncode == 75
    assert "failed with exit status 75" in first.stderr
    assert entries() == []
    assert work() == ["half"]
    assert run(command).returncode == 0
    assert Path("results/x").read_text() == "half, whole"
    (entry,) = entries()
    assert read_json(entry / "record.json")["circumstances"]["attempts"] == 2
    assert list(Path("store/work").iterdir()) == []


def test_an_entry_whose_bytes_do_not_fit_is_refused(
    runner: Runner, made_up: Callable[..., None]
) -> None:
    made_up("from mimic.step import run_step\nrun_step(lambda j: (j.out / 'x').write_text('x'))\n")
    command = runner("made_up", outputs=["results/x"])
    assert run(command).returncode == 0
    (entry,) = entries()
    (entry / "x").chmod(0o644)
    (entry / "x").write_text("tampered")
    again = run(command)
    assert again.returncode == 0
    assert f"the store's entry {entry.name} is refused" in again.stderr
    assert "x has other bytes than its manifest says" in again.stderr
    assert Path("results/x").read_text() == "x"
    (refused,) = Path("store/refused").iterdir()
    assert (refused / "x").read_text() == "tampered"


def test_a_job_that_is_not_what_was_submitted_stops(
    runner: Runner, made_up: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up("from mimic.step import run_step\nrun_step(lambda j: (j.out / 'x').write_text('x'))\n")
    command = runner("made_up", outputs=["results/x"])
    values = describe(settings={}, sources=[])
    monkeypatch.setenv("MIMIC_SUBMISSION", str(place_of(values, Path("results"))))
    gone = run(command)
    assert gone.returncode == 1
    assert "the file of this submission (MIMIC_SUBMISSION) is gone" in gone.stderr
    write(place_of(values, Path("results")), values)
    module = Path("package/mimic/made_up.py")
    module.write_text(module.read_text() + "EDITED = True\n")
    # The job's own Snakemake reads the edited code, so that its spec fits what is there.
    stopped = run(runner("made_up", outputs=["results/x"]))
    assert stopped.returncode == 1
    assert "mimic.made_up changed since the work was submitted" in stopped.stderr
    assert entries() == []
    module.write_text(module.read_text().replace("EDITED = True\n", "# A comment.\n"))
    assert run(command).returncode == 0
