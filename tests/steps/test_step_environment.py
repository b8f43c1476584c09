"""The environment that the runner prepares for a step; libraries read it as they load."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from runner_jobs import Runner, run

from mimic.files import canonical_json, read_json

STEP = """\
import json, os, sys
from mimic.step import run_step

# Only what was set before this Python started decides it.
FOUND = {**os.environ, "hash_randomization": sys.flags.hash_randomization}

def main(job):
    (job.out / f"{os.environ.get('RANK', '0')}.json").write_text(json.dumps(FOUND))

run_step(main)
"""
PREPARED = {
    "OMP_WAIT_POLICY": "passive",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "68719476736",
    "MALLOC_TOP_PAD_": "67108864",
    "PYTHONHASHSEED": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "3",
    "hash_randomization": 0,
}


@pytest.mark.parametrize("processes", [1, 2])
def test_each_process_of_a_step_starts_in_it(
    runner: Runner,
    made_up: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    processes: int,
) -> None:
    # Whatever the shell says.
    for name, value in (("OMP_WAIT_POLICY", "active"), ("OMP_NUM_THREADS", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    made_up(STEP)
    outputs = [f"results/{rank}.json" for rank in range(processes)]
    command = runner("made_up", outputs=outputs, settings={"compute": {"threads": 3}})
    place = command.index("--files") + 1
    command[place] = canonical_json(json.loads(command[place]) | {"devices": processes})
    made = run(command)
    assert made.returncode == 0, made.stderr
    for output in outputs:
        found = read_json(Path(output))
        assert {name: found.get(name) for name in PREPARED} == PREPARED
