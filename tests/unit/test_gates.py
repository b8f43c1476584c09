"""The gates: they pass on the code as it is, and each fails when what it is there for is broken."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gated import failed, of_respondents

from mimic.gates import human, scoring
from mimic.gates.asking import Asked
from mimic.metrics import questionnaire
from mimic.metrics.answers import Answers
from mimic.questionnaire import protocols

Patch = pytest.MonkeyPatch


@pytest.mark.parametrize("name", ["ipip_neo_120", "ipip_bffm_50", "mini_ipip", "mini_ipip_10"])
def test_all_pass_on_each_instrument(instruments: dict[str, Any], name: str) -> None:
    gates = of_respondents(instruments[name])
    assert failed(gates) == set()
    table = {(gate.gate, gate.of): gate.found for gate in gates}
    # The table, for three formats in words and four forms: so many of 32 in each of them.
    for of, perfect, inverted, one_each in (
        ("released", "0/96", "96/96", "3/96"),
        ("corrected", "96/96", "0/96", "3/96"),
        ("likelihood", "128/128", "0/128", "4/128"),
    ):
        assert table["perfect", of] == perfect
        assert table["inverted", of] == inverted
        assert table["constant 1 to 5", of] == f"{one_each} each"
    assert table["unparsed", "released"] == "3/96"
    assert table["unparsed", "corrected"] == "0/96, all without decision"
    assert table["unparsed", "likelihood"] == "0/128, all without decision"
    assert table["perfect", "likelihood, forms averaged"] == "32/32"
    assert table["constant 1 to 5", "likelihood, forms averaged"] == "1/32 each"
    areas = [table[gate, "likelihood, AUC"] for gate in ("perfect", "inverted", "constant 1 to 5")]
    assert areas == ["1", "0", "0.5"]
    by_norms = {of for _, of in table if "norms" in of}
    assert bool(by_norms) == (instruments[name].norms is not None)


def of_released(protocol: str) -> Callable[..., np.ndarray]:
    def scores(option: np.ndarray, keyed_plus: np.ndarray, *, protocol: str = protocol) -> Any:
        other = {"released": "corrected", "corrected": "released"}[protocol]
        return protocols.item_scores(option, keyed_plus, protocol=other)  # type: ignore[arg-type]

    return scores


def test_an_inverted_scorer(monkeypatch: Patch, neo: Any) -> None:
    monkeypatch.setattr(scoring, "item_scores", of_released("released"))
    found = failed(of_respondents(neo))
    for of in ("released", "corrected"):
        assert {("perfect", of), ("inverted", of), ("human-like", of)} <= found
        assert ("half-perfect", f"{of}, accuracy") in found
    # Likelihood doesn't score options, and those who are blind to the target get the same anyway.
    assert not [one for one in found if one[1].startswith("likelihood")]
    assert not [one for one in found if one[0] in ("constant 1 to 5", "random")]


def test_a_cut_that_is_not_reached_by_what_lies_on_it(monkeypatch: Patch, neo: Any) -> None:
    original = protocols.decisions

    def above(scores: np.ndarray, *, cut: Any, protocol: Any) -> np.ndarray:
        return original(scores, cut=np.nextafter(cut, 5), protocol=protocol)

    monkeypatch.setattr(protocols, "decisions", above)
    found = failed(of_respondents(neo))
    assert {("at the cut", "released"), ("at the cut", "corrected")} <= found
    assert {gate for gate, _ in found} <= {"at the cut", "human-like"}
    assert not [of for _, of in found if of.startswith("likelihood")]


def fidelity_that(**changes: Any) -> Callable[..., Any]:
    """`answer_fidelity` with another cut or other targets."""
    original = scoring.answer_fidelity

    def changed(y: Any, traits: Any, targets: np.ndarray, *, cut: Any) -> Any:
        if changes.get("inverted"):
            targets = ~targets
        return original(y, traits, targets, cut=cut + changes.get("above", 0))

    return changed


def test_targets_of_the_metrics_that_are_inverted(monkeypatch: Patch, neo: Any) -> None:
    monkeypatch.setattr(scoring, "answer_fidelity", fidelity_that(inverted=True))
    gates = of_respondents(neo, repeats=3)
    found = failed(gates)
    assert {
        *((name, "likelihood") for name in ("perfect", "inverted", "at the cut", "human-like")),
        *((name, "likelihood, forms averaged") for name in ("perfect", "inverted", "at the cut")),
        *((name, "likelihood, AUC") for name in ("perfect", "inverted", "half-perfect")),
        *((name, "likelihood, norms") for name in ("perfect", "inverted", "human-like")),
        *((name, "likelihood, norms, forms averaged") for name in ("perfect", "inverted")),
        ("half-perfect", "likelihood, accuracy"),
        ("half-perfect", "likelihood, norms, accuracy"),
    } <= found
    assert not [of for _, of in found if not of.startswith("likelihood")]
    table = {(gate.gate, gate.of): gate.found for gate in gates}
    assert table["perfect", "likelihood"] == "128/128, but 0 by the share"
    assert table["perfect", "likelihood, AUC"] == "0"


@pytest.mark.parametrize(
    ("field", "of"),
    [
        ("exact_match", {"", ", norms"}),
        ("exact_match_averaged", {", forms averaged", ", norms, forms averaged"}),
        ("accuracy", {", accuracy", ", norms, accuracy"}),
        ("auc", {", AUC"}),
    ],
)
def test_each_figure_of_the_metrics_has_its_gates(
    monkeypatch: Patch, neo: Any, field: str, of: set[str]
) -> None:
    original = scoring.answer_fidelity

    def inverted(*arguments: Any, **keywords: Any) -> Any:
        found = original(*arguments, **keywords)
        return found._replace(**{field: 1 - getattr(found, field)})

    monkeypatch.setattr(scoring, "answer_fidelity", inverted)
    assert {of for _, of in failed(of_respondents(neo, repeats=3))} == {
        f"likelihood{one}" for one in of
    }


def test_a_cut_of_the_metrics_that_is_another(monkeypatch: Patch, neo: Any) -> None:
    monkeypatch.setattr(scoring, "answer_fidelity", fidelity_that(above=0.01))
    gates = of_respondents(neo, repeats=3)
    found = {gate: gate.found for gate in gates if not gate.passed}
    by_name = {(gate.gate, gate.of): words for gate, words in found.items()}
    assert by_name["at the cut", "likelihood"] == "128/128, but 4 by the share"
    assert by_name["at the cut", "likelihood, forms averaged"] == "1/32"
    assert {gate for gate, _ in by_name} <= {"at the cut", "random", "human-like"}


def test_hits_that_do_not_fit_the_share(monkeypatch: Patch, neo: Any) -> None:
    original = questionnaire.hit_counts
    monkeypatch.setattr(questionnaire, "hit_counts", lambda d, b, t: original(d, b, ~t))
    found = failed(of_respondents(neo, repeats=3))
    assert {("perfect", "likelihood"), ("random", "likelihood")} <= found
    assert {of for _, of in found} == {"likelihood", "likelihood, norms"}


@pytest.mark.parametrize("name", ["item_scores", "likelihood_scores"])
def test_a_keying_that_is_ignored(monkeypatch: Patch, neo: Any, name: str) -> None:
    original = getattr(scoring, name)

    def all_plus(answers: np.ndarray, keyed_plus: np.ndarray, **protocol: Any) -> Any:
        return original(answers, np.ones_like(keyed_plus), **protocol)

    monkeypatch.setattr(scoring, name, all_plus)
    found = failed(of_respondents(neo))
    if name == "item_scores":
        assert {("perfect", "corrected"), ("inverted", "released")} <= found
        assert ("perfect", "likelihood") not in found
    else:
        assert {("perfect", "likelihood"), ("perfect", "likelihood, norms")} <= found
        assert ("perfect", "corrected") not in found


def test_scores_that_rest_on_a_mass_of_one(monkeypatch: Patch, neo: Any) -> None:
    original = scoring.likelihood_scores

    def unnormalised(options: np.ndarray, keyed_plus: np.ndarray) -> Any:
        found = original(options, keyed_plus)
        raw = found.raw * found.mass
        return found._replace(raw=raw, y=np.where(keyed_plus, raw, 6 - raw))

    monkeypatch.setattr(scoring, "likelihood_scores", unnormalised)
    found = failed(of_respondents(neo))
    assert {("wording-sensitive", "S"), ("acquiescent", "acquiescence")} <= found


def test_a_decision_where_nothing_was_answered(monkeypatch: Patch, neo: Any) -> None:
    original = protocols.decisions

    def low(scores: np.ndarray, *, cut: Any, protocol: Any) -> np.ndarray:
        return np.maximum(original(scores, cut=cut, protocol=protocol), 0)

    monkeypatch.setattr(protocols, "decisions", low)
    gates = of_respondents(neo)
    assert {gate for gate, _ in failed(gates)} == {"unparsed"}
    # What likelihood decides is the metrics' own: only its count of decisions is another.
    assert {gate.found for gate in gates if not gate.passed} == {"3/96", "0/128"}


@pytest.mark.parametrize("field", ["hits", "share"])
def test_answers_without_mass_that_decide(monkeypatch: Patch, neo: Any, field: str) -> None:
    in_the_middle = property(lambda answers: answers.y)
    if field == "hits":
        monkeypatch.setattr(Answers, "decided", in_the_middle)
    else:
        original = scoring.answer_fidelity

        def of_all(y: np.ndarray, *arguments: Any, **keywords: Any) -> Any:
            return original(np.nan_to_num(y, nan=3.0), *arguments, **keywords)

        monkeypatch.setattr(scoring, "answer_fidelity", of_all)
    gates = of_respondents(neo)
    assert ("unparsed", "likelihood") in failed(gates)
    found = {gate.found for gate in gates if gate.gate == "unparsed" and not gate.passed}
    assert found & (
        {"4/128, 1 parsed"}
        if field == "hits"
        else {"0/128, but 4 by the share, all without decision"}
    )


def test_a_scorer_that_knows_the_target(monkeypatch: Patch, neo: Any) -> None:
    original, original_answers = scoring.scores_of, scoring.answers_of

    def knowing(agreement: np.ndarray, asked: Asked, **protocol: Any) -> np.ndarray:
        return original(agreement, asked, **protocol) + 0.2 * asked.levels

    def answers_knowing(agreement: np.ndarray, asked: Asked) -> Any:
        answers = original_answers(agreement, asked)
        return dataclasses.replace(answers, y=answers.y + 0.2 * asked.levels)

    monkeypatch.setattr(scoring, "scores_of", knowing)
    monkeypatch.setattr(scoring, "answers_of", answers_knowing)
    assert {("random", of) for of in protocols.PROTOCOLS} <= failed(of_respondents(neo))


def test_accuracies_that_are_another_trait_s(monkeypatch: Patch, neo: Any) -> None:
    def mixed(original: Callable[..., Any], *fields: str) -> Callable[..., Any]:
        def figures(*arguments: Any, **keywords: Any) -> Any:
            found = original(*arguments, **keywords)
            return found._replace(**{field: getattr(found, field)[..., ::-1] for field in fields})

        return figures

    monkeypatch.setattr(scoring, "protocol_figures", mixed(protocols.protocol_figures, "accuracy"))
    monkeypatch.setattr(
        scoring, "answer_fidelity", mixed(scoring.answer_fidelity, "accuracy", "auc")
    )
    found = failed(of_respondents(neo))
    assert {gate for gate, _ in found} == {"half-perfect"}
    assert {of for _, of in found} == {
        "released, accuracy",
        "corrected, accuracy",
        "corrected, norms, accuracy",
        "likelihood, accuracy",
        "likelihood, norms, accuracy",
        "likelihood, AUC",
    }


def test_norms_that_are_not_the_cut(monkeypatch: Patch, neo: Any) -> None:
    original = human.found_of

    def three(agreement: np.ndarray, asked: Asked, one: scoring.Scoring) -> Any:
        return original(
            agreement, asked, scoring.Scoring(one.protocol, np.full(5, 3.0), by_norms=False)
        )

    monkeypatch.setattr(human, "found_of", three)
    expected = {("human-like", "corrected, norms"), ("human-like", "likelihood, norms")}
    assert failed(of_respondents(neo)) == expected
