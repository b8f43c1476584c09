"""Gates of indices, of people's answers, and all gates in one report."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gated import FORMS, RELEASED, by_likelihood, failed

from mimic.gates import check, human, indices, scoring
from mimic.gates.gate import counted, equal, figure, span, within_band
from mimic.gates.settings import GatesSettings
from mimic.metrics.numbers import cuts_of
from mimic.respondents.synthetic import PERFECT

Patch = pytest.MonkeyPatch


def broken_index(name: str) -> Callable[..., Any]:
    original = getattr(indices, name)

    def mean_agreement(answers: Any) -> float:
        return float(answers.raw.mean())

    def of_the_population(y: np.ndarray, traits: np.ndarray) -> Any:
        return original(y, traits) * np.sqrt(1 - 1 / y.shape[1])

    def without_crosstalk(scores: np.ndarray, design: np.ndarray) -> Any:
        return np.diag(np.diag(original(scores, design)))

    def by_spread_alone(run: Any, comparison: Any) -> Any:
        return run.spread < comparison.spread

    def always_half(base: np.ndarray, run: np.ndarray) -> Any:
        return 0.7, base

    broken: dict[str, Callable[..., Any]] = {
        "order_asymmetry": lambda answers: 0.0,
        "acquiescence": mean_agreement,
        "spread": of_the_population,
        "signal": without_crosstalk,
        "more_stable": by_spread_alone,
        "shrink": always_half,
    }
    return broken[name]


@pytest.mark.parametrize(
    ("name", "gate"),
    [
        ("order_asymmetry", "order-biased"),
        ("acquiescence", "acquiescent"),
        ("spread", "wording-sensitive"),
        ("signal", "halo"),
        ("more_stable", "shrunk"),
        ("shrink", "shrunk"),
    ],
)
def test_an_index_that_is_broken(monkeypatch: Patch, neo: Any, name: str, gate: str) -> None:
    monkeypatch.setattr(indices, name, broken_index(name))
    found = failed(indices.index_gates(by_likelihood(neo), seed=1))
    assert {one for one, _ in found} == {gate}


@pytest.mark.parametrize("changed", [np.abs, np.transpose])
def test_crosstalk_elsewhere_or_of_the_wrong_sign(
    monkeypatch: Patch, neo: Any, changed: Callable[[np.ndarray], np.ndarray]
) -> None:
    original = indices.signal
    monkeypatch.setattr(indices, "signal", lambda s, d: changed(original(s, d)))
    gates = indices.index_gates(by_likelihood(neo), seed=1)
    assert [gate.found for gate in gates if not gate.passed] == [
        "0.03 to 0.15 (perfect: 0), elsewhere or of other signs"
    ]


def test_what_a_questionnaire_cannot_show_is_expected_to_be_none(instruments: Any) -> None:
    mini = instruments["mini_ipip"]
    plus = tuple(item for item in mini.items if item.keyed == "plus")
    published = (*FORMS[::2], dataclasses.replace(FORMS[0], form="digits-b", wording="b"))
    asked = by_likelihood(mini.model_copy(update={"items": plus}), published)
    gates = {gate.gate: gate for gate in indices.index_gates(asked, seed=1)}
    assert gates["order-biased"].found == "none (perfect: none)"
    assert gates["acquiescent"].found == "none (all high: none)"
    assert all(gate.passed for gate in gates.values())


def test_human_accuracy_by_folding_the_items_distributions(neo: Any) -> None:
    asked = by_likelihood(neo)
    for one in scoring.scorings(neo):
        found = human.human_accuracy(neo.norms, asked, one)
        for trait, name in enumerate(("openness", "conscientiousness", "extraversion")):
            norm = neo.norms.traits[name]
            for high in (True, False):
                q = (norm.mean + (0.8 if high else -0.8) * norm.sd - 1) / 4
                item = [1.0]
                for _ in range(4):
                    item = np.convolve(item, [1 - q, q]).tolist()
                total = [1.0]
                for _ in range(24):
                    total = np.convolve(total, item).tolist()
                means = 1 + np.arange(len(total)) / 24
                if one.protocol == "released":
                    means = 6 - means
                reaches = np.array(total)[means >= one.cut[trait] - 1e-12].sum()
                rows = asked.targets[:, trait] == high
                expected = reaches if high else 1 - reaches
                assert found[rows, trait] == pytest.approx(np.full(16, expected))


def test_the_reference_of_people(neo: Any) -> None:
    asked = by_likelihood(neo)
    rows = [
        human.human_gate(asked, one, neo.norms, repeats=25, seed=1)[1]
        for one in scoring.scorings(neo)
    ]
    assert [(row["protocol"], row["cut"]) for row in rows] == [
        ("released", "3.0, as published"),
        ("corrected", "3.0, as published"),
        ("likelihood", "3.0, as published"),
        ("corrected", "norms of the original form"),
        ("likelihood", "norms of the original form"),
    ]
    released, *_, at_norms = rows
    # People score above 3 in most traits, whatever their profile.
    assert released["exact_match"] < 0.01
    assert rows[2]["exact_match"] < 0.2
    assert at_norms["exact_match"] > 0.9
    assert at_norms["exact_match"] == pytest.approx(
        np.prod(list(at_norms["accuracy"].values())), abs=0.01
    )


def test_cuts_are_named_as_in_the_metrics(neo: Any) -> None:
    named = {one.cut_name: one.cut.tolist() for one in scoring.scorings(neo)}
    assert named == {name: cut.tolist() for name, cut in cuts_of(neo).items()}


def test_words_of_a_gate() -> None:
    assert equal("a", "b", expected="1", found="1").passed
    assert not equal("a", "b", expected="1", found="2").passed
    assert (figure(0.1 + 0.2), figure(-1e-12), figure(2.0)) == ("0.3", "0", "2")
    assert (span([0.2, 0.2 + 1e-12]), span([1.0, 0.5])) == ("0.2", "0.5 to 1")
    # Of 100 with 1 in 32 each: at most 5 in 10,000 on either side of 0 to 10.
    bands = [
        within_band("a", "b", hits=h, cells=100, share=h / 100, chance=1 / 32) for h in (0, 10, 11)
    ]
    assert bands[0].expected == "0 to 10 of 100"
    assert [gate.passed for gate in bands] == [True, True, False]
    of_others = within_band("a", "b", hits=3, cells=100, share=0.97, chance=1 / 32)
    assert not of_others.passed
    assert of_others.found == "3 of 100, but 97 by the share"
    # A third of 96 is no binary number.
    assert counted(32, 96, share=1 / 3) == "32/96"


def quick(monkeypatch: Patch) -> None:
    """Without the simulations."""
    monkeypatch.setattr(check, "statistic_gates", lambda *_, **__: [])


def test_all_gates_in_one_report(monkeypatch: Patch, instruments: Any) -> None:
    quick(monkeypatch)
    settings = GatesSettings()
    report = check.run_gates(instruments["mini_ipip_10"], FORMS, RELEASED, settings)
    assert report["passed"] is True
    assert report["reference"] is None
    assert set(report["gates"][0]) == {"gate", "of", "expected", "found", "passed"}
    of = [gate["of"] for gate in report["gates"] if gate["gate"] == "perfect"]
    averaged, areas = "likelihood, forms averaged", "likelihood, AUC"
    assert of == ["released", "corrected", "likelihood", averaged, areas]
    report = check.run_gates(instruments["ipip_neo_120"], FORMS, RELEASED, settings)
    assert report["reference"]["level_in_sd"] == 0.8
    assert "Kajonius and Johnson" in report["reference"]["norms"]
    json.dumps(report, allow_nan=False)


def test_one_form_is_too_few(instruments: Any) -> None:
    with pytest.raises(ValueError, match="at least two forms, found 1; raise forms.wordings"):
        check.run_gates(instruments["mini_ipip_10"], FORMS[:1], RELEASED, GatesSettings())


def test_a_perfect_respondent_is_one_of_32_profiles(instruments: Any) -> None:
    asked = by_likelihood(instruments["mini_ipip"])
    y = scoring.scores_of(PERFECT.answer(asked, seed=0), asked, protocol="likelihood")
    patterns = {tuple(row) for row in np.round(y[:, 0]).astype(int).tolist()}
    assert len(patterns) == 32
    assert set(itertools.chain(*patterns)) == {1, 5}
