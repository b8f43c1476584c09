"""Only what is stale runs again: real edits of real files, in a copy of the project."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
import yaml
from small_study import CONFIG, ROOT, SECRET, Outcome, SmallStudy

from mimic.provenance.records import part_digest, utc

RUNS = ("tiny-base", "tiny-sft-s1", "tiny-dpo-s1")
END = {"metrics study", "report"}
METRICS = {f"metrics {run}" for run in RUNS} | END
JUDGED = {f"judge texts of {run}" for run in RUNS} | METRICS
ASKED = {f"questionnaire {run}, context none" for run in RUNS}


def after_training(run: str) -> set[str]:
    """The jobs that follow the training of a run."""
    own = {f"writing {run}", f"questionnaire {run}, context none", f"judge texts of {run}"}
    return own | {f"metrics {run}"} | END


@dataclass(frozen=True)
class Edit:
    """An edit, the jobs that must work again, and those that may for their inputs' new bytes."""

    apply: Callable[[SmallStudy], None]
    must: set[str]
    may: set[str]


def append(name: str, line: str) -> Callable[[SmallStudy], None]:
    return lambda study: study.write(name, f"{study.read(name)}\n{line}\n")


def replace(name: str, former: str, new: str) -> Callable[[SmallStudy], None]:
    return lambda study: study.edit(name, former, new)


def reorder_corpus(study: SmallStudy) -> None:
    header, *rows = csv.reader(io.StringIO(study.read("corpus.csv")))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *reversed(rows)])
    study.write("corpus.csv", text.getvalue())


def reword_an_item(study: SmallStudy) -> None:
    (words,) = json.loads(study.read(f"{ROOT}/forms/words.json")).values()
    asked = yaml.safe_load(study.read("config/instruments/mini_ipip_10.yaml"))["items"]
    own = [words[item["text"].lower()] for item in asked]
    phrase = next(word["phrase"] for word in own if word["variant"] > 0)
    study.edit("config/forms/rewordings.yaml", phrase, f"{phrase} at times")


def another_plotting_package(study: SmallStudy) -> None:
    study.write(
        "shadow/matplotlib-99.0.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: matplotlib\nVersion: 99.0\n",
    )


EDITS = {
    "comment and docstring": Edit(
        lambda study: study.write(
            "workflow/mimic/finetune/dpo.py",
            study.read("workflow/mimic/finetune/dpo.py").replace('"""Step:', '"""A step:', 1)
            + "# A comment.\n",
        ),
        set(),
        set(),
    ),
    "a figure's code": Edit(
        append("workflow/mimic/report/figures.py", "EDITED = True"), {"report"}, set()
    ),
    "the likelihood engine": Edit(
        append("workflow/mimic/respondents/likelihood.py", "EDITED = True"), ASKED, METRICS
    ),
    "DPO's code": Edit(
        replace("workflow/mimic/finetune/dpo.py", "beta=settings.beta,", "beta=2 * settings.beta,"),
        {"finetune tiny-dpo-s1", "questionnaire tiny-dpo-s1, context none"},
        after_training("tiny-dpo-s1"),
    ),
    "one run's learning rate": Edit(
        replace(
            CONFIG, "max_length: 96, learning_rate: 0.02", "max_length: 96, learning_rate: 0.03"
        ),
        {"finetune tiny-sft-s1", "questionnaire tiny-sft-s1, context none"},
        after_training("tiny-sft-s1"),
    ),
    "a judge": Edit(
        replace(CONFIG, "c_values: [1.0]", "c_values: [0.5]"), {"judge reading"}, JUDGED
    ),
    "rows of the corpus reordered": Edit(reorder_corpus, {"essays"}, set()),
    "an item's wording": Edit(reword_an_item, {"forms"} | ASKED, {"gates"} | METRICS),
    "a package that only plotting needs": Edit(another_plotting_package, {"report"}, set()),
    "a new setting of the report": Edit(
        append(CONFIG, "report: {title: Another title}"), {"report"}, set()
    ),
}


# What costs a few jobs, and what costs a training, answers or judging.
LIGHT = [name for name, edit in EDITS.items() if edit.must | edit.may <= {"essays", "report"}]
HEAVY = [name for name in EDITS if name not in LIGHT]


def check(outcome: Outcome, *edits: Edit) -> None:
    """Check that the jobs that worked are those that the edits ask for."""
    must = set().union(*(edit.must for edit in edits))
    may = must.union(*(edit.may for edit in edits))
    assert must <= outcome.worked <= may, sorted(outcome.worked ^ must)


@pytest.fixture(scope="module")
def built(
    project: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SmallStudy, Path]:
    """The study, built, and a copy of all that belongs to it."""
    base = tmp_path_factory.mktemp("small")
    study = SmallStudy.make(project, base / "study", model=tiny_model.parent, hub=base / "hub")
    outcome = study.run()
    assert len(outcome.worked) == 23, sorted(outcome.worked)
    shutil.copytree(study.folder, base / "kept", symlinks=True)
    return study, base / "kept"


@pytest.fixture
def study(built: tuple[SmallStudy, Path]) -> SmallStudy:
    """The study as it was built: the folder copied back, at another time than its results say."""
    study, kept = built
    shutil.rmtree(study.folder)
    shutil.copytree(kept, study.folder, symlinks=True)
    return study


def touch_everything(study: SmallStudy) -> None:
    for path in study.folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts and "store" not in path.parts:
            path.touch()


@pytest.mark.slow
def test_a_copied_folder_is_fresh_and_touching_everything_runs_nothing(study: SmallStudy) -> None:
    assert study.run().nothing
    assert study.mimic("audit", "--all", "--configfile", CONFIG).returncode == 0
    touch_everything(study)
    assert study.run().nothing
    assert "Nothing would run" in study.mimic("why", "--configfile", CONFIG).stdout


@pytest.mark.slow
def test_touching_large_files_runs_nothing(study: SmallStudy) -> None:
    """Of a file above Snakemake's limit it sees the time alone: here essays and study.json are."""
    touch_everything(study)
    assert study.run("--dry-run", "--max-checksum-file-size", "60kB").nothing
    # And texts and forms, on the way to answers and judged texts.
    targets = ["questionnaire/none/tiny-sft-s1/manifest.json", "gates/gates.json"]
    targets += ["judge/texts/tiny-sft-s1/probabilities.csv"]
    named = [f"{ROOT}/{target}" for target in targets]
    large = ("forms/words.json", "writing/tiny-sft-s1/texts.csv")
    limit = min((study.folder / ROOT / name).stat().st_size for name in large)
    assert study.run("--dry-run", "--max-checksum-file-size", str(limit - 1), *named).nothing


@pytest.mark.slow
def test_a_corpus_of_more_than_1_mb(study: SmallStudy) -> None:
    header, *rows = csv.reader(io.StringIO(study.read("corpus.csv")))
    place = header.index("TEXT")
    for number, row in enumerate(rows):
        row[place] += "".join(f" w{number}x{word}" for word in range(1500))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    study.write("corpus.csv", text.getvalue())
    target = f"{ROOT}/pairs/tiny-sft-s1/manifest.json"
    assert study.run(target).worked == {"essays", "pairs tiny-sft-s1"}
    assert (study.folder / ROOT / "essays/essays.csv").stat().st_size > 1_000_000
    touch_everything(study)
    assert study.run(target).nothing
    study.edit("corpus.csv", "w7x1499", "w7x1500")
    assert study.run(target).worked == {"essays", "pairs tiny-sft-s1"}


@pytest.mark.slow
def test_a_moved_folder_is_fresh_fits_and_is_known_to_the_store(
    study: SmallStudy, tmp_path: Path
) -> None:
    moved = SmallStudy(tmp_path / "moved", study.hub)
    study.folder.rename(moved.folder)
    try:
        assert "Nothing would run" in moved.mimic("why", "--configfile", CONFIG).stdout
        assert f"used by {moved.folder}" not in moved.mimic("store").stdout
        assert moved.run().nothing
        audit = moved.mimic("audit", "--all", "--configfile", CONFIG)
        assert audit.returncode == 0, audit.stdout
        store = moved.mimic("store").stdout
        assert f"used by {moved.folder / ROOT} " in store
        # Answers are needed as their results are; the store is the study's alone.
        assert [line for line in store.splitlines() if "  answers " in line]
        lines = [line for line in store.splitlines() if " days  " in line]
        assert [line for line in lines if str(moved.folder / ROOT) not in line] == []
        removed = moved.mimic("store", "--remove-unused", "0", "--yes")
        assert "nothing in" in removed.stdout, removed.stdout
    finally:
        moved.folder.rename(study.folder)


@pytest.mark.slow
def test_results_without_snakemakes_notes_of_them_are_not_taken_for_fresh(
    study: SmallStudy,
) -> None:
    shutil.rmtree(study.folder / ".snakemake")
    EDITS["a figure's code"].apply(study)
    stopped = study.run(fails=True)
    assert "44 results in results/small, such as results/small/essays/essays.csv" in stopped.output
    assert "run `snakemake --forceall` once" in stopped.output
    why = study.mimic("why", "--configfile", CONFIG)
    assert why.returncode == 2
    assert "run `snakemake --forceall` once" in why.stderr
    # An audit needs nothing of Snakemake's.
    assert study.mimic("audit", "--all", "--configfile", CONFIG).returncode == 0
    assert study.run("--forceall").worked == {"report"}
    assert study.run().nothing


def tamper_with_metric(study: SmallStudy) -> str:
    name = f"{ROOT}/metrics/tiny-sft-s1.json"
    text = study.read(name)
    (study.folder / name).unlink()
    study.write(name, text.replace("0.0625", "0.5625", 1))
    assert study.read(name) != text
    return f"{name}: its bytes are not those that "


def swap_adapters(study: SmallStudy) -> str:
    one, other = (
        f"{ROOT}/finetune/{run}/adapter_model.safetensors" for run in ("tiny-sft-s1", "tiny-dpo-s1")
    )
    (study.folder / one).unlink()
    shutil.copy(study.folder / other, study.folder / one)
    return f"{one}: its bytes are not those of its manifest"


def edit_a_record(study: SmallStudy) -> str:
    """Another seed in the record of a training, with its digest, as if it was made again."""
    note = json.loads(study.read(f"{ROOT}/.identities/finetune__tiny-sft-s1__manifest.json.json"))
    name = f"store/{note['identity']}/record.json"
    record = json.loads(study.read(name))
    record["identity"]["seeds"]["run.seed"] = 2
    record["circumstances"]["ended"] = utc(datetime.now(UTC))
    record["sha256"] = {part: part_digest(record[part]) for part in record["sha256"]}
    (study.folder / name).unlink()
    study.write(name, json.dumps(record))
    return f"{note['identity']}/record.json is not the record that it was linked with"


def edit_the_corpus(study: SmallStudy) -> str:
    study.edit("corpus.csv", "Rod out. Flask.", "Rod out, flask.")
    return f"corpus.csv: its bytes are not those that {ROOT}/essays/"


def remove_a_file(study: SmallStudy) -> str:
    name = f"{ROOT}/writing/tiny-sft-s1/hygiene.json"
    (study.folder / name).unlink()
    return f"{name}: can't be read"


TAMPERINGS = (tamper_with_metric, swap_adapters, edit_a_record, edit_the_corpus, remove_a_file)


@pytest.mark.slow
@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_tampering_with_a_real_study_is_named(
    study: SmallStudy, tamper: Callable[[SmallStudy], str]
) -> None:
    words = tamper(study)
    audit = study.mimic("audit", f"{ROOT}/metrics/study.json")
    assert audit.returncode == 1, audit.stderr
    assert audit.stdout.startswith("does not fit: "), audit.stdout
    assert words in audit.stdout


@pytest.mark.slow
def test_records_name_no_private_folder_and_no_secret(study: SmallStudy) -> None:
    records = list((study.folder / "store").glob("*/record.json"))
    assert len(records) == 23
    private = [SECRET, str(Path.home()), str(study.folder), str(study.hub), os.getcwd()]
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert [word for word in private if word in text] == [], path


def apply_and_check(study: SmallStudy, *names: str) -> None:
    """Make edits at once; check what runs, and what `mimic why` says of it before."""
    edits, kept = [EDITS[name] for name in names], study.answers_kept()
    for edit in edits:
        edit.apply(study)
    why = study.mimic("why", "--configfile", CONFIG)
    assert why.returncode == 0, why.stderr
    outcome = study.run()
    check(outcome, *edits)
    assert outcome.nothing == (not any(edit.must for edit in edits))
    named = {line.split(": runs")[0] for line in why.stdout.splitlines() if ": runs" in line}
    assert named <= outcome.worked
    assert bool(named) == any(edit.must for edit in edits)
    if "an item's wording" in names and "the likelihood engine" not in names:
        # One item of 16 profiles in two forms for each run.
        assert study.answers_kept() - kept == 16 * 2 * len(RUNS)


# In a pair with a light edit, which adds a job at most, a heavy one shows as much as alone.
@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(name, marks=pytest.mark.slow) for name in LIGHT),
        *(pytest.param(name, marks=pytest.mark.slowest) for name in HEAVY),
    ],
)
def test_an_edit_runs_what_depends_on_it(study: SmallStudy, name: str) -> None:
    apply_and_check(study, name)


@pytest.mark.slow
def test_edits_that_arrive_with_old_modification_times_are_found(study: SmallStudy) -> None:
    code = "workflow/mimic/report/figures.py"
    study.write(code, study.read(code) + "\nEDITED = True\n", old_time=True)
    study.edit(CONFIG, "permutations: 99", "permutations: 100", old_time=True)
    study.edit("corpus.csv", "Rod out. Flask.", "Rod out, flask.", old_time=True)
    asked = study.mimic("why", "--configfile", CONFIG)
    assert asked.returncode == 0, asked.stderr
    why = asked.stdout
    assert "essays: runs\n  source      corpus.csv: other bytes\n" in why
    assert "  code        mimic.report.figures: was edited\n" in why
    assert "  settings    metrics.permutations: 99 → 100\n" in why
    outcome = study.run()
    assert {"essays", "report"} | {f"metrics {run}" for run in RUNS} <= outcome.worked


def pairs_of_all() -> list[tuple[str, str]]:
    return list(itertools.combinations(EDITS, 2))


def build_clean(study: SmallStudy, folder: Path) -> dict[str, str]:
    """The results of a study built from nothing."""
    clean = study.copy(folder)
    outcome = clean.run()
    assert not outcome.hits
    results = clean.results()
    shutil.rmtree(folder)
    return results


@pytest.mark.slow
def test_edits_made_in_pairs_give_the_bytes_of_a_clean_build_and_set_back_only_hits(
    study: SmallStudy, tmp_path: Path
) -> None:
    before, sources = study.results(), study.sources()
    for pair in zip(LIGHT, HEAVY, strict=True):
        apply_and_check(study, *pair)
        assert study.run().nothing, pair
    assert study.results() == build_clean(study, tmp_path / "clean")

    shutil.rmtree(study.folder / "shadow")
    for path, text in sources.items():
        if study.read(path) != text:
            study.write(path, text)
    assert study.run().worked == frozenset()
    assert study.results() == before


@pytest.mark.slowest
@pytest.mark.parametrize(("one", "other"), pairs_of_all())
def test_any_pair_of_edits_gives_the_bytes_of_a_clean_build(
    study: SmallStudy, tmp_path: Path, one: str, other: str
) -> None:
    apply_and_check(study, one, other)
    assert study.run().nothing
    assert study.results() == build_clean(study, tmp_path / "clean")


@pytest.mark.slow
def test_code_changed_while_a_job_queues_stops_it_on_a_cluster(study: SmallStudy) -> None:
    shutil.rmtree(study.folder / "results")
    shutil.rmtree(study.folder / "store")
    submit = study.folder / "submit.sh"
    submit.write_text(
        "#!/bin/sh\ntouch submitted\n"
        '(while [ ! -e go ]; do sleep 0.2; done; sh "$1") >job.log 2>&1 &\necho 1\n'
    )
    submit.chmod(0o755)
    command = [
        *study.command(f"{ROOT}/essays/essays.csv", "--executor", "cluster-generic"),
        *("--cluster-generic-submit-cmd", "./submit.sh", "--jobs", "1"),
        *("--seconds-between-status-checks", "1"),
    ]

    def submit_and_edit(name: str, text: str) -> str:
        for flag in ("submitted", "go"):
            (study.folder / flag).unlink(missing_ok=True)
        process = subprocess.Popen(
            command,
            cwd=study.folder,
            env=study.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 120
        while not (study.folder / "submitted").exists() and time.monotonic() < end:
            time.sleep(0.2)
        study.write(name, text)
        (study.folder / "go").touch()
        process.wait(timeout=180)
        return (study.folder / "job.log").read_text() + f"\nstatus {process.returncode}"

    code, settings = "workflow/mimic/essays/check.py", study.read(CONFIG)
    stopped = submit_and_edit(code, study.read(code) + "\nEDITED = True\n")
    assert "mimic.essays.check changed since the work was submitted" in stopped
    assert stopped.endswith("status 1")
    assert not (study.folder / ROOT / "essays/essays.csv").exists()
    # Settings that changed while it queued are for the next submission; this job does what was
    # submitted.
    went_on = submit_and_edit(CONFIG, settings.replace("composed: true", "composed: false"))
    assert went_on.endswith("status 0"), went_on
    summary = json.loads(study.read(f"{ROOT}/essays/summary.json"))
    assert summary["kind"] == "composed"
    # Submitted with other code, and set back while it queued to code whose results the store has.
    study.write(CONFIG, settings)
    edited = study.read(code)
    study.write(code, edited.replace("EDITED = True", "EDITED = False"))
    former = submit_and_edit(code, edited)
    assert "mimic.essays.check changed since the work was submitted" in former
    assert former.endswith("status 1")


def processes_in(folder: Path) -> list[psutil.Process]:
    """Processes that work in a folder, or were started with it."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def kill_a_step(study: SmallStudy, said: Path, draw: random.Random) -> None:
    """Kill one step of a running study, whichever works at a random moment."""
    end = time.monotonic() + 120
    # One that ended by itself just then doesn't count.
    while "failed with exit status 137" not in said.read_text():
        assert time.monotonic() < end, said.read_text()[-3000:]
        for process in processes_in(study.folder):
            try:
                if any("job.json" in word for word in process.cmdline()):
                    time.sleep(draw.uniform(0, 0.5))
                    process.kill()
                    psutil.wait_procs([process], timeout=20)
                    break
            except psutil.Error:
                continue
        time.sleep(0.5)


@pytest.mark.slow
def test_killed_at_random_moments_the_next_run_completes_with_the_same_bytes(
    study: SmallStudy, tmp_path: Path
) -> None:
    expected = study.results()
    killed = study.copy(tmp_path / "killed")
    draw = random.Random(int(os.environ.get("PYTEST_RANDOM_SEED", "7")))
    for kills in (["snakemake"], ["step", "snakemake"], ["step"], ["snakemake"]):
        said = tmp_path / "said.txt"
        with said.open("w") as output:
            process = subprocess.Popen(
                killed.command(),
                cwd=killed.folder,
                env=killed.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        time.sleep(draw.uniform(5, 18))
        if "step" in kills:
            kill_a_step(killed, said, draw)
        if "snakemake" in kills:
            assert process.poll() is None, said.read_text()[-3000:]
            process.kill()
            process.wait()
        else:
            # It ends by itself, for a job failed.
            assert process.wait(timeout=300) != 0
        end = time.monotonic() + 20
        while processes_in(killed.folder) and time.monotonic() < end:
            time.sleep(0.5)
        assert processes_in(killed.folder) == []
        subprocess.run(
            [sys.executable, "-m", "snakemake", "--unlock", "--configfile", CONFIG],
            cwd=killed.folder,
            env=killed.environment,
            check=True,
            capture_output=True,
        )
    killed.run()
    assert killed.results() == expected
    assert killed.run().nothing


@pytest.mark.slow
def test_a_second_clone_with_the_same_store_makes_nothing_anew(
    study: SmallStudy, tmp_path: Path
) -> None:
    clone = study.copy(tmp_path / "clone")
    shutil.copytree(study.folder / "store", clone.folder / "store")
    outcome = clone.run()
    assert outcome.worked == frozenset()
    assert clone.results() == study.results()
    audit = clone.mimic("audit", "--all", "--configfile", CONFIG)
    outputs, hits = re.findall(r"all fits: (\d+) outputs of 23 jobs \((\d+) came as", audit.stdout)[
        0
    ]
    assert outputs == hits


@pytest.mark.slow
def test_an_entry_whose_bytes_do_not_fit_is_refused_and_made_again(study: SmallStudy) -> None:
    before = study.results()
    note = json.loads(study.read(f"{ROOT}/.identities/metrics__tiny-base.json.json"))
    entry = study.folder / "store" / note["identity"]
    bad = entry / "tiny-base.json"
    bad.chmod(0o644)
    bad.unlink()
    bad.write_text("{}")
    (study.folder / ROOT / "metrics/tiny-base.json").unlink()
    outcome = study.run(f"{ROOT}/metrics/tiny-base.json")
    assert "metrics tiny-base" in outcome.worked
    assert "tiny-base.json has other bytes than its manifest says" in outcome.output
    (refused,) = (study.folder / "store/refused").iterdir()
    assert (refused / "tiny-base.json").read_text() == "{}"
    assert study.results() == before
