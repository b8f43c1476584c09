"""Step: the figures of all runs in one file, with checks of what they rest on."""

from __future__ import annotations

from typing import Any

import numpy as np

from mimic.files import read_json, write_digests, write_json
from mimic.metrics.confounds import confound_figures
from mimic.metrics.numbers import rounded
from mimic.metrics.settings import MetricsSettings
from mimic.metrics.sweeps import grids
from mimic.progress import say
from mimic.stats.multiple import FIGURES, METHODS, Comparison, adjust
from mimic.stats.sensitivity import LEAST_MASS
from mimic.step import Job, run_step


def main(job: Job) -> None:
    """Write ``study.json`` and its digest."""
    every = [read_json(path) for path in job.inputs["runs"]]
    # Null adapters are what others are compared with, and no result.
    runs = [run for run in every if run["null"] is None]
    series = [read_json(path) for path in job.inputs["series"]]
    judge = read_json(job.folder("judge") / "figure.json")
    others = {path.parent.name: read_json(path) for path in job.inputs["other_judges"]}
    study = {
        "corpus": read_json(job.input("summary")),
        "gates": read_json(job.input("gates")),
        "judge": judge,
        "other_judges": others,
        "runs": runs,
        "series": series,
        "family": rounded(family(runs, series)),
        "confounds": rounded(
            confound_figures(
                runs,
                job.settings["models"],
                job.parse(MetricsSettings, "metrics").resampling(),
            )
        ),
        "sweeps": grids(job.settings["swept"], [read_json(path) for path in job.inputs["swept"]]),
        "checks": [
            *(check for run in every for check in learning_checks(run)),
            *(check for run in every for check in mass_checks(run)),
            judge_check(judge),
            *(judge_check(other, name=f"judge {name}") for name, other in others.items()),
        ],
    }
    for check in study["checks"]:
        if check["passed"] is False:
            say(f"check failed: {check['run']}, {check['check']}: {check['detail']}")
    write_json(job.out / "study.json", study)
    write_digests(job.out / "study.sha256", [job.out / "study.json"])


def family(runs: list[dict[str, Any]], series: list[dict[str, Any]]) -> dict[str, Any]:
    """The one family of tests: each series against its null adapters in each of three figures.

    Parameters
    ----------
    runs
        The runs that are no null adapters.
    series
        What `mimic.metrics.series` wrote.

    Returns
    -------
    dict
        ``size``: the number of tests; ``tests``: series and figure of each with ``p_value`` and
        ``adjusted``, by Benjamini and Hochberg, None where no null adapter was trained.
    """
    trained = dict.fromkeys(run["series"] for run in runs if run["method"] in METHODS)
    compared = {one["series"]: one["against_null"] for one in series if one["against_null"]}
    tests = [
        Comparison(name, figure, compared[name]["figures"][figure]["p_value"])
        if name in compared
        else Comparison(name, figure, None)
        for name in trained
        for figure in FIGURES
    ]
    found = adjust(tests)
    return {
        "size": found.size,
        "tests": [
            {"series": test.run, "figure": test.figure, "p_value": test.p, "adjusted": after.p}
            for test, after in zip(tests, found.tests, strict=True)
        ],
    }


def learning_checks(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Whether a run learned what its method promises: its required learning checks."""
    if run["learning"] is None:
        return []
    return [
        _check(
            run["run"],
            f"learning: {found['check']}",
            passed=found["passed"],
            detail=f"{_number(found['before'])} before training, {_number(found['after'])} after",
        )
        for found in run["learning"]["checks"]
        if found["required"]
    ]


def mass_checks(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Whether a run's answers lie on the options, in each context."""
    checks = []
    for context, figures in run["questionnaire"].items():
        mean, below = figures["mass"]["mean"], figures["mass"]["share_below_half"]
        detail = (
            f"mean probability of the options {mean:.3f}, at least {LEAST_MASS} needed; "
            f"below {LEAST_MASS} in {below:.1%} of answers"
        )
        checks.append(
            _check(
                run["run"],
                "option mass",
                passed=mean >= LEAST_MASS,
                detail=detail,
                context=context,
            )
        )
    return checks


def judge_check(judge: dict[str, Any], *, name: str = "judge") -> dict[str, Any]:
    """Whether the judge reads held-out essays better than by always saying E's majority label."""
    mean = judge["reference"]["mean_accuracy"]
    majority = float(np.mean(list(judge["reference_majority_accuracy"].values())))
    bounds = f"{_number(mean['low'])} to {_number(mean['high'])}"
    return _check(
        name,
        "judge reads above chance",
        passed=None if mean["low"] is None else mean["low"] > majority,
        detail=(
            f"{judge['reference_name']}: mean accuracy {_number(mean['value'])} ({bounds}), "
            f"majority {majority:.3f}"
        ),
    )


def _check(
    run: str, check: str, *, passed: bool | None, detail: str, context: str | None = None
) -> dict[str, Any]:
    return {"run": run, "check": check, "context": context, "passed": passed, "detail": detail}


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    run_step(main)
