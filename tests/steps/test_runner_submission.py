"""A job that isn't what was submitted, by the time that it starts or ends."""

from collections.abc import Callable
from pathlib import Path

import pytest
from runner_jobs import (
    Runner,
    entries,
    run,
)

from mimic.provenance.submit import describe, place_of, write


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


def test_a_hit_that_is_not_what_was_submitted_stops_too(
    runner: Runner, made_up: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up("from mimic.step import run_step\nrun_step(lambda j: (j.out / 'x').write_text('x'))\n")
    former = runner("made_up", outputs=["results/x"])
    assert run(former).returncode == 0
    Path("results/x").unlink()
    module = Path("package/mimic/made_up.py")
    text = module.read_text()
    module.write_text(text.replace("text('x')", "text('other')"))
    command = runner("made_up", outputs=["results/x"])
    values = describe(settings={}, sources=[])
    monkeypatch.setenv("MIMIC_SUBMISSION", str(place_of(values, Path("results"))))
    write(place_of(values, Path("results")), values)
    # Set back while the job queues: its own Snakemake reads what the store has results of.
    module.write_text(text)
    stopped = run(former)
    assert stopped.returncode == 1
    assert "mimic.made_up changed since the work was submitted" in stopped.stderr
    assert not Path("results/x").exists()
    module.write_text(text.replace("text('x')", "text('other')"))
    done = run(command)
    assert done.returncode == 0, done.stderr
    assert Path("results/x").read_text() == "other"


INSTALLING_STEP = """\
from pathlib import Path
from mimic.step import run_step

def main(job):
    place = Path("package/numpy-99.0.dist-info")
    place.mkdir()
    (place / "METADATA").write_text("Metadata-Version: 2.1\\nName: numpy\\nVersion: 99.0\\n")
    (job.out / "x").write_text("x")

run_step(main)
"""


def test_what_is_installed_while_a_step_runs_keeps_its_results_out(
    runner: Runner, made_up: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up(INSTALLING_STEP)
    command = runner("made_up", outputs=["results/x"])
    values = describe(settings={}, sources=[])
    monkeypatch.setenv("MIMIC_SUBMISSION", str(place_of(values, Path("results"))))
    write(place_of(values, Path("results")), values)
    stopped = run(command)
    assert stopped.returncode == 1
    assert "environment data changed since the work was submitted" in stopped.stderr
    assert entries() == []
