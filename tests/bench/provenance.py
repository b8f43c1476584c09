"""What staleness, the runner, hits and audits cost, in one run on one machine.

``python tests/bench/provenance.py`` prints a table. It makes what it needs in a temporary folder:

- deciding what is stale for a study of about 1,000 jobs, none of which was run, beside what
  Snakemake takes to start for the default study's help;
- the runner around a step that does nothing, beside that step alone;
- a hit, as a job of the runner, beside Python's own start;
- the audit of 1,000 records, beside reading their files.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "tests/unit"))

from made_up_study import ROOT, call_of, run  # noqa: E402

from mimic.files import canonical_json  # noqa: E402
from mimic.provenance import fingerprint  # noqa: E402
from mimic.provenance.audit import Audit  # noqa: E402
from mimic.provenance.environment import group_digest  # noqa: E402
from mimic.provenance.store import Store  # noqa: E402
from mimic.provenance.submit import describe, place_of, write  # noqa: E402

JOBS = 1000
STEP = "from mimic.step import run_step\nrun_step(lambda job: (job.out / 'x').write_text('x'))\n"


class Row(NamedTuple):
    """What took how long, and the most memory of a process in it."""

    what: str
    seconds: float
    memory_mb: float | None = None


def main() -> None:
    """Measure all and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [*staleness(Path(folder, "stale")), *runner(Path(folder, "runner"))]
        rows += audit(Path(folder, "audit"))
    print(f"{'what':62}{'seconds':>9}{'MB':>7}")
    for row in rows:
        memory = "" if row.memory_mb is None else f"{row.memory_mb:.0f}"
        print(f"{row.what:62}{row.seconds:9.2f}{memory:>7}")


def timed(command: list[str], *, cwd: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds and MB of a command, in a process that measures it alone."""
    code = (
        "import json,resource,subprocess,sys,time\n"
        "start=time.perf_counter()\n"
        "done=subprocess.run(sys.argv[1:],capture_output=True,text=True)\n"
        "assert done.returncode==0,done.stdout[-2000:]+done.stderr[-3000:]\n"
        "peak=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss/1024\n"
        "print(json.dumps([time.perf_counter()-start,peak]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, memory = json.loads(done.stdout)
    return seconds, memory


def staleness(folder: Path) -> list[Row]:
    """`snakemake -n` and `mimic why` for a study of about `JOBS` jobs."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("workflow", "config", "profiles"):
        shutil.copytree(PROJECT / name, folder / name, ignore=ignored)
    for name in ("Snakefile", "pyproject.toml"):
        shutil.copy(PROJECT / name, folder / name)
    # Five jobs for each run: training, writing, answers, judged texts, metrics.
    seeds = list(range(1, 1 + JOBS // 15))
    settings = {
        "root": "results/many",
        "finetune": {"seeds": seeds},
        "questionnaire": {"contexts": ["none"]},
    }
    (folder / "config/many.yaml").write_text(json.dumps(settings))
    environment = {**os.environ, "PYTHONPATH": str(folder / "workflow")}
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "2"]
    study = ["--configfile", "config/many.yaml"]
    rows = []
    for what, command in (
        ("snakemake --help", [*snakemake, "--help"]),
        (f"snakemake -n, {JOBS} jobs to run", [*snakemake, "-n", "--quiet", "all", *study]),
        (f"mimic why, {JOBS} jobs to run", [sys.executable, "-m", "mimic.cli", "why", *study]),
    ):
        rows.append(Row(what, *timed(command, cwd=folder, environment=environment)))
    return rows


def runner(folder: Path) -> list[Row]:
    """The runner around a step that does nothing, and a hit."""
    package = folder / "package/mimic"
    package.mkdir(parents=True)
    for name in ("__init__.py", "files.py", "progress.py", "settings.py", "step.py"):
        shutil.copy(PROJECT / "workflow/mimic" / name, package)
    shutil.copytree(PROJECT / "workflow/mimic/provenance", package / "provenance")
    shutil.copy(PROJECT / "pyproject.toml", folder)
    # What a submission describes besides steps.
    (package / "study.py").touch()
    (package / "made_up.py").write_text(STEP)
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    environment["MIMIC_STORE"] = str(folder / "store")
    fingerprint.PACKAGE_ROOT, former = package.parent, fingerprint.PACKAGE_ROOT
    fingerprint.forget()
    submitted = describe(settings={}, sources=[])
    code = fingerprint.step_code("made_up")
    fingerprint.PACKAGE_ROOT = former
    fingerprint.forget()
    place = place_of(submitted, folder)
    write(place, submitted)
    environment["MIMIC_SUBMISSION"] = str(place)

    def command(number: int) -> list[str]:
        spec = {
            "step": "made_up",
            "code": code,
            "environment": {"data": group_digest("data")},
            "settings": {"number": number},
            "sources": {},
        }
        files = {"inputs": {}, "outputs": [f"results/{number}/x"], "root": "results"}
        files |= {"rule": "made_up", "run": None}
        return [
            *(sys.executable, "-m", "mimic.provenance.runner", "--name", f"{number}"),
            *("--spec", canonical_json(spec), "--files", canonical_json(files)),
            *("--log", f"results/{number}.log"),
        ]

    job = folder / "job.json"
    values = {"name": "x", "settings": {}, "inputs": {}, "out": str(folder), "answers": "a"}
    places = {"unfinished": "u", "log": "l", "measured": str(folder / "m")}
    job.write_text(json.dumps(values | places))
    alone = [sys.executable, "-m", "mimic.made_up", str(job)]

    def median(commands: list[list[str]]) -> float:
        times = sorted(timed(c, cwd=folder, environment=environment)[0] for c in commands)
        return times[len(times) // 2]

    return [
        Row("python -c pass", median([[sys.executable, "-c", "pass"]] * 5)),
        Row("a step that does nothing, alone", median([alone] * 5)),
        Row("the same in the runner", median([command(number) for number in range(5)])),
        Row("a hit in the runner", median([command(number) for number in range(5)])),
    ]


def audit(folder: Path) -> list[Row]:
    """An audit of `JOBS` records."""
    folder.mkdir()
    os.chdir(folder)
    store = Store(ROOT / ".store")
    Path("corpus.csv").write_text("x")
    code = {f"mimic.module{number}": "0" * 16 for number in range(30)}
    last = ["corpus.csv"]
    for number in range(JOBS):
        output = f"results/metrics/{number}.json"
        inputs = {"corpus": ["corpus.csv"], "former": last[-5:]}
        run(
            store,
            call_of("metrics", [output], inputs=inputs, code=code),
            {f"{number}.json": f"{number}\n" * 1000},
        )
        last.append(output)
    start = time.perf_counter()
    size = sum(len(path.read_bytes()) for path in folder.rglob("*") if path.is_file())
    read = time.perf_counter() - start
    start = time.perf_counter()
    found = Audit(ROOT, store)
    found.follow_all(map(Path, last[1:]))
    seconds = time.perf_counter() - start
    assert len(found.outputs) == JOBS
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Row(f"reading the {size / 1e6:.0f} MB of {JOBS} records and results", read),
        Row(f"mimic audit --all, {JOBS} records", seconds, peak),
    ]


if __name__ == "__main__":
    main()
