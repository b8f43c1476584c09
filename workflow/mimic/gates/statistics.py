"""Gates of statistics: permutation p-values, and the coverage of intervals."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import binom

from mimic.gates.asking import Asked
from mimic.gates.gate import SURE, Gate, equal, figure, span
from mimic.gates.scoring import PUBLISHED_CUT, scores_of
from mimic.questionnaire.protocols import decisions, trait_scores
from mimic.respondents.synthetic import CONSTANT, PERFECT, Synthetic
from mimic.stats.coverage import (
    LARGE,
    POPULATION,
    SMALL,
    TEXTS,
    Coverage,
    answer_coverage,
    text_coverage,
)
from mimic.stats.permutation import hit_counts, permutation_p
from mimic.stats.uniformity import permutation_uniformity

PERMUTATIONS = 999

# From so many simulations 95 % intervals must hold the truth in 92 to 98 %.
FULL = 500
NOMINAL, LEAST, MOST = 0.95, 0.92, 0.98
# Fewer only tell intervals that are too narrow: the probability that a sound one is taken for it.
_WRONGLY = 0.001


def statistic_gates(asked: Asked, *, simulations: int, seed: int) -> list[Gate]:
    """All gates of statistics.

    Parameters
    ----------
    asked
        The study's questionnaire with all 32 profiles.
    simulations
        Random respondents, and simulated studies behind each coverage.
    seed
        Of all draws.
    """
    return [
        *_permutation_gates(asked, simulations=simulations, seed=seed),
        *_coverage_gates(simulations=simulations, seed=seed),
    ]


def coverage_band(simulations: int) -> tuple[int, int]:
    """In how many simulations a 95 % interval must hold the truth, at least and at most.

    92 to 98 % of 500 or more. Of fewer, at least what an interval that does cover 95 % falls short
    of once in a thousand times, by the exact binomial distribution.
    """
    if simulations >= FULL:
        return math.ceil(LEAST * simulations), math.floor(MOST * simulations)
    return int(binom.ppf(_WRONGLY, simulations, NOMINAL)), simulations


def _permutation_gates(asked: Asked, *, simulations: int, seed: int) -> list[Gate]:
    profiles, forms, _ = asked.shape
    uniform = permutation_uniformity(
        profiles=profiles,
        outputs=forms,
        simulations=simulations,
        permutations=PERMUTATIONS,
        seed=seed,
    )
    constant = [_p(respondent, asked, seed=seed) for respondent in CONSTANT]
    return [
        Gate(
            gate="random: p uniform",
            of="permutation",
            expected=f"Kolmogorov-Smirnov p ≥ {1 - SURE:.3g}",
            found=f"{uniform.randomised:.3g}",
            passed=uniform.randomised >= 1 - SURE,
        ),
        equal("constant: p = 1", "permutation", expected="1", found=span(constant)),
        # Permuted targets that stay in place would pass the other two.
        equal(
            "perfect: least p",
            "permutation",
            expected=figure(1 / (1 + PERMUTATIONS)),
            found=figure(_p(PERFECT, asked, seed=seed)),
        ),
    ]


def _p(respondent: Synthetic, asked: Asked, *, seed: int) -> float:
    y = scores_of(respondent.answer(asked, seed=seed), asked, protocol="likelihood")
    scores = trait_scores(y, asked.item_traits, protocol="likelihood")
    decided = decisions(scores, cut=PUBLISHED_CUT, protocol="likelihood") == 1
    profiles, forms, traits = decided.shape
    blocks = np.repeat(np.arange(profiles), forms)
    counts = hit_counts(decided.reshape(-1, traits), blocks, asked.targets)
    return permutation_p(counts, permutations=PERMUTATIONS, seed=seed)


def _coverage_gates(*, simulations: int, seed: int) -> list[Gate]:
    # Exact matches of few answers are covered too well; that is no fault for the quick check.
    layout = LARGE if simulations >= FULL else SMALL
    answers = answer_coverage(POPULATION, layout, simulations=simulations, seed=seed)
    texts = text_coverage(TEXTS, simulations=simulations, seed=seed)
    return [
        _coverage_gate(coverage, of=of)
        for of, coverages in (("answers", answers), ("texts", texts))
        for coverage in coverages
    ]


def _coverage_gate(coverage: Coverage, *, of: str) -> Gate:
    low, high = coverage_band(coverage.simulations)
    studies = coverage.simulations
    expected = f"{low} to {high} of {studies}"
    if studies < FULL:
        expected = f"{low} or more of {studies} studies; {FULL} in the slow tests"
    return Gate(
        gate=f"95 % interval: {coverage.figure}",
        of=of,
        expected=expected,
        found=f"{coverage.covered} of {coverage.simulations}",
        passed=low <= coverage.covered <= high,
    )
