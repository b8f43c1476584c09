"""Figures as SVG: the same input gives the same bytes, and colours follow the page's theme."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure as Canvas

INK, MUTED, LINE, PAPER = "#1d2329", "#5c6670", "#d5dade", "#fdfdfb"
HIGH, LOW = "#1f6aa5", "#b4532a"
METHODS = {
    "base": "#6f7881",
    "sft": "#2a6bb2",
    "dpo": "#a8650f",
    "orpo": "#2b7d58",
    "reward": "#7553b5",
    "grpo": "#b14379",
}

# Sources of variance: the blues and the orange are targets, the others are not.
SOURCES = {
    "own target": "#1d66a3",
    "other targets": "#b5522b",
    "targets × items or forms": "#8fb9dc",
    "items": "#4d7f5c",
    "forms": "#8b5fa8",
    "items × forms": "#c3a9d4",
    "residual": "#c9ced3",
}

# In the page each colour is a variable that the dark theme overrides; in a file of its own the
# fallback holds.
_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    PAPER: "paper",
    HIGH: "high",
    LOW: "low",
    **{colour: f"m-{method}" for method, colour in METHODS.items()},
    **{colour: f"s-{place}" for place, colour in enumerate(SOURCES.values())},
}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: readable aloud, selectable, small
    "text.parse_math": False,  # a label with a dollar sign is a label
    "font.family": "DejaVu Sans",  # shipped with matplotlib, so widths are the same everywhere
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "xtick.minor.size": 0.0,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.08,
}


class Drawing(NamedTuple):
    """A finished figure.

    Attributes
    ----------
    name
        File name without its ending.
    title, caption
        What stands above and below it.
    svg
        The SVG element, with a title and a description for who can't see it.
    width
        In CSS pixels.
    """

    name: str
    title: str
    caption: str
    svg: str
    width: int


@contextmanager
def style() -> Iterator[None]:
    """Draw in the page's style; closes every figure at the end."""
    with plt.rc_context(_STYLE):
        try:
            yield
        finally:
            plt.close("all")


def finish(canvas: Canvas, *, name: str, title: str, caption: str, description: str) -> Drawing:
    """Turn a matplotlib figure into an SVG element that can stand in a page beside others."""
    buffer = io.StringIO()
    with plt.rc_context({"svg.hashsalt": f"mimic {name}"}):
        canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    # matplotlib's style rule names every element; in a page it would reach beyond the figure.
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*", "font-family: system-ui, sans-serif", text)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(f": {colour}", f": var(--{variable}, {colour})")
    label = (
        f'<svg role="img" aria-labelledby="{name}-t {name}-d" '
        'style="stroke-linejoin: round; stroke-linecap: butt" '
    )
    text = text.replace("<svg ", label, 1)
    words = (
        f'<title id="{name}-t">{escape(title)}</title>\n'
        f' <desc id="{name}-d">{escape(description)}</desc>\n'
    )
    head, body = text.split(">\n", 1)
    svg = f"{head}>\n {words}{body}"
    return Drawing(name, title, caption, svg, round(canvas.get_figwidth() * 96))


def colour_of(method: str) -> str:
    """The colour of a method; methods without one of their own are grey."""
    return METHODS.get(method, METHODS["base"])
