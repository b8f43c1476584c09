"""Does a profile hang together, or is it five traits that know nothing of each other?"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

# Deviations smaller than this are rounding.
_TOLERANCE = 1e-9

# Correlations between people's traits in the order of `mimic.traits.TRAITS`: means of 212 samples,
# 144,117 people and many questionnaires, corrected for unreliability (van der Linden, te Nijenhuis
# & Bakker 2010, Journal of Research in Personality 44, 315-327, table 2). Read in two public copies
# that agree. The uncorrected means are 0.67 to 0.74 times these, so `congruence` hardly tells one
# from the other.
PEOPLE = np.array(
    [
        [1.00, 0.20, 0.43, 0.21, -0.17],
        [0.20, 1.00, 0.29, 0.43, -0.43],
        [0.43, 0.29, 1.00, 0.26, -0.36],
        [0.21, 0.43, 0.26, 1.00, -0.36],
        [-0.17, -0.43, -0.36, -0.36, 1.00],
    ]
)


class Togetherness(NamedTuple):
    """Exact match, and what it would be if the traits' errors were independent.

    Attributes
    ----------
    observed
        Share of cells whose five decisions all fit.
    independent
        The product of the five accuracies.
    """

    observed: float
    independent: float

    @property
    def ratio(self) -> float:
        """Observed by independent: above 1 errors come together; NaN where the product is 0."""
        return self.observed / self.independent if self.independent > 0 else math.nan


def togetherness(fits: np.ndarray) -> Togetherness:
    """Observed exact match against the product of per-trait accuracies.

    Parameters
    ----------
    fits
        Whether each decision fits its target, boolean, shape (…, 5): profiles × forms, or texts.
    """
    cells = fits.reshape(-1, fits.shape[-1])
    return Togetherness(
        observed=float(cells.all(axis=1).mean()),
        independent=float(np.prod(cells.mean(axis=0))),
    )


def trait_residuals(scores: np.ndarray, design: np.ndarray) -> np.ndarray:
    """T minus its target effects, fitted over all profiles × forms.

    ``T_pft = a_t + Σ_u B_tu x_pu + e_pft`` by ordinary least squares; e is what is returned.
    Effects of forms and of the targets' interactions stay in it.

    Parameters
    ----------
    scores
        T, shape (profiles, forms, 5).
    design
        Target levels as ±1, shape (profiles, 5).

    Returns
    -------
    numpy.ndarray
        Shape (profiles, forms, 5).
    """
    with_intercept = np.column_stack([np.ones(len(design)), design])
    # Every form has the same design, so the fit to all cells is that to the means over forms.
    coefficients, *_ = np.linalg.lstsq(with_intercept, scores.mean(axis=1), rcond=None)
    return np.asarray(scores - (with_intercept @ coefficients)[:, None])


def trait_correlations(values: np.ndarray) -> np.ndarray:
    """Pearson correlations of the traits over all cells.

    Parameters
    ----------
    values
        T or its residuals, shape (…, 5).

    Returns
    -------
    numpy.ndarray
        Shape (5, 5); NaN in the row and column of a trait that does not vary.
    """
    cells = values.reshape(-1, values.shape[-1])
    centred = cells - cells.mean(axis=0)
    lengths = np.sqrt((centred**2).sum(axis=0))
    lengths = np.where(lengths > _TOLERANCE * math.sqrt(len(cells)), lengths, math.nan)
    return np.asarray(np.clip(centred.T @ centred / np.outer(lengths, lengths), -1, 1))


def congruence(correlations: np.ndarray, norms: np.ndarray) -> float:
    """Tucker's congruence of the ten correlations between traits with those of people.

    ``φ = Σ r h / √(Σ r² Σ h²)`` over the pairs of traits (Tucker 1951, Department of the Army
    report 984; Lorenzo-Seva & ten Berge 2006, Methodology 2, 57-64, take 0.85 to 0.94 for fair
    and 0.95 for equal).

    Parameters
    ----------
    correlations, norms
        Correlations of the respondent's and of people's traits, shape (5, 5), traits in the order
        of `mimic.traits.TRAITS`.

    Returns
    -------
    float
        From −1 to 1; NaN where a correlation is undefined or all are 0.

    Raises
    ------
    ValueError
        If `norms` is not a symmetric 5 × 5 matrix of correlations.
    """
    norms = np.asarray(norms, dtype=np.float64)
    if (
        norms.shape != (5, 5)
        or not np.allclose(norms, norms.T)
        or not np.allclose(np.diag(norms), 1)
        or not (np.abs(norms) <= 1 + _TOLERANCE).all()
    ):
        raise ValueError(
            f"the norms are {norms.tolist()}; they must be a symmetric 5 × 5 matrix of "
            "correlations with 1 in the diagonal"
        )
    pairs = np.triu_indices(5, k=1)
    own, of_people = correlations[pairs], norms[pairs]
    lengths = math.sqrt(float(own @ own) * float(of_people @ of_people))
    return float(own @ of_people) / lengths if lengths > 0 else math.nan
