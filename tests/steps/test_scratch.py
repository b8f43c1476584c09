"""A step's temporary files lie on its node's disk, and are gone when it ends."""

from pathlib import Path

import pytest
from runner_jobs import run

from mimic.provenance.scratch import VARIABLE

STEP = """\
import pathlib, tempfile
from mimic.step import run_step

def main(job):
    handle, name = tempfile.mkstemp()
    pathlib.Path("where").write_text(str(pathlib.Path(name).parents[1]))
    (job.out / "x").write_text("x")
    {end}

run_step(main)
"""


@pytest.mark.parametrize(("end", "status"), [("pass", 0), ("raise ValueError('no')", 1)])
def test_the_runner_makes_and_removes_the_folder(
    runner, made_up, tmp_path, monkeypatch, end, status
):
    disk = tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setenv(VARIABLE, str(disk))
    made_up(STEP.format(end=end))
    assert run(runner("made_up", outputs=["results/x"])).returncode == status
    assert Path("where").read_text() == str(disk)
    assert list(disk.iterdir()) == []
