"""Step: one HTML page that stands alone, and its figures as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from mimic.files import read_json
from mimic.report.figures_texts import read_log
from mimic.report.page import draw, render
from mimic.report.settings import ReportSettings
from mimic.step import Job, run_step


def main(job: Job) -> None:
    """Write ``index.html`` and ``figures/*.svg``.

    Inputs: ``study`` (study.json) and ``logs`` (training_log.csv of each tuned run, in a folder
    that is named as the run; may be empty).

    Raises
    ------
    ValueError
        If a log belongs to no run of the study, or lacks a column.
    """
    settings = job.parse(ReportSettings, "report")
    study = read_json(job.input("study"))
    drawings = draw(study, _read_logs(job.inputs["logs"], study))
    folder = job.out / "figures"
    folder.mkdir(exist_ok=True)
    for drawing in drawings.values():
        text = '<?xml version="1.0" encoding="utf-8"?>\n' + drawing.svg
        (folder / f"{drawing.name}.svg").write_text(text, encoding="utf-8", newline="\n")
    page = render(
        study,
        drawings,
        template=job.input("template"),
        settings=settings,
        described=job.settings["study"],
    )
    (job.out / "index.html").write_text(page, encoding="utf-8", newline="\n")


def _read_logs(paths: list[Path], study: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Logs by run, in the order of the study; runs without any loss are left out."""
    by_run = {path.parent.name: path for path in paths}
    names = [run["run"] for run in study["runs"]]
    for name, path in by_run.items():
        if name not in names:
            raise ValueError(
                f"{path}: no run of the study is called {name!r}; a log lies in a folder named as "
                f"its run, one of {', '.join(names)}"
            )
    logs = {}
    for name in names:
        if name not in by_run:
            continue
        table = pd.read_csv(by_run[name])
        missing = [column for column in ("step", "loss") if column not in table]
        if missing:
            raise ValueError(
                f"{by_run[name]}: no column {' or '.join(missing)}; it needs step and loss"
            )
        log = read_log(table)
        if len(log):
            logs[name] = log
    return logs


if __name__ == "__main__":
    run_step(main)
