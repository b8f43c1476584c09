"""Figures of the measured runs: stability, exact match, signal, accuracy."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from mimic.report import marks
from mimic.report.facts import (
    ESSAYS,
    by_share,
    context_name,
    context_words,
    contexts,
    essay_words,
    share_in,
    with_context,
)
from mimic.report.marks import WIDTH, Run
from mimic.report.numbers import number, percent
from mimic.report.svg import INK, MUTED, Drawing, finish, style
from mimic.traits import LETTERS, TRAITS


def stability(study: dict[str, Any], context: str) -> Drawing:
    """Spread S of each run, by trait and mean, beside noise-to-signal S/|B|."""
    runs = with_context(study, context)
    with style():
        canvas, (left, right) = plt.subplots(
            1, 2, figsize=(WIDTH, 0.9 + 0.92 * len(runs)), sharey=True
        )
        ticks, labels, said = [], [], []
        for place, run in enumerate(runs):
            part = run["questionnaire"][context]["stability"]
            rows = marks.band(place)
            ticks += rows
            labels += [run["run"], *LETTERS]
            said.append(f"{run['run']} {number(part['spread']['value'])}")
            marks.estimate(left, part["spread"], rows[0], run)
            shrunk = part["shrunk_base"]
            if shrunk is not None and shrunk["spread"] is not None:
                marks.diamond(left, shrunk["spread"], rows[0])
            for trait, row in zip(TRAITS, rows[1:], strict=True):
                values = part["traits"][trait]
                if values["spread"]["value"] is not None:
                    marks.dot(left, values["spread"]["value"], row, run, filled=True)
                noise = values["noise_to_signal"]
                if noise is None:
                    marks.nothing(right, row, "no signal")
                    continue
                marks.dot(right, noise, row, run, filled=values["signal"] > 0)
                if shrunk is not None and shrunk["traits"][trait]["noise_to_signal"] is not None:
                    marks.diamond(right, shrunk["traits"][trait]["noise_to_signal"], row)
        left.set_yticks(ticks, labels)
        marks.rank_labels(left)
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
            title=f"Stability by run, {context_words(study, context)}",
            caption="Large dot: mean over the traits with its 95 % interval; small dots: one trait "
            "each. Diamond: the base with its answers shrunk towards the middle as far as the "
            "run’s are, because shrinking alone lowers S; the base as it is where the run’s "
            "are further out. A run is more stable in earnest only "
            "where S/|B| falls too. Hollow dots: the signal B points away from the target.",
            description="Mean spread: " + "; ".join(said) + ".",
        )


def exact_match(study: dict[str, Any]) -> Drawing:
    """Exact match of questionnaires and texts, with intervals and baselines."""
    parts = [*contexts(study), "texts"]
    runs = study["runs"]
    constant = runs[0]["baselines"]["constant_profile"]
    always = "; ".join(
        f"{percent(share)} ({', '.join(wheres)})" for share, wheres in by_share(study, constant)
    )
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
            axis.set_title(
                "texts, read by the judge" if part == "texts" else context_words(study, part)
            )
            axis.axvline(100 * uniform, color=INK, linewidth=1.0, linestyle=(0, (2, 2)))
            axis.axvline(
                100 * share_in(constant, part),
                color=MUTED,
                linewidth=1.0,
                linestyle=(0, (5, 2, 1, 2)),
            )
            for row, run in enumerate(runs):
                source = run["texts"] if part == "texts" else run["questionnaire"].get(part)
                match = source["exact_match"] if source else {"value": None}
                marks.estimate(axis, match, row, run, scale=100)
                said.append(f"{run['run']} ({context_name(study, part)}) {percent(match['value'])}")
                prompt = run["baselines"]["prompt_only"]
                prompt = prompt["texts"] if part == "texts" else prompt["questionnaire"].get(part)
                if prompt is not None:
                    axis.plot(100 * prompt, row, "|", color=INK, markersize=13, markeredgewidth=1.3)
            axis.set_yticks(range(len(runs)), [run["run"] for run in runs])
            axis.set_ylim(len(runs) - 0.4, -0.6)
        # Once all is drawn: a limit set sooner would cut the intervals of the panels below.
        axes[-1, 0].set_xlim(left=-0.5)
        axes[-1, 0].set_xlabel("exact match, % (all five decisions fit)")
        return finish(
            canvas,
            name="exact-match",
            title="Exact match by run",
            caption=f"Dot and line: exact match with its 95 % interval. Dotted line: a profile "
            f"drawn at random, {percent(uniform, 3)}. Dash-dotted line: always one and "
            f"the same profile, the commonest of those scored, {always}. Upright stroke: the base "
            f"model with the prompt alone.{_about_essays(study)}",
            description="Exact match: " + "; ".join(said) + ".",
        )


def signal(study: dict[str, Any], context: str) -> Drawing:
    """Signal matrices: how far each trait's score follows each trait of the target."""
    runs = with_context(study, context)
    with style():
        canvas, axes = marks.panels(len(runs))
        matrices = [_signal_matrix(run, context) for run in runs]
        largest = max(0.05, *(float(np.abs(matrix).max()) for matrix in matrices))
        for axis, matrix, run in zip(axes, matrices, runs, strict=True):
            marks.cells(axis, matrix, matrix / largest, digits=2)
            axis.set_title(run["run"])
            axis.set_xticks(range(5), LETTERS)
            axis.set_yticks(range(5), LETTERS)
        canvas.supxlabel("target trait", fontsize=9, color=MUTED)
        canvas.supylabel("score", fontsize=9, color=MUTED)
        own = "; ".join(
            f"{run['run']} {number(float(np.diag(matrix).mean()))}"
            for run, matrix in zip(runs, matrices, strict=True)
        )
        return finish(
            canvas,
            name=f"signal-{context}",
            title=f"Signal and crosstalk, {context_words(study, context)}",
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
                said.append(f"{run['run']} ({context_name(study, part)}) {percent(estimates[-1])}")
            values = np.array(rows, dtype=float)
            marks.cells(axis, values, (values - 50) / 50, digits=0)
            axis.set_title("texts" if part == "texts" else context_words(study, part), fontsize=8.5)
            axis.set_xticks(range(6), columns)
            axis.set_yticks(range(len(runs)), [run["run"] for run in runs])
        return finish(
            canvas,
            name="accuracy",
            title="Accuracy by trait",
            caption="Share of decisions, in %, that fit the target in each trait. 50 is chance "
            "with as many high as low targets; blue is above it, orange below."
            + _about_essays(study),
            description="Mean accuracy: " + "; ".join(said) + ".",
        )


def _about_essays(study: dict[str, Any]) -> str:
    """What a figure of targets must add where it holds the context of essays."""
    if ESSAYS not in contexts(study):
        return ""
    words = essay_words(study)
    return f" About {words.essays} no target was given: there answers must fit {words.labels}."


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
