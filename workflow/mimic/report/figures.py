"""Figures of the measured runs: stability, exact match, signal, accuracy."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mimic.report.facts import context_words, contexts
from mimic.report.numbers import number, percent
from mimic.report.svg import HIGH, INK, LOW, MUTED, PAPER, Drawing, colour_of, finish, style
from mimic.traits import LETTERS, TRAITS

WIDTH = 7.4  # inches; 710 CSS pixels
Run = dict[str, Any]


def stability(study: dict[str, Any], context: str) -> Drawing:
    """Spread S of each run, by trait and mean, beside noise-to-signal S/|B|."""
    runs = _with_context(study, context)
    with style():
        canvas, (left, right) = plt.subplots(
            1, 2, figsize=(WIDTH, 0.9 + 0.92 * len(runs)), sharey=True
        )
        ticks, labels, said = [], [], []
        for place, run in enumerate(runs):
            part = run["questionnaire"][context]["stability"]
            rows = _band(place)
            ticks += rows
            labels += [run["run"], *LETTERS]
            said.append(f"{run['run']} {number(part['spread']['value'])}")
            _estimate(left, part["spread"], rows[0], run)
            shrunk = part["shrunk_base"]
            if shrunk is not None and shrunk["spread"] is not None:
                _shrunk(left, shrunk["spread"], rows[0])
            for trait, row in zip(TRAITS, rows[1:], strict=True):
                values = part["traits"][trait]
                if values["spread"] is not None:
                    _dot(left, values["spread"], row, run, filled=True)
                noise = values["noise_to_signal"]
                if noise is None:
                    right.text(
                        0.99,
                        row,
                        "no signal",
                        transform=right.get_yaxis_transform(),
                        ha="right",
                        va="center",
                        fontsize=7.5,
                        color=MUTED,
                    )
                    continue
                _dot(right, noise, row, run, filled=values["signal"] > 0)
                if shrunk is not None and shrunk["noise_to_signal"].get(trait) is not None:
                    _shrunk(right, shrunk["noise_to_signal"][trait], row)
        left.set_yticks(ticks, labels)
        _rank_labels(left)
        left.set_ylim(max(ticks) + 0.6, -0.6)
        left.set_xlim(left=0)
        right.set_xscale("log")
        right.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        right.xaxis.set_minor_formatter(lambda value, _: "")
        left.set_title("Spread S over wordings, formats and orders")
        right.set_title("Noise-to-signal S/|B|")
        left.set_xlabel("points on the scale from 1 to 5")
        right.set_xlabel("logarithmic; less is better")
        return finish(
            canvas,
            name=f"stability-{context}",
            title=f"Stability by run, {context_words(context)}",
            caption="Large dot: mean over the traits with its 95 % interval; small dots: one trait "
            "each. Diamond: the base with its answers shrunk towards the middle as far as the "
            "run’s are, because shrinking alone lowers S. A run is more stable in earnest only "
            "where S/|B| falls too. Hollow dots: the signal B points away from the target.",
            description="Mean spread: " + "; ".join(said) + ".",
        )


def exact_match(study: dict[str, Any]) -> Drawing:
    """Exact match of questionnaires and texts, with intervals and baselines."""
    parts = [*contexts(study), "texts"]
    runs = study["runs"]
    constant = runs[0]["baselines"]["constant_profile"]
    uniform = runs[0]["baselines"]["uniform"]
    with style():
        canvas, axes = plt.subplots(
            len(parts),
            1,
            figsize=(WIDTH, 0.6 + (0.5 + 0.27 * len(runs)) * len(parts)),
            sharex=True,
            squeeze=False,
        )
        said = []
        for axis, part in zip(axes[:, 0], parts, strict=True):
            axis.set_title("texts, read by the judge" if part == "texts" else context_words(part))
            axis.axvline(100 * uniform, color=INK, linewidth=1.0, linestyle=(0, (2, 2)))
            axis.axvline(100 * constant, color=MUTED, linewidth=1.0, linestyle=(0, (5, 2, 1, 2)))
            for row, run in enumerate(runs):
                source = run["texts"] if part == "texts" else run["questionnaire"].get(part)
                match = source["exact_match"] if source else {"value": None}
                _estimate(axis, match, row, run, scale=100)
                said.append(f"{run['run']} ({part}) {percent(match['value'])}")
                prompt = run["baselines"]["prompt_only"]
                prompt = prompt["texts"] if part == "texts" else prompt["questionnaire"].get(part)
                if prompt is not None:
                    axis.plot(100 * prompt, row, "|", color=INK, markersize=13, markeredgewidth=1.3)
            axis.set_yticks(range(len(runs)), [run["run"] for run in runs])
            axis.set_ylim(len(runs) - 0.4, -0.6)
            axis.set_xlim(left=-0.5)
        axes[-1, 0].set_xlabel("exact match, % (all five decisions fit the target)")
        return finish(
            canvas,
            name="exact-match",
            title="Exact match by run",
            caption=f"Dot and line: exact match with its 95 % interval. Dotted line: a profile "
            f"drawn at random, {percent(uniform, 3)}. Dash-dotted line: always one and "
            f"the same of the targets, {percent(constant)}. Upright stroke: the base model with "
            "the prompt alone.",
            description="Exact match: " + "; ".join(said) + ".",
        )


def signal(study: dict[str, Any], context: str) -> Drawing:
    """Signal matrices: how far each trait's score follows each trait of the target."""
    runs = _with_context(study, context)
    across = min(4, len(runs))
    down = -(-len(runs) // across)
    with style():
        canvas, axes = plt.subplots(
            down,
            across,
            figsize=(0.5 + 2.35 * across, 0.6 + 2.1 * down),
            squeeze=False,
            sharex=True,
            sharey=True,
        )
        matrices = [_signal_matrix(run, context) for run in runs]
        largest = max(0.05, *(float(np.abs(matrix).max()) for matrix in matrices))
        for axis, matrix, run in zip(axes.flat, matrices, runs, strict=False):
            _cells(axis, matrix, matrix / largest, digits=2)
            axis.set_title(run["run"])
            axis.set_xticks(range(5), LETTERS)
            axis.set_yticks(range(5), LETTERS)
        for axis in axes.flat[len(runs) :]:
            axis.set_visible(False)
        canvas.supxlabel("target trait", fontsize=9, color=MUTED)
        canvas.supylabel("score", fontsize=9, color=MUTED)
        own = "; ".join(
            f"{run['run']} {number(float(np.diag(matrix).mean()))}"
            for run, matrix in zip(runs, matrices, strict=True)
        )
        return finish(
            canvas,
            name=f"signal-{context}",
            title=f"Signal and crosstalk, {context_words(context)}",
            caption="Row: the trait that is scored; column: the trait of the target; number: half "
            "the difference of the score between high and low targets, in points. A run that "
            "answers as its target has a blue diagonal and nothing beside it; colour beside the "
            "diagonal is crosstalk, orange the wrong direction.",
            description=f"Mean of the diagonal: {own}.",
        )


def accuracy(study: dict[str, Any]) -> Drawing:
    """Accuracy of single traits, questionnaires and texts, run by run."""
    parts = [*contexts(study), "texts"]
    runs = study["runs"]
    columns = [*LETTERS, "mean"]
    with style():
        canvas, axes = plt.subplots(
            1,
            len(parts),
            squeeze=False,
            sharey=True,
            figsize=(WIDTH * max(len(parts), 2) / 3 + 1.0, 0.8 + 0.36 * len(runs)),
        )
        said = []
        for axis, part in zip(axes[0], parts, strict=True):
            rows = []
            for run in runs:
                source = run["texts"] if part == "texts" else run["questionnaire"].get(part)
                estimates = _accuracies(source)
                rows.append([np.nan if value is None else 100 * value for value in estimates])
                said.append(f"{run['run']} ({part}) {percent(estimates[-1])}")
            values = np.array(rows, dtype=float)
            _cells(axis, values, (values - 50) / 50, digits=0)
            axis.set_title("texts" if part == "texts" else context_words(part), fontsize=8.5)
            axis.set_xticks(range(6), columns)
            axis.set_yticks(range(len(runs)), [run["run"] for run in runs])
        return finish(
            canvas,
            name="accuracy",
            title="Accuracy by trait",
            caption="Share of decisions, in %, that fit the target in each trait. 50 is chance "
            "with as many high as low targets; blue is above it, orange below.",
            description="Mean accuracy: " + "; ".join(said) + ".",
        )


def _with_context(study: dict[str, Any], context: str) -> list[Run]:
    return [run for run in study["runs"] if context in run["questionnaire"]]


def _band(place: int) -> list[float]:
    """Rows of one run: the mean, then the five traits."""
    top = 8.2 * place
    return [top, *(top + 1.5 + step for step in range(5))]


def _rank_labels(axis: Axes) -> None:
    """Runs in ink, trait letters small and quiet."""
    for place, label in enumerate(axis.get_yticklabels()):
        if place % 6:
            label.set(fontsize=7.0, color=MUTED)


def _estimate(
    axis: Axes, estimate: dict[str, Any], row: float, run: Run, *, scale: float = 1.0
) -> None:
    """A large dot with its interval, or a dash where there is no value."""
    colour = colour_of(run["method"])
    if estimate["value"] is None:
        axis.text(
            0.99,
            row,
            "no value",
            transform=axis.get_yaxis_transform(),
            ha="right",
            va="center",
            fontsize=7.5,
            color=MUTED,
        )
        return
    if estimate.get("low") is not None and estimate.get("high") is not None:
        axis.plot(
            [scale * estimate["low"], scale * estimate["high"]],
            [row, row],
            color=colour,
            linewidth=2.0,
            solid_capstyle="round",
        )
    axis.plot(scale * estimate["value"], row, "o", color=colour, markersize=7)


def _dot(axis: Axes, value: float, row: float, run: Run, *, filled: bool) -> None:
    colour = colour_of(run["method"])
    axis.plot(
        value,
        row,
        "o",
        markersize=3.8,
        markeredgecolor=colour,
        markerfacecolor=colour if filled else PAPER,
    )


def _shrunk(axis: Axes, value: float, row: float) -> None:
    axis.plot(
        value,
        row,
        "D",
        markersize=5,
        markeredgecolor=INK,
        markerfacecolor="none",
        markeredgewidth=1.0,
    )


def _signal_matrix(run: Run, context: str) -> np.ndarray:
    """B, shape (5 scored traits, 5 target traits), in points."""
    traits = run["questionnaire"][context]["stability"]["traits"]
    return np.array(
        [
            [
                traits[scored]["signal"]
                if scored == target
                else traits[scored]["crosstalk"][target]
                for target in TRAITS
            ]
            for scored in TRAITS
        ]
    )


def _accuracies(source: dict[str, Any] | None) -> list[float | None]:
    """Accuracy of the five traits and their mean."""
    if source is None:
        return [None] * 6
    estimates = [source["accuracy"][trait] for trait in TRAITS] + [source["mean_accuracy"]]
    return [estimate["value"] for estimate in estimates]


def _cells(axis: Axes, values: np.ndarray, strength: np.ndarray, *, digits: int) -> None:
    """Numbers on tiles; a tile's opacity is its strength, so that zero shows the page itself."""
    for (row, column), value in np.ndenumerate(values):
        missing = bool(np.isnan(value))
        amount = 0.0 if missing else float(np.clip(strength[row, column], -1, 1))
        tile = Rectangle(
            (column - 0.48, row - 0.48),
            0.96,
            0.96,
            linewidth=0,
            facecolor=HIGH if amount >= 0 else LOW,
            alpha=0.55 * abs(amount),
        )
        axis.add_patch(tile)
        label = number(None if missing else float(value), digits)
        axis.text(column, row, label, ha="center", va="center", fontsize=7.5)
    axis.set_xlim(-0.5, values.shape[1] - 0.5)
    axis.set_ylim(values.shape[0] - 0.5, -0.5)
    axis.grid(visible=False)
    axis.spines["bottom"].set_visible(False)
