"""What the figures are drawn with: dots, intervals, rows of a run, tiles with numbers."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mimic.report.numbers import number
from mimic.report.svg import HIGH, INK, LOW, MUTED, PAPER, colour_of

WIDTH = 7.4  # inches; 710 CSS pixels
Run = dict[str, Any]


def panels(count: int) -> tuple[Figure, list[Axes]]:
    """A canvas with so many small square panels, four in a row, and the panels."""
    across = min(4, count)
    down = -(-count // across)
    canvas, axes = plt.subplots(
        down,
        across,
        figsize=(0.5 + 2.35 * across, 0.6 + 2.1 * down),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    for axis in axes.flat[count:]:
        axis.set_visible(False)
    return canvas, list(axes.flat[:count])


def band(place: int) -> list[float]:
    """Rows of one run: the mean, then the five traits."""
    top = 8.2 * place
    return [top, *(top + 1.5 + step for step in range(5))]


def rank_labels(axis: Axes) -> None:
    """Runs in ink, trait letters small and quiet."""
    for place, label in enumerate(axis.get_yticklabels()):
        if place % 6:
            label.set(fontsize=7.0, color=MUTED)


def estimate(
    axis: Axes, figure: dict[str, Any], row: float, run: Run, *, scale: float = 1.0
) -> None:
    """A large dot with its interval, or a dash where there is no value."""
    colour = colour_of(run["method"])
    if figure["value"] is None:
        nothing(axis, row, "no value")
        return
    if figure.get("low") is not None and figure.get("high") is not None:
        axis.plot(
            [scale * figure["low"], scale * figure["high"]],
            [row, row],
            color=colour,
            linewidth=2.0,
            solid_capstyle="round",
        )
    axis.plot(scale * figure["value"], row, "o", color=colour, markersize=7)


def nothing(axis: Axes, row: float, words: str) -> None:
    """Words at the right end of a row, in place of a mark."""
    axis.text(
        0.99,
        row,
        words,
        transform=axis.get_yaxis_transform(),
        ha="right",
        va="center",
        fontsize=7.5,
        color=MUTED,
    )


def dot(axis: Axes, value: float, row: float, run: Run, *, filled: bool) -> None:
    """A small dot, of one trait."""
    colour = colour_of(run["method"])
    axis.plot(
        value,
        row,
        "o",
        markersize=3.8,
        markeredgecolor=colour,
        markerfacecolor=colour if filled else PAPER,
    )


def diamond(axis: Axes, value: float, row: float) -> None:
    """The base's figure, shrunk as far as the run's answers are."""
    axis.plot(
        value,
        row,
        "D",
        markersize=5,
        markeredgecolor=INK,
        markerfacecolor="none",
        markeredgewidth=1.0,
    )


def cells(axis: Axes, values: np.ndarray, strength: np.ndarray, *, digits: int) -> None:
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
