"""The gates: they pass on the code as it is, and each fails when what it is there for is broken."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mimic.gates import check, human, indices, respondents, scoring
from mimic.gates.gate import Gate, counted, equal, figure, span, within_band
from mimic.gates.settings import GatesSettings
from mimic.metrics.run import cuts_of
from mimic.questionnaire import protocols
from mimic.questionnaire.instruments import load_instrument
from mimic.respondents.synthetic import PERFECT, Questionnaire
from mimic.stats.bootstrap import Form

FORMS = tuple(
    Form(f"{fmt}-a-{order}", fmt, "a", order)
    for fmt in ("digits", "letters")
    for order in ("published", "reversed")
)
Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def instruments(project: Path) -> dict[str, Any]:
    paths = (project / "config/instruments").glob("*.yaml")
    return {path.stem: load_instrument(path) for path in paths}


@pytest.fixture(scope="module")
def neo(instruments: dict[str, Any]) -> Any:
    return instruments["ipip_neo_120"]


def of_respondents(instrument: Any, *, repeats: int = 25) -> list[Gate]:
    """The gates of protocols and indices."""
    asked = scoring.questionnaire(instrument, FORMS)
    found: list[Gate] = []
    for one in scoring.scorings(instrument):
        found += respondents.respondent_gates(asked, one, repeats=repeats, seed=1)
        if instrument.norms is not None:
            found.append(human.human_gate(asked, one, instrument.norms, repeats=repeats, seed=1)[0])
    return found + indices.index_gates(asked, seed=1)


def failed(gates: list[Gate]) -> set[tuple[str, str]]:
    return {(gate.gate, gate.of) for gate in gates if not gate.passed}


@pytest.mark.parametrize("name", ["ipip_neo_120", "ipip_bffm_50", "mini_ipip", "mini_ipip_10"])
def test_all_pass_on_each_instrument(instruments: dict[str, Any], name: str) -> None:
    gates = of_respondents(instruments[name])
    assert failed(gates) == set()
    table = {(gate.gate, gate.of): gate.found for gate in gates}
    # The table, for four forms: so many of 32 in each of them.
    for of, perfect, inverted in (
        ("released", "0/128", "128/128"),
        ("corrected", "128/128", "0/128"),
        ("likelihood", "128/128", "0/128"),
    ):
        assert table["perfect", of] == perfect
        assert table["inverted", of] == inverted
        assert table["constant 1 to 5", of] == "4/128 each"
    assert table["unparsed", "released"] == "4/128"
    assert table["unparsed", "corrected"] == "0/128, all without decision"
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
    original = scoring.hit_counts
    monkeypatch.setattr(scoring, "hit_counts", lambda d, b, t: original(d, b, ~t))
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
    assert {gate.found for gate in gates if not gate.passed} == {"4/128"}


def test_a_scorer_that_knows_the_target(monkeypatch: Patch, neo: Any) -> None:
    original, original_answers = scoring.scores_of, scoring.answers_of

    def knowing(agreement: np.ndarray, asked: Questionnaire, **protocol: Any) -> np.ndarray:
        return original(agreement, asked, **protocol) + 0.2 * asked.levels

    def answers_knowing(agreement: np.ndarray, asked: Questionnaire) -> Any:
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

    def three(agreement: np.ndarray, asked: Questionnaire, one: scoring.Scoring) -> Any:
        return original(
            agreement, asked, scoring.Scoring(one.protocol, np.full(5, 3.0), by_norms=False)
        )

    monkeypatch.setattr(human, "found_of", three)
    expected = {("human-like", "corrected, norms"), ("human-like", "likelihood, norms")}
    assert failed(of_respondents(neo)) == expected


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
    found = failed(indices.index_gates(scoring.questionnaire(neo, FORMS), seed=1))
    assert {one for one, _ in found} == {gate}


def test_crosstalk_of_the_wrong_sign(monkeypatch: Patch, neo: Any) -> None:
    original = indices.signal
    monkeypatch.setattr(indices, "signal", lambda s, d: np.abs(original(s, d)))
    gates = indices.index_gates(scoring.questionnaire(neo, FORMS), seed=1)
    assert [gate.found for gate in gates if not gate.passed] == [
        "0.15 (perfect: 0), of other signs"
    ]


def test_what_a_questionnaire_cannot_show_is_expected_to_be_none(instruments: Any) -> None:
    mini = instruments["mini_ipip"]
    plus = tuple(item for item in mini.items if item.keyed == "plus")
    published = (*FORMS[::2], Form("digits-b-published", "digits", "b", "published"))
    asked = scoring.questionnaire(mini.model_copy(update={"items": plus}), published)
    gates = {gate.gate: gate for gate in indices.index_gates(asked, seed=1)}
    assert gates["order-biased"].found == "none (perfect: none)"
    assert gates["acquiescent"].found == "none (all high: none)"
    assert all(gate.passed for gate in gates.values())


def test_human_accuracy_by_folding_the_items_distributions(neo: Any) -> None:
    asked = scoring.questionnaire(neo, FORMS)
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
    asked = scoring.questionnaire(neo, FORMS)
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
    report = check.run_gates(instruments["mini_ipip_10"], FORMS, settings)
    assert report["passed"] is True
    assert report["reference"] is None
    assert set(report["gates"][0]) == {"gate", "of", "expected", "found", "passed"}
    of = [gate["of"] for gate in report["gates"] if gate["gate"] == "perfect"]
    averaged, areas = "likelihood, forms averaged", "likelihood, AUC"
    assert of == ["released", "corrected", "likelihood", averaged, areas]
    report = check.run_gates(instruments["ipip_neo_120"], FORMS, settings)
    assert report["reference"]["level_in_sd"] == 0.8
    assert "Kajonius and Johnson" in report["reference"]["norms"]
    json.dumps(report, allow_nan=False)


def test_one_form_is_too_few(instruments: Any) -> None:
    with pytest.raises(ValueError, match="at least two forms, found 1; raise forms.wordings"):
        check.run_gates(instruments["mini_ipip_10"], FORMS[:1], GatesSettings())


def test_a_perfect_respondent_is_one_of_32_profiles(instruments: Any) -> None:
    asked = scoring.questionnaire(instruments["mini_ipip"], FORMS)
    y = scoring.scores_of(PERFECT.answer(asked, seed=0), asked, protocol="likelihood")
    patterns = {tuple(row) for row in np.round(y[:, 0]).astype(int).tolist()}
    assert len(patterns) == 32
    assert set(itertools.chain(*patterns)) == {1, 5}
