"""Figures of what answers are made of: variance components, correlations of traits."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Patch

from mimic.report import marks
from mimic.report.facts import context_words, with_context
from mimic.report.marks import WIDTH
from mimic.report.numbers import number, percent
from mimic.report.svg import MUTED, SOURCES, Drawing, finish, style
from mimic.traits import LETTERS, TRAITS

_TARGETS = {"own target", "other targets", "target interactions"}
_FORMS = {"wording", "format", "order", "item rewording"}


def group_of(source: str) -> str:
    """The group of a source of variance, one of `SOURCES`.

    Examples
    --------
    >>> group_of("own target × item")
    'targets × items or forms'
    """
    factors = set(source.split(" × "))
    if factors == {"own target"} or factors == {"residual"}:
        return source
    if factors <= _TARGETS:
        return "other targets"
    if factors & _TARGETS:
        return "targets × items or forms"
    if factors == {"item"}:
        return "items"
    return "forms" if factors <= _FORMS else "items × forms"


def shares(components: dict[str, Any]) -> dict[str, float] | None:
    """Share of the variance by group; None where there are no components."""
    if not components["rows"]:
        return None
    found = dict.fromkeys(SOURCES, 0.0)
    for row in components["rows"]:
        found[group_of(row["source"])] += row["share"]
    return found


def components(study: dict[str, Any], context: str) -> Drawing:
    """Stacked shares of the variance of single answers, mean over traits and each trait."""
    runs = with_context(study, context)
    with style():
        canvas, axis = plt.subplots(figsize=(WIDTH, 1.1 + 0.92 * len(runs)))
        ticks, labels, said = [], [], []
        for place, run in enumerate(runs):
            by_trait = [shares(run["questionnaire"][context]["components"][t]) for t in TRAITS]
            known = [one for one in by_trait if one is not None]
            mean = _mean(known)
            rows = marks.band(place)
            ticks += rows
            labels += [run["run"], *LETTERS]
            bars = [mean, *by_trait]
            for row, bar, height in zip(rows, bars, (1.3, *[0.75] * 5), strict=True):
                if bar is None:
                    marks.nothing(axis, row, "no components")
                    continue
                left = 0.0
                for name, colour in SOURCES.items():
                    axis.barh(row, 100 * bar[name], height, left=left, color=colour, linewidth=0)
                    left += 100 * bar[name]
            own = "unknown" if mean is None else percent(mean["own target"])
            said.append(f"{run['run']} {own}")
        axis.set_yticks(ticks, labels)
        marks.rank_labels(axis)
        axis.set_ylim(max(ticks) + 0.6, -1.0)
        axis.set_xlim(0, 100)
        axis.set_xlabel("share of the variance of single answers, %")
        canvas.legend(
            handles=[Patch(color=colour, label=name) for name, colour in SOURCES.items()],
            loc="outside upper left",
            ncols=4,
            frameon=False,
            fontsize=8,
        )
        return finish(
            canvas,
            name=f"components-{context}",
            title=f"What answers are made of, {context_words(study, context)}",
            caption="Thick bar: mean over the traits; thin bars: one trait each. A stable run that "
            "follows its target is blue at the left and little else: “forms” is what wording, "
            "format, order and rewording move alike for all targets, and the residual holds all "
            "interactions of three or more. Estimates below 0 are set to 0; the table marks them.",
            description="Share of the own target, mean over traits: " + "; ".join(said) + ".",
        )


def coherence(study: dict[str, Any], context: str) -> Drawing:
    """Correlations of the traits: of the scores above the diagonal, of residuals below."""
    runs = with_context(study, context)
    with style():
        canvas, axes = marks.panels(len(runs))
        said = []
        for axis, run in zip(axes, runs, strict=True):
            values = _both_halves(run["questionnaire"][context]["coherence"])
            marks.cells(axis, values, np.nan_to_num(values), digits=2)
            axis.set_title(run["run"])
            axis.set_xticks(range(5), LETTERS)
            axis.set_yticks(range(5), LETTERS)
            below = values[np.tril_indices(5, k=-1)]
            known = np.abs(below[~np.isnan(below)])
            largest = number(float(known.max())) if known.size else "unknown"
            said.append(f"{run['run']} {largest}")
        canvas.supxlabel("above the diagonal: scores; below: residuals", fontsize=9, color=MUTED)
        return finish(
            canvas,
            name=f"coherence-{context}",
            title=f"Correlations of the traits, {context_words(study, context)}",
            caption="Above the diagonal: of the scores, over targets. As targets are balanced, a "
            "run that does no more than follow its target has zeros there. Below it: of what "
            "targets leave over, over targets and forms. Colour there means that the traits move "
            "together whatever the target, as in agreeing with all that sounds good. A dash "
            "beside the diagonal: a trait does not vary.",
            description="Largest correlation of residuals, without its sign: "
            + "; ".join(said)
            + ".",
        )


def _mean(known: list[dict[str, float]]) -> dict[str, float] | None:
    """Mean shares of the traits that have components."""
    if not known:
        return None
    return {name: float(np.mean([one[name] for one in known])) for name in SOURCES}


def _both_halves(figures: dict[str, Any]) -> np.ndarray:
    """Scores above, residuals below, an empty diagonal; shape (5, 5)."""
    # None becomes NaN.
    raw = np.array(figures["correlations"], dtype=float)
    residual = np.array(figures["residual_correlations"], dtype=float)
    values = np.triu(raw, k=1) + np.tril(residual, k=-1)
    np.fill_diagonal(values, np.nan)
    return values
