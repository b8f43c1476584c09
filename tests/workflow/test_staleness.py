"""Only what is stale runs again: real edits of real files, in a copy of the project."""

from __future__ import annotations

import csv
import io
import itertools
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from small_study import CONFIG, ROOT, Outcome, SmallStudy, set_back

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
        # One item of 16 profiles in two forms for each run; all ten of one that is trained anew.
        anew = len({"DPO's code", "one run's learning rate"}.intersection(names))
        assert study.answers_kept() - kept == 16 * 2 * (len(RUNS) - anew + 10 * anew)


# A heavy one is seen beside a comment, which adds no job, among the pairs.
@pytest.mark.slow
@pytest.mark.parametrize("name", LIGHT)
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


# Edits after which a clean build has the bytes that it had before. Rows in another order are none:
# the essays stage notes the order of the file.
SAME_BYTES = (
    "comment and docstring",
    "a figure's code",
    "the likelihood engine",
    "a package that only plotting needs",
)


def pairs_by_clean_build() -> dict[tuple[str, ...], list[tuple[str, str]]]:
    """All pairs of edits, by those of their edits that a clean build can tell."""
    pairs: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for pair in itertools.combinations(EDITS, 2):
        pairs.setdefault(tuple(name for name in pair if name not in SAME_BYTES), []).append(pair)
    return pairs


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
@pytest.mark.parametrize("telling", pairs_by_clean_build(), ids=" and ".join)
def test_any_pair_of_edits_gives_the_bytes_of_a_clean_build(
    built: tuple[SmallStudy, Path], tmp_path: Path, telling: tuple[str, ...]
) -> None:
    study = set_back(*built)
    for name in telling:
        EDITS[name].apply(study)
    clean = build_clean(study, tmp_path / "clean")
    for pair in pairs_by_clean_build()[telling]:
        study = set_back(*built)
        apply_and_check(study, *pair)
        assert study.run().nothing, pair
        assert study.results() == clean, pair
