"""Figures of the judge, of the trainings and of what was written."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mimic.report import marks
from mimic.report.marks import WIDTH
from mimic.report.numbers import number, percent
from mimic.report.svg import HIGH, INK, LINE, LOW, MUTED, Drawing, colour_of, finish, style
from mimic.traits import TRAITS

# Title, key of hygiene.json, whether it is a count of texts.
_HYGIENE = (
    ("with trait words, %", "with_trait_words", True),
    ("copied, %", "copied", True),
    ("empty, %", "empty", True),
    ("distinct, %", "distinct", True),
    ("repeated 4-grams, %", "mean_repetition", False),
    ("mean length, tokens", "mean_tokens", False),
)
# What points of validation losses look like, whatever the method.
_VALIDATION: dict[str, Any] = {"color": INK, "markersize": 3.5}


def judge(study: dict[str, Any]) -> Drawing:
    """The reading judge on essays, by trait, beside the same judge on each run's texts."""
    figure, runs = study["judge"], study["runs"]
    reference = figure["reference_name"]
    with style():
        canvas, (left, right) = plt.subplots(
            1, 2, figsize=(WIDTH, 1.3 + 0.3 * max(6, 3 + len(runs))), width_ratios=(1, 1.15)
        )
        pairs = (
            ("cross_validation", HIGH, "o", -0.16, "cross-validation in E"),
            ("reference", LOW, "s", 0.16, f"{reference} (T)"),
        )
        for key, colour, marker, shift, label in pairs:
            estimates = [figure[key]["accuracy"][trait] for trait in TRAITS]
            for row, estimate in enumerate(estimates):
                _mark(left, estimate, row + shift, colour, marker)
            left.plot([], [], marker, color=colour, label=label)
        majority = [100 * figure["majority_accuracy"][trait] for trait in TRAITS]
        left.plot(
            majority,
            range(5),
            "|",
            color=INK,
            markersize=14,
            markeredgewidth=1.2,
            label="majority label in E",
        )
        left.set_yticks(range(5), TRAITS)
        left.set_ylim(4.6, -0.6)
        left.set_title("On essays, by trait")
        canvas.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=8)
        rows = [
            ("E, cross-validation", figure["cross_validation"]["mean_accuracy"], HIGH, "o"),
            (f"T, {reference}", figure["reference"]["mean_accuracy"], LOW, "s"),
            ("number of deletions only", figure["deletion_control"]["mean_accuracy"], MUTED, "o"),
            *(
                (run["run"], run["texts"]["mean_accuracy"], colour_of(run["method"]), "o")
                for run in runs
            ),
        ]
        for row, (_, estimate, colour, marker) in enumerate(rows):
            _mark(right, estimate, row, colour, marker)
        right.axhline(2.5, color=LINE, linewidth=1.0)
        right.set_yticks(range(len(rows)), [row[0] for row in rows])
        right.set_ylim(len(rows) - 0.4, -0.6)
        right.set_title("Mean over traits: essays, then texts")
        for axis in (left, right):
            axis.axvline(50, color=INK, linewidth=1.0, linestyle=(0, (2, 2)))
            axis.set_xlabel("accuracy, %")
        said = "; ".join(f"{label} {percent(estimate['value'])}" for label, estimate, _, _ in rows)
        return finish(
            canvas,
            name="judge",
            title="The judge on essays and on texts",
            caption="Left: how often the judge reads an essay’s trait right, by cross-validation "
            f"in its own part E and on the held-out part T ({reference}). Right: the mean over the "
            "traits, and the same judge on each run’s texts, where right means as the target. "
            "Lines are 95 % intervals, the dotted line is 50 %. Where the judge is near chance on "
            "essays it can show little on texts.",
            description=f"Mean accuracy: {said}.",
        )


def learning(logs: dict[str, pd.DataFrame], study: dict[str, Any]) -> Drawing:
    """Loss of each run, one panel for each: while training, and on validation essays.

    Parameters
    ----------
    logs
        By run: columns step and loss, at least one row; validation_loss where a row has it.
    """
    runs = {run["run"]: run for run in study["runs"]}
    several = [name for name in logs if "adapters" in (runs[name]["learning"] or {})]
    of_several = f"Means over the adapters of {', '.join(several)}. " if several else ""
    across = min(3, len(logs))
    down = -(-len(logs) // across)
    with style():
        canvas, axes = plt.subplots(
            down, across, figsize=(2.4 * across + 0.3, 0.7 + 1.75 * down), squeeze=False
        )
        said = []
        for axis, (name, log) in zip(axes.flat, logs.items(), strict=False):
            window = max(1, len(log) // 10)
            smooth = log["loss"].rolling(window, min_periods=1).mean()
            colour = colour_of(runs[name]["method"])
            axis.plot(log["step"], log["loss"], color=colour, linewidth=0.8, alpha=0.4)
            axis.plot(log["step"], smooth, color=colour, linewidth=1.8)
            points = _validation_losses(log, runs[name])
            axis.plot(*zip(*points, strict=True) if points else ((), ()), "o", **_VALIDATION)
            axis.set_title(name)
            axis.grid(visible=True, axis="y")
            axis.grid(visible=False, axis="x")
            axis.set_xlabel("step")
            axis.tick_params(labelsize=8)
            said.append(f"{name} {_first_and_last(list(log['loss']))}")
            if points:
                said[-1] += f", validation {_first_and_last([loss for _, loss in points])}"
        for axis in axes.flat[len(logs) :]:
            axis.set_visible(False)
        axes[0, 0].set_ylabel("loss")
        canvas.legend(
            handles=[
                Line2D([], [], color=MUTED, linewidth=1.8, label="training"),
                Line2D([], [], linestyle="", marker="o", label="validation essays", **_VALIDATION),
            ],
            loc="outside lower left",
            ncols=2,
            frameon=False,
            fontsize=8,
        )
        return finish(
            canvas,
            name="learning",
            title="Loss while training and on validation essays",
            caption=of_several
            + "Thin: the logged loss; thick: its running mean over a tenth of the log. "
            "Points: the loss on validation essays (of DPO and ORPO: pairs) before training, "
            "after it, and within it where the study evaluates there. Losses of different "
            "methods are different quantities, so each panel has its own scale. Whether a run "
            "learned is decided by the checks above, not by this curve.",
            description="First and last loss: " + "; ".join(said) + ".",
        )


def _validation_losses(log: pd.DataFrame, run: dict[str, Any]) -> list[tuple[int, float]]:
    """Steps and validation losses: those in the log, and those before and after training."""
    found: dict[int, float] = {}
    for check in (run["learning"] or {"checks": []})["checks"]:
        if check["check"] == "validation loss":
            found = {0: check["before"], int(log["step"].iloc[-1]): check["after"]}
    if "validation_loss" in log:
        rows = log[["step", "validation_loss"]].dropna().itertuples(index=False)
        found |= {int(step): float(loss) for step, loss in rows}
    return sorted(found.items())


def _first_and_last(losses: list[float]) -> str:
    return f"{number(float(losses[0]), 3)} to {number(float(losses[-1]), 3)}"


def hygiene(study: dict[str, Any]) -> Drawing:
    """What the writing looks like: six numbers of each run's hygiene file."""
    # A model that is no longer served wrote nothing.
    runs = [run for run in study["runs"] if run["hygiene"]["texts"]]
    with style():
        canvas, axes = plt.subplots(2, 3, figsize=(WIDTH, 1.0 + 0.5 * len(runs)), sharey=True)
        for axis, (title, key, per_text) in zip(axes.flat, _HYGIENE, strict=True):
            values = [
                100 * run["hygiene"][key] / (run["hygiene"]["texts"] if per_text else 1)
                for run in runs
            ]
            if key == "mean_tokens":
                values = [value / 100 for value in values]
            else:
                axis.set_xlim(0, 125)
            axis.barh(
                range(len(runs)),
                values,
                height=0.55,
                alpha=0.85,
                color=[colour_of(run["method"]) for run in runs],
            )
            for row, value in enumerate(values):
                axis.text(value, row, f"\N{NO-BREAK SPACE}{value:.0f}", va="center", fontsize=7.5)
            axis.margins(x=0.25)
            axis.grid(visible=False)
            axis.tick_params(labelbottom=False)
            axis.spines["bottom"].set_visible(False)
            axis.set_title(title)
            axis.set_yticks(range(len(runs)), [run["run"] for run in runs])
            axis.set_ylim(len(runs) - 0.4, -0.6)
        return finish(
            canvas,
            name="hygiene",
            title="Writing hygiene by run",
            caption="Trait words would give the target away to the judge. Copying "
            "shows memory, not induction; repetition and few different texts show a model that "
            "broke. The five shares run from 0 to 100\N{NO-BREAK SPACE}%.",
            description="Bars for each run: "
            + ", ".join(row[0] for row in _HYGIENE)
            + ". The numbers are in the table.",
        )


def _mark(axis: Axes, estimate: dict[str, Any], row: float, colour: str, marker: str) -> None:
    if estimate["value"] is None:
        marks.nothing(axis, row, "no value")
        return
    if estimate.get("low") is not None and estimate.get("high") is not None:
        axis.plot(
            [100 * estimate["low"], 100 * estimate["high"]],
            [row, row],
            color=colour,
            linewidth=1.6,
            solid_capstyle="round",
        )
    axis.plot(100 * estimate["value"], row, marker, color=colour, markersize=5.5)


def read_log(values: pd.DataFrame) -> pd.DataFrame:
    """The rows of a training log that hold a finite loss, with what the figure draws of them.

    Of several adapters the mean of each step.
    """
    if "profile" in values:
        values = values.groupby("step", as_index=False).mean(numeric_only=True)
    finite = np.isfinite(values["loss"].to_numpy(dtype=float))
    columns = [name for name in ("step", "loss", "validation_loss") if name in values]
    return pd.DataFrame({column: values[column].to_numpy()[finite] for column in columns})
