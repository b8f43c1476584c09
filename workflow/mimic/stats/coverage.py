"""How often 95 % intervals hold the true figure, by simulation with the package's own code.

``python -m mimic.stats.coverage_tables`` prints the tables of decision 0007.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import norm

from mimic.stats.bootstrap import crossed_draws, resample_within
from mimic.stats.crossed import crossed_reduction, crossed_share, crossed_spread
from mimic.stats.fidelity import answer_fidelity, text_fidelity
from mimic.stats.intervals import Estimate, percentile_estimate, text_share
from mimic.stats.simulate import (
    Answers,
    Layout,
    Population,
    TextPopulation,
    cell_deviations,
    simulate_answers,
    simulate_texts,
)
from mimic.stats.stability import reduction, spread

# score: the package's intervals; percentiles: those of Rao-Wu draws; former: those of draws of n
# of n units.
Method = Literal["score", "percentiles", "former"]

# What the gates simulate: a weak signal, items that differ more than wordings, and wordings half of
# whose effects are the same in every format.
POPULATION = Population(
    signal=0.1,
    item=0.5,
    profile_item=0.4,
    wording=0.2,
    item_wording=0.3,
    residual=0.5,
    uneven=0.2,
    shared=0.5,
)
SMALL = Layout(per_trait=4, formats=2, wordings=3)
MIDDLE = Layout(per_trait=12, formats=3, wordings=5)
LARGE = Layout(per_trait=24, formats=5, wordings=10)
# That of the default study: the Mini-IPIP, two formats, one wording, both orders.
_TWO_EACH = "+a +b -c -d"
DEFAULT = Layout(
    per_trait=4,
    formats=2,
    wordings=1,
    orders=2,
    keys=("+a -a -b -c", _TWO_EACH, _TWO_EACH, "+a +a -b -c", _TWO_EACH),
)
TEXTS = TextPopulation(signal=0.3, cell=0.5)


class Coverage(NamedTuple):
    """How often the interval of a figure held the truth.

    Attributes
    ----------
    figure
        Its name.
    truth
        The true value.
    simulations
        The number of simulated studies.
    covered, below, above
        In how many the truth lay within the interval, below it, above it.
    width
        The median width of the intervals; NaN if there are none.
    """

    figure: str
    truth: float
    simulations: int
    covered: int
    below: int
    above: int
    width: float

    @property
    def share(self) -> float:
        """Share of simulated studies whose interval held the truth; those without one did not."""
        return self.covered / self.simulations


def answer_coverage(
    population: Population,
    layout: Layout,
    *,
    method: Method = "score",
    true_reduction: float = 0.3,
    simulations: int = 500,
    draws: int = 100,
    seed: int = 1,
) -> list[Coverage]:
    """Coverage of the 95 % intervals of answers.

    Items, wordings and answers are drawn anew for each simulated study, profiles stay. The truth of
    S and of the reduction follows from population and layout. That of exact match, accuracy and
    AUC, which depend on how many items there are, is their expected value at this layout: the mean
    of the simulated studies.

    Parameters
    ----------
    population, layout
        See `simulate_answers`.
    method
        The package's intervals, or for comparison percentiles of draws within formats.
    true_reduction
        Of S, against the reference.
    simulations, draws
        Simulated studies, and bootstrap draws in each.
    seed
        Of all of them.
    """
    generator = np.random.default_rng(seed)
    points: dict[str, list[float]] = defaultdict(list)
    found: dict[str, list[Estimate]] = defaultdict(list)
    for _ in range(simulations):
        answers = simulate_answers(
            population, layout, reduction=true_reduction, generator=generator
        )
        point = _answer_figures(answers, layout, None, None)
        estimate = _answer_intervals(answers, layout, method, draws=draws, generator=generator)
        for figure, values in point.items():
            points[figure].append(float(values[0]))
            found[figure].append(estimate(figure, float(values[0])))
    true_spread = population.spread(layout) * (1 - true_reduction)
    known = {
        "S, one trait": true_spread,
        "S, mean": true_spread,
        "reduction": true_reduction,
    }
    return [
        _coverage(figure, known.get(figure, float(np.mean(points[figure]))), found[figure])
        for figure in points
    ]


def text_coverage(
    population: TextPopulation,
    *,
    method: Method = "score",
    simulations: int = 500,
    draws: int = 400,
    seed: int = 1,
) -> list[Coverage]:
    """Coverage of the 95 % intervals of texts.

    Texts are drawn anew for each simulated study, profiles and situations stay. The truth of exact
    match and accuracy follows from the population; that of the AUC is the mean of the simulated
    studies. Parameters are those of `answer_coverage`.
    """
    generator = np.random.default_rng(seed)
    deviations = cell_deviations(population, generator=generator)
    targets, cells = population.targets, population.cells.tolist()
    towards = np.where(targets[:: population.samples], deviations, -deviations)
    right = norm.cdf(population.signal + towards)
    points: dict[str, list[float]] = defaultdict(list)
    found: dict[str, list[Estimate]] = defaultdict(list)
    for _ in range(simulations):
        probabilities = simulate_texts(population, deviations, generator=generator)
        if method == "former":
            size = (draws, len(deviations))
            weights = _counts(population.samples, size, generator).reshape(draws, -1)
        else:
            texts = range(len(targets))
            weights = resample_within(texts, cells, draws=draws, generator=generator)
        point, drawn = (_text_figures(probabilities, targets, chosen) for chosen in (None, weights))
        for figure, (value,) in point.items():
            points[figure].append(float(value))
            found[figure].append(
                text_share(float(value), drawn[figure], n=len(targets))
                if method == "score"
                else percentile_estimate(float(value), drawn[figure], interval=method, n=0)
            )
    known = {
        "exact match": float(right.prod(axis=1).mean()),
        "accuracy, one trait": float(right[:, 0].mean()),
        "accuracy, mean": float(right.mean()),
    }
    return [
        _coverage(figure, known.get(figure, float(np.mean(points[figure]))), found[figure])
        for figure in points
    ]


def _answer_figures(
    answers: Answers,
    layout: Layout,
    item_weights: np.ndarray | None,
    form_weights: np.ndarray | None,
) -> dict[str, np.ndarray]:
    traits = layout.item_traits
    own, other = (
        spread(y, traits, item_weights=item_weights, form_weights=form_weights) for y in answers
    )
    fit = answer_fidelity(
        answers.run,
        traits,
        layout.design > 0,
        cut=3.0,
        item_weights=item_weights,
        form_weights=form_weights,
    )
    return {
        "exact match": fit.exact_match,
        "exact match, forms averaged": fit.exact_match_averaged,
        "accuracy, one trait": fit.accuracy[:, 0],
        "accuracy, mean": fit.accuracy.mean(axis=1),
        "AUC, one trait": fit.auc[:, 0],
        "AUC, mean": fit.auc.mean(axis=1),
        "S, one trait": own[:, 0],
        "S, mean": own.mean(axis=1),
        "reduction": reduction(own.mean(axis=1), other.mean(axis=1)),
    }


def _answer_intervals(
    answers: Answers,
    layout: Layout,
    method: Method,
    *,
    draws: int,
    generator: np.random.Generator,
) -> Callable[[str, float], Estimate]:
    """What makes the interval of a figure from its name and value."""
    items, forms = layout.items, layout.forms
    if method == "score":
        crossed = crossed_draws(
            items=items, forms=forms, draws=draws, seed=int(generator.integers(2**32))
        )
        drawn = _answer_figures(answers, layout, crossed.items, crossed.forms)

        def interval(figure: str, value: float) -> Estimate:
            if figure == "reduction":
                return crossed_reduction(value, drawn[figure], draws=crossed, n=0)
            if figure.startswith("S"):
                return crossed_spread(value, drawn[figure], draws=crossed, n=0)
            return crossed_share(value, drawn[figure], draws=crossed, n=0, profiles=layout.profiles)

        return interval
    if method == "percentiles":
        item_weights = resample_within(
            items, [(i.trait, i.keyed) for i in items], draws=draws, generator=generator
        )
        form_weights = resample_within(
            forms, [f.format for f in forms], draws=draws, generator=generator
        )
    else:
        # Items alternate between the keyings.
        half = layout.per_trait // 2
        counts = _counts(half, (draws, len(items) // layout.per_trait, 2), generator)
        item_weights = counts.swapaxes(2, 3).reshape(draws, -1)
        form_weights = _counts(layout.wordings, (draws, layout.formats), generator)
        form_weights = form_weights.reshape(draws, -1)
    drawn = _answer_figures(answers, layout, item_weights, form_weights)
    if method == "former":
        # A form drawn twice counted as two forms.
        total = len(forms)
        ratio = (total - (form_weights**2).sum(axis=1) / total) / (total - 1)
        for figure in ("S, one trait", "S, mean"):
            drawn[figure] = drawn[figure] * np.sqrt(ratio)
    return lambda figure, value: percentile_estimate(value, drawn[figure], interval=method, n=0)


def _counts(size: int, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """How often each of `size` units is drawn in as many draws, shape (*shape, size)."""
    return generator.multinomial(size, np.full(size, 1 / size), size=shape).astype(np.float64)


def _text_figures(
    probabilities: np.ndarray, targets: np.ndarray, weights: np.ndarray | None
) -> dict[str, np.ndarray]:
    fit = text_fidelity(probabilities, targets, weights=weights)
    return {
        "exact match": fit.exact_match,
        "accuracy, one trait": fit.accuracy[:, 0],
        "accuracy, mean": fit.accuracy.mean(axis=1),
        "AUC, one trait": fit.auc[:, 0],
        "AUC, mean": fit.auc.mean(axis=1),
    }


def _coverage(figure: str, truth: float, found: Iterable[Estimate]) -> Coverage:
    bounds = np.array([(e.low, e.high) for e in found], dtype=np.float64)
    low, high = bounds.T
    return Coverage(
        figure=figure,
        truth=truth,
        simulations=len(bounds),
        covered=int(((low <= truth) & (truth <= high)).sum()),
        below=int((truth < low).sum()),
        above=int((truth > high).sum()),
        width=float(np.nanmedian(high - low)) if np.isfinite(high - low).any() else math.nan,
    )
