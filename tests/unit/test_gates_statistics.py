"""The gates of p-values and intervals: they pass, and fail when these are broken."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gated import by_likelihood, failed

from mimic.gates import statistics
from mimic.gates.gate import Gate
from mimic.questionnaire.instruments import load_instrument
from mimic.stats import coverage, permutation, uniformity

Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def neo(project: Path) -> Any:
    return load_instrument(project / "config/instruments/ipip_neo_120.yaml")


def permutation_gates(instrument: Any, simulations: int = 100) -> list[Gate]:
    asked = by_likelihood(instrument)
    return statistics._permutation_gates(asked, simulations=simulations, seed=1)


def test_permutation_gates_pass(neo: Any) -> None:
    gates = permutation_gates(neo)
    assert failed(gates) == set()
    assert [gate.found for gate in gates][1:] == ["1", "0.001"]


def targets_in_place(counts: np.ndarray, *, permutations: int, seed: int) -> np.ndarray:
    return np.full(permutations, np.trace(counts))


def outputs_apart(counts: np.ndarray, *, permutations: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.binomial(counts.sum(), 1 / len(counts), size=permutations)


def beyond(counts: np.ndarray, *, permutations: int = 999, seed: int) -> float:
    hits = permutation.permuted_hits(counts, permutations=permutations, seed=seed)
    return (1 + (hits > np.trace(counts)).sum()) / (1 + permutations)


def test_permuted_targets_that_stay_in_place(monkeypatch: Patch, neo: Any) -> None:
    monkeypatch.setattr(permutation, "permuted_hits", targets_in_place)
    monkeypatch.setattr(uniformity, "permuted_hits", targets_in_place)
    assert failed(permutation_gates(neo)) == {("perfect: least p", "permutation")}


def test_outputs_that_are_permuted_one_by_one(monkeypatch: Patch, neo: Any) -> None:
    monkeypatch.setattr(permutation, "permuted_hits", outputs_apart)
    monkeypatch.setattr(uniformity, "permuted_hits", outputs_apart)
    found = failed(permutation_gates(neo))
    assert {("random: p uniform", "permutation"), ("constant: p = 1", "permutation")} <= found


def test_ties_that_do_not_count(monkeypatch: Patch, neo: Any) -> None:
    monkeypatch.setattr(statistics, "permutation_p", beyond)
    assert failed(permutation_gates(neo)) == {("constant: p = 1", "permutation")}


def narrow(original: Callable[..., Any]) -> Callable[..., Any]:
    def interval(value: float, *arguments: Any, **keywords: Any) -> Any:
        found = original(value, *arguments, **keywords)
        low, high = (value + (bound - value) / 4 for bound in (found.low, found.high))
        return type(found)(value=value, low=low, high=high, interval=found.interval, n=found.n)

    return interval


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("crossed_reduction", {"reduction"}),
        ("crossed_spread", {"S, one trait", "S, mean"}),
    ],
)
def test_an_interval_that_is_too_narrow(monkeypatch: Patch, name: str, figures: set[str]) -> None:
    monkeypatch.setattr(statistics, "text_coverage", lambda *_, **__: [])
    monkeypatch.setattr(coverage, name, narrow(getattr(coverage, name)))
    found = failed(statistics._coverage_gates(simulations=50, seed=1))
    assert found == {(f"95 % interval: {figure}", "answers") for figure in figures}


def test_the_intervals_of_percentiles_of_a_plain_bootstrap(monkeypatch: Patch) -> None:
    """Of few units, n draws of n vary too little: what decision 0007 gave up doesn't pass."""
    former = functools.partial(coverage.answer_coverage, method="former")
    monkeypatch.setattr(statistics, "answer_coverage", former)
    monkeypatch.setattr(statistics, "text_coverage", lambda *_, **__: [])
    found = failed(statistics._coverage_gates(simulations=100, seed=1))
    assert ("95 % interval: S, mean", "answers") in found


def test_an_interval_of_texts_that_is_too_wide(monkeypatch: Patch) -> None:
    monkeypatch.setattr(statistics, "answer_coverage", lambda *_, **__: [])
    original = coverage.text_share
    few_draws = functools.partial(coverage.text_coverage, draws=10)
    monkeypatch.setattr(statistics, "text_coverage", few_draws)

    def all_values(value: float, *arguments: Any, **keywords: Any) -> Any:
        found = original(value, *arguments, **keywords)
        return type(found)(value=value, low=0.0, high=1.0, interval="all", n=found.n)

    monkeypatch.setattr(coverage, "text_share", all_values)
    monkeypatch.setattr(statistics, "FULL", 60)
    gates = statistics._coverage_gates(simulations=60, seed=1)
    assert {(gate.expected, gate.found) for gate in gates} == {("56 to 58 of 60", "60 of 60")}
    assert not any(gate.passed for gate in gates)


@pytest.mark.slow
def test_intervals_cover_92_to_98_percent_of_500(neo: Any) -> None:
    asked = by_likelihood(neo)
    gates = statistics.statistic_gates(asked, simulations=500, seed=1)
    assert len(gates) == 3 + 9 + 5
    assert {gate.expected for gate in gates[3:]} == {"460 to 490 of 500"}
    assert failed(gates) == set()


def test_the_band_of_coverage() -> None:
    assert statistics.coverage_band(500) == (460, 490)
    assert statistics.coverage_band(1000) == (920, 980)

    # Of 100 with 95 % each, by adding up binomial terms.
    def tail(most: int) -> float:
        return sum(math.comb(100, k) * 0.95**k * 0.05 ** (100 - k) for k in range(most + 1))

    low, high = statistics.coverage_band(100)
    assert (low, high) == (87, 100)
    assert tail(low - 1) < 0.001 <= tail(low)


def test_a_row_says_what_fewer_than_500_studies_leave_out() -> None:
    few, all_of_them = (
        statistics._coverage_gate(coverage.Coverage("S", 1.0, n, covered, 0, 0, 0.1), of="answers")
        for n, covered in ((100, 87), (500, 459))
    )
    assert few.expected == "87 or more of 100 studies; 500 in the slow tests"
    assert few.passed
    assert all_of_them.expected == "460 to 490 of 500"
    assert not all_of_them.passed
