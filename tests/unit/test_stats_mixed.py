"""The mixed model against published figures and against data of known coefficients."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mimic.stats.mixed import Mixed, Row, fit_mixed

METHODS = {"base": 0.0, "sft": 0.5, "dpo": -0.3}
# log10 of parameters 1.5 decades apart at most.
SIZES = (500.0, 2000.0, 8000.0, 16000.0)


def simulated(models: int, *, seed: int, size: float, uncensored: float) -> list[Row]:
    """Two runs of each method and model, whose coefficients are known."""
    generator = np.random.default_rng(seed)
    rows = []
    for n in range(models):
        alignment = ("aligned", "uncensored")[n % 2]
        parameters = SIZES[n // 2 % len(SIZES)]
        own = generator.normal(0, 0.2)
        for method, effect in METHODS.items():
            for _ in range(2):
                value = 1 + own + effect + size * np.log10(parameters / 1000)
                value += uncensored * (alignment == "uncensored") + generator.normal(0, 0.1)
                rows.append(Row(f"m{n}", method, alignment, parameters, value))
    return rows


def by_name(found: Mixed) -> dict[str, float]:
    return {one.name: one.value for one in found.coefficients}


def test_published_fit_of_yields_by_batch() -> None:
    # Davies & Goldsmith 1972, yields of dyestuff of six batches; restricted likelihood by lme4
    # (Bates 2010, lme4: Mixed-effects modeling with R, section 1.3): mean 1527.50 with a standard
    # error of 19.38, standard deviations 42.00 between and 49.51 within batches.
    yields = {
        "A": (1545, 1440, 1440, 1520, 1580),
        "B": (1540, 1555, 1490, 1560, 1495),
        "C": (1595, 1550, 1605, 1510, 1560),
        "D": (1445, 1440, 1595, 1465, 1545),
        "E": (1595, 1630, 1515, 1635, 1625),
        "F": (1520, 1455, 1450, 1480, 1445),
    }
    rows = [Row(batch, "one", "one", 1.0, y) for batch, values in yields.items() for y in values]
    found = fit_mixed(rows)
    (mean,) = found.coefficients
    assert mean.value == pytest.approx(1527.5, abs=0.005)
    # Student's quantile for 5 degrees of freedom.
    assert (mean.high - mean.low) / 2 == pytest.approx(2.5706 * 19.38, abs=0.02)
    assert found.model_sd == pytest.approx(42.0, abs=0.01)
    assert found.residual_sd == pytest.approx(49.51, abs=0.005)
    assert (found.models, found.runs, found.reason) == (6, 30, None)


def test_known_coefficients_are_found() -> None:
    found = fit_mixed(simulated(64, seed=1, size=0.4, uncensored=-0.25))
    expected = {
        "tenfold size": 0.4,
        "uncensored instead of aligned": -0.25,
        "sft instead of base": 0.5,
        "dpo instead of base": -0.3,
    }
    values = by_name(found)
    assert list(values) == ["intercept", *expected]
    for one in found.coefficients[1:]:
        assert one.low < expected[one.name] < one.high
        assert one.p is not None and one.p < 0.01
    assert found.model_sd == pytest.approx(0.2, abs=0.05)
    assert found.residual_sd == pytest.approx(0.1, abs=0.01)


def test_effects_of_methods_in_a_balanced_design_are_differences_of_means() -> None:
    rows = simulated(6, seed=2, size=0.0, uncensored=0.0)
    means = {m: np.mean([row.value for row in rows if row.method == m]) for m in METHODS}
    found = by_name(fit_mixed(rows))
    assert found["sft instead of base"] == pytest.approx(means["sft"] - means["base"])
    assert found["dpo instead of base"] == pytest.approx(means["dpo"] - means["base"])


def test_intervals_of_size_cover_with_few_models() -> None:
    covered = 0
    for seed in range(60):
        found = fit_mixed(simulated(8, seed=seed, size=0.4, uncensored=0.1))
        (size,) = (one for one in found.coefficients if one.name == "tenfold size")
        covered += size.low < 0.4 < size.high
    assert covered >= 52


@pytest.mark.parametrize(("models", "tested"), [(9, False), (10, True)])
def test_below_ten_models_there_is_no_p(models: int, tested: bool) -> None:
    found = fit_mixed(simulated(models, seed=3, size=1, uncensored=1)).coefficients
    assert len(found) == 5
    assert all((one.p is not None) == tested for one in found)


def test_models_that_don_t_differ_have_a_deviation_of_zero() -> None:
    rows = simulated(6, seed=4, size=0.0, uncensored=0.0)
    # Each model's mean is the same.
    means = {row.model: np.mean([r.value for r in rows if r.model == row.model]) for row in rows}
    rows = [dataclasses.replace(row, value=row.value - means[row.model]) for row in rows]
    found = fit_mixed(rows)
    assert found.reason is None
    assert found.model_sd == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("models", "reason"),
    [
        (4, "4 models; with 3 coefficients that differ between models at least 5 are needed"),
        (2, "2 models; with 2 coefficients"),
    ],
)
def test_too_few_models_are_not_fitted(models: int, reason: str) -> None:
    found = fit_mixed(simulated(models, seed=1, size=0, uncensored=0))
    assert reason in str(found.reason)
    assert (found.coefficients, found.model_sd) == ((), None)


def test_what_can_t_be_told_apart_is_not_fitted() -> None:
    rows = simulated(8, seed=1, size=0, uncensored=0)
    large = [
        dataclasses.replace(row, parameters=8000.0 if row.alignment == "aligned" else 500.0)
        for row in rows
    ]
    assert "can't be told apart" in str(fit_mixed(large).reason)
    one_each = [row for row in rows if row.method == "base"][::2]
    assert "too few in each" in str(fit_mixed(one_each).reason)
