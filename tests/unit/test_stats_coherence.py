"""Whether traits hang together, on respondents for whom it is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm

from mimic.stats.coherence import (
    PEOPLE,
    congruence,
    togetherness,
    trait_correlations,
    trait_residuals,
)
from mimic.traits import balanced_profiles, design_matrix

DESIGN = design_matrix(balanced_profiles(32))
NORMS = np.array(
    [
        [1.0, 0.1, 0.4, 0.2, -0.1],
        [0.1, 1.0, 0.2, 0.4, -0.3],
        [0.4, 0.2, 1.0, 0.2, -0.3],
        [0.2, 0.4, 0.2, 1.0, -0.3],
        [-0.1, -0.3, -0.3, -0.3, 1.0],
    ]
)


def test_independent_errors_multiply() -> None:
    fits = np.random.default_rng(1).random((32, 400, 5)) < [0.9, 0.8, 0.7, 0.6, 0.5]
    found = togetherness(fits)
    assert found.independent == pytest.approx(0.9 * 0.8 * 0.7 * 0.6 * 0.5, rel=0.05)
    assert found.ratio == pytest.approx(1, abs=0.06)


def test_errors_that_come_together_are_seen() -> None:
    fits = np.repeat(np.array([True, True, False, True])[:, None], 5, axis=1)
    found = togetherness(fits)
    assert found.observed == 0.75
    assert found.independent == pytest.approx(0.75**5)
    assert found.ratio > 3
    # Exactly one error in each cell: they avoid each other.
    assert togetherness(~np.eye(5, dtype=bool)).observed == 0
    assert math.isnan(togetherness(np.zeros((4, 5), dtype=bool)).ratio)


def test_residuals_are_those_of_ols_over_all_cells() -> None:
    generator = np.random.default_rng(2)
    scores = 3 + DESIGN[:, None] @ generator.normal(size=(5, 5)) + generator.normal(size=(32, 4, 5))
    found = trait_residuals(scores, DESIGN)
    exogenous = sm.add_constant(np.repeat(DESIGN, 4, axis=0))
    for t in range(5):
        fit = sm.OLS(scores[:, :, t].ravel(), exogenous).fit()
        assert found[:, :, t].ravel() == pytest.approx(fit.resid)


def test_targets_leave_no_correlation_and_what_traits_share_does() -> None:
    generator = np.random.default_rng(3)
    # Openness and extraversion share a deviation, neuroticism has its opposite.
    shared = generator.normal(size=(32, 30, 1)) * [1, 0, 1, 0, -1]
    scores = 3 + 2 * DESIGN[:, None] + shared + generator.normal(size=(32, 30, 5))
    found = trait_correlations(trait_residuals(scores, DESIGN))
    expected = np.eye(5)
    expected[0, 2] = expected[2, 0] = 0.5
    expected[[0, 2, 4, 4], [4, 4, 0, 2]] = -0.5
    assert found == pytest.approx(expected, abs=0.08)
    assert trait_correlations(scores) == pytest.approx(np.corrcoef(scores.reshape(-1, 5).T))


def test_a_trait_that_does_not_vary_has_no_correlation() -> None:
    values = np.random.default_rng(4).normal(size=(32, 6, 5))
    values[..., 1] = 0.1 + 0.2
    found = trait_correlations(values)
    assert np.isnan(found[1]).all() and np.isnan(found[:, 1]).all()
    assert np.isfinite(np.delete(np.delete(found, 1, axis=0), 1, axis=1)).all()
    assert math.isnan(congruence(found, NORMS))


def test_congruence_of_known_matrices() -> None:
    assert congruence(NORMS, NORMS) == pytest.approx(1)
    halved = np.where(np.eye(5) > 0, 1, NORMS / 2)
    assert congruence(halved, NORMS) == pytest.approx(1)
    assert congruence(-NORMS, NORMS) == pytest.approx(-1)
    one = np.eye(5)
    one[0, 2] = one[2, 0] = 0.8
    # 0.8 · 0.4 / √(0.64 · (3 · 0.09 + 2 · 0.16 + 3 · 0.04 + 2 · 0.01))
    assert congruence(one, NORMS) == pytest.approx(0.32 / math.sqrt(0.64 * 0.73))
    assert math.isnan(congruence(np.eye(5), NORMS))


def test_correlations_of_people_have_the_pattern_of_the_uncorrected_means() -> None:
    # The same table's means before the correction, upper triangle row by row.
    uncorrected = np.eye(5)
    uncorrected[np.triu_indices(5, k=1)] = [
        *(0.14, 0.31, 0.14, -0.12),
        *(0.21, 0.31, -0.32),
        *(0.18, -0.26),
        -0.26,
    ]
    uncorrected = np.maximum(np.abs(uncorrected), np.abs(uncorrected.T)) * np.sign(PEOPLE)
    assert congruence(uncorrected, PEOPLE) > 0.999
    assert (np.linalg.eigvalsh(PEOPLE) > 0).all()


@pytest.mark.parametrize(
    "norms", [np.eye(4), np.triu(NORMS), 2 * NORMS, np.where(np.eye(5) > 0, 1, NORMS * 4)]
)
def test_norms_that_are_no_correlations_are_refused(norms: np.ndarray) -> None:
    with pytest.raises(ValueError, match="symmetric 5 × 5"):
        congruence(NORMS, norms)
