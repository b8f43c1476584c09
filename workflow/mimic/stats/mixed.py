"""A descriptive mixed model of runs: method, size and alignment fixed, models random."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student
from statsmodels.regression.mixed_linear_model import MixedLM

# With fewer models size and alignment get no p: so few could not show that an effect isn't theirs.
FEWEST_MODELS = 10
# Models beyond the coefficients that differ between models alone; below, intervals say nothing.
_SPARE_MODELS = 2
# Figures this close are the same but for rounding.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Row:
    """One run.

    Attributes
    ----------
    model, method, alignment
        What it is; a method may be named with its recipe.
    parameters
        Of its model, in millions.
    value
        Its figure.
    """

    model: str
    method: str
    alignment: str
    parameters: float
    value: float


@dataclass(frozen=True)
class Coefficient:
    """A fixed effect with its 95 % interval, and p where there are models enough for one."""

    name: str
    value: float
    low: float
    high: float
    p: float | None


@dataclass(frozen=True)
class Mixed:
    """A fitted model; without coefficients where `reason` says why it wasn't fitted.

    Attributes
    ----------
    models, runs
        How many there are.
    coefficients
        The intercept first.
    model_sd, residual_sd
        Standard deviations of the models' intercepts, and of runs within models.
    """

    models: int
    runs: int
    coefficients: tuple[Coefficient, ...] = ()
    model_sd: float | None = None
    residual_sd: float | None = None
    reason: str | None = None


def fit_mixed(rows: Sequence[Row]) -> Mixed:
    """Fit ``value ~ method + log10 size + alignment + (1 | model)`` by restricted likelihood.

    Method and alignment are contrasts with their first level, in the order of the rows; size is
    centred, and its coefficient is for tenfold parameters. What doesn't vary is left out. Intervals
    are Student's: of the intercept, size and alignment with as many degrees of freedom as there are
    models beyond these coefficients, of methods with those of runs within models (Pinheiro & Bates
    2000, Mixed-effects models in S and S-PLUS, section 2.4.2).

    Parameters
    ----------
    rows
        One for each run.
    """
    models = list(dict.fromkeys(row.model for row in rows))
    nothing = Mixed(models=len(models), runs=len(rows))
    between_names, between = _between(rows)
    within_names, within = _dummies([row.method for row in rows])
    needed = len(between_names) + _SPARE_MODELS
    if len(models) < needed:
        return _unfitted(
            nothing,
            f"{len(models)} models; with {len(between_names)} coefficients that differ between "
            f"models at least {needed} are needed",
        )
    inner = len(rows) - len(models) - len(within_names)
    if inner < _SPARE_MODELS:
        return _unfitted(nothing, f"{len(rows)} runs of {len(models)} models are too few in each")
    design = np.column_stack([between, within])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return _unfitted(nothing, "sizes, alignments and methods can't be told apart")
    values = np.array([row.value for row in rows])
    if np.ptp(values) < _TOLERANCE:
        return _unfitted(nothing, "all runs have the same figure")
    groups = np.array([models.index(row.model) for row in rows])
    with warnings.catch_warnings():
        # A variance of 0 between models is a result here, and shown as one.
        warnings.simplefilter("ignore")
        try:
            # Gradients fail where that variance is 0; Powell's method needs none.
            found = MixedLM(values, design, groups).fit(reml=True, method=["bfgs", "powell"])
        except np.linalg.LinAlgError:
            return _unfitted(nothing, "the fit did not converge")
        errors = np.asarray(found.bse_fe)
        variance = float(found.cov_re[0, 0])
    if not (found.converged and np.isfinite(errors).all()):
        return _unfitted(nothing, "the fit did not converge")
    freedoms = [len(models) - len(between_names)] * len(between_names)
    freedoms += [inner] * len(within_names)
    return Mixed(
        models=len(models),
        runs=len(rows),
        coefficients=tuple(
            _coefficient(*one, tested=len(models) >= FEWEST_MODELS)
            for one in zip(
                [*between_names, *within_names],
                map(float, found.fe_params),
                map(float, errors),
                freedoms,
                strict=True,
            )
        ),
        model_sd=float(np.sqrt(max(variance, 0.0))),
        residual_sd=float(np.sqrt(found.scale)),
    )


def _unfitted(nothing: Mixed, reason: str) -> Mixed:
    return Mixed(models=nothing.models, runs=nothing.runs, reason=reason)


def _coefficient(
    name: str, value: float, error: float, freedom: int, *, tested: bool
) -> Coefficient:
    half = float(student.ppf(0.975, freedom)) * error
    p = float(2 * student.sf(abs(value) / error, freedom)) if tested else None
    return Coefficient(name=name, value=value, low=value - half, high=value + half, p=p)


def _between(rows: Sequence[Row]) -> tuple[list[str], np.ndarray]:
    """Intercept, size and alignment: names and columns."""
    sizes = np.log10([row.parameters for row in rows])
    names, columns = ["intercept"], [np.ones(len(rows))]
    if np.ptp(sizes) > 0:
        names.append("tenfold size")
        columns.append(sizes - sizes.mean())
    more, dummies = _dummies([row.alignment for row in rows])
    return [*names, *more], np.column_stack([*columns, dummies])


def _dummies(levels: list[str]) -> tuple[list[str], np.ndarray]:
    """Each level but the first: names and columns of 0 and 1."""
    first, *others = dict.fromkeys(levels)
    columns = [[float(level == other) for level in levels] for other in others]
    names = [f"{other} instead of {first}" for other in others]
    return names, np.array(columns).reshape(len(others), len(levels)).T
