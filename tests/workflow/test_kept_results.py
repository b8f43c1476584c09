"""Results that are touched, moved, shared or tampered with, in a copy of the project."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from offline_validator import fill_cache, issues_of
from small_study import CONFIG, ROOT, SECRET, SmallStudy

from mimic.provenance.records import part_digest, utc


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
    code = "workflow/mimic/report/figures.py"
    study.write(code, study.read(code) + "\nEDITED = True\n")
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
    # The folder of the models of the hub lies in that in which the study was made.
    private = [SECRET, str(Path.home()), str(study.hub.parent), os.getcwd()]
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert [word for word in private if word in text] == [], path


@pytest.mark.slow
def test_the_crate_of_a_real_study_is_a_provenance_run_crate(
    study: SmallStudy, tmp_path: Path
) -> None:
    written = study.mimic("crate", "study.zip", "--configfile", CONFIG)
    assert written.returncode == 0, written.stdout + written.stderr
    assert ", 23 jobs, " in written.stdout
    cache = tmp_path / "validator"
    fill_cache(cache)
    assert issues_of(study.folder / "study.zip", cache) == []


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
