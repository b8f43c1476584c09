"""Gates go through the forms, the prompts and the parser: each of these, made wrong, fails them."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gated import AUTHORED, FORMS, RELEASED, failed, of_respondents

from mimic.forms.authored import ORDERS, Authored, Form, build_form
from mimic.forms.released import Released
from mimic.gates import asking
from mimic.gates.asking import asked_of, read_by_likelihood, read_in_words, reading_gates
from mimic.gates.gate import Gate
from mimic.gates.option_words import agreements, listed
from mimic.questionnaire import in_words, parsing, rows

Patch = pytest.MonkeyPatch


def changed(change: Callable[[dict[str, Any]], None], name: str) -> Released:
    """The prompts file with one format made otherwise."""
    values = RELEASED.model_dump(mode="json")
    change(values["formats"][name])
    return Released.model_validate(values)


def reverse_options(format: dict[str, Any]) -> None:
    """Least like me first, in the list of the prompt too."""
    options, lines = format["options"], format["request"].splitlines()
    first = next(n for n, line in enumerate(lines) if line.endswith(options[0]))
    for n, option in enumerate(options):
        lines[first + n] = lines[first + n].removesuffix(option) + options[4 - n]
    format["options"], format["request"] = options[::-1], "\n".join(lines)


def failed_readings(instrument: Any, forms: Any = FORMS, released: Any = RELEASED) -> list[Gate]:
    gates = reading_gates(read_by_likelihood(instrument, forms), of="likelihood")
    gates += reading_gates(read_in_words(instrument, released), of="in words")
    return [gate for gate in gates if not gate.passed]


@pytest.mark.parametrize("name", list(AUTHORED.formats))
@pytest.mark.parametrize("order", ORDERS)
def test_every_authored_format_tells_its_order_by_its_words(name: str, order: str) -> None:
    form = build_form(AUTHORED, format_name=name, wording="describes", order=order)
    words = listed(form.instruction, form.answers)
    assert words is not None
    assert agreements(words) == (1, 2, 3, 4, 5)


def test_the_released_formats_tell_theirs() -> None:
    for form in RELEASED.by_name().values():
        words = listed(form.request, getattr(form, "symbols", form.options))
        assert words == form.options
        assert agreements(words) == (5, 4, 3, 2, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("definitely false", "mostly false", "neither", "mostly true", "true"), (1, 2, 3, 4, 5)),
        (
            ("like me", "not like me", "undecided", "not very much like me", "a little like me"),
            (5, 1, 3, 2, 4),
        ),
        # What is often or seldom isn't told, nor is what has the same strength twice.
        (("never", "rarely", "sometimes", "often", "always"), None),
        (("very true", "extremely true", "neutral", "untrue", "very untrue"), None),
        (("trifft zu", "trifft eher zu", "teils", "trifft eher nicht zu", "trifft nicht zu"), None),
    ],
)
def test_what_words_say(options: tuple[str, ...], said: tuple[int, ...] | None) -> None:
    assert agreements(options) == said


def test_a_list_is_five_lines_with_an_answer_each() -> None:
    text = "Pick 1 of 5.\n\nvery true: 1\n2) true\n\n3. neither\n4 false\n5 = very false\nBye 1"
    assert listed(text, ("1", "2", "3", "4", "5")) == (
        *("very true", "true", "neither", "false", "very false"),
    )
    assert listed("1 = yes, 2 = no\n3\n4\n5\n", ("1", "2", "3", "4", "5")) is None


def swapped(values: Form, order: tuple[int, ...]) -> Form:
    return dataclasses.replace(values, answers=tuple(values.answers[n] for n in order))


def test_a_form_whose_answers_are_reversed(neo: Any) -> None:
    forms = [swapped(FORMS[0], (4, 3, 2, 1, 0)), *FORMS[1:]]
    gates = failed_readings(neo, forms)
    assert [(gate.gate, gate.of, gate.found) for gate in gates] == [
        ("options", "likelihood, digits", "5, 4, 3, 2, 1 and 1, 2, 3, 4, 5")
    ]
    found = of_respondents(neo, forms=forms)
    assert {("perfect", "likelihood"), ("inverted", "likelihood")} <= failed(found)
    assert not [of for _, of in failed(found) if of.startswith(("released", "corrected"))]
    table = {(gate.gate, gate.of): gate.found for gate in found}
    assert table["perfect", "likelihood"] == "96/128"


def test_two_options_that_are_exchanged(neo: Any) -> None:
    """No decision of a perfect respondent shows them, but the scores do."""
    forms = [swapped(form, (0, 2, 1, 3, 4)) for form in FORMS]
    assert [gate.found for gate in failed_readings(neo, forms)] == ["1, 3, 2, 4, 5"] * 2
    assert ("wording-sensitive", "S") in failed(of_respondents(neo, forms=forms))


def test_a_format_that_says_the_wrong_end_is_first(neo: Any) -> None:
    values = AUTHORED.model_dump(mode="json")
    values["formats"]["numbers"]["first"] = "most"
    authored = Authored.model_validate(values)
    forms = [
        build_form(authored, format_name="numbers", wording="describes", order=order)
        for order in ORDERS
    ]
    assert [gate.found for gate in failed_readings(neo, forms)] == ["5, 4, 3, 2, 1"]
    assert ("perfect", "likelihood") in failed(of_respondents(neo, forms=forms))


@pytest.mark.parametrize("name", ["S1", "S2", "S3"])
def test_a_prompts_file_whose_options_are_reversed(neo: Any, name: str) -> None:
    released = changed(reverse_options, name)
    gates = failed_readings(neo, released=released)
    assert [(gate.of, gate.found) for gate in gates] == [(f"in words, {name}", "5, 4, 3, 2, 1")]
    gates = of_respondents(neo, released=released)
    table = {(gate.gate, gate.of): gate.found for gate in gates if not gate.passed}
    for protocol in ("released", "corrected"):
        assert {("perfect", protocol), ("inverted", protocol)} <= set(table)
    assert table["perfect", "released"] == "32/96"
    assert table["perfect", "corrected"] == "64/96"
    assert not [of for _, of in table if of.startswith("likelihood")]


def test_a_prompt_that_lists_the_numbers_the_other_way_round(neo: Any) -> None:
    """The options of the file stand as published, but the prompt gives them other numbers."""

    def renumber(format: dict[str, Any]) -> None:
        request = format["request"]
        for number, option in enumerate(format["options"], start=1):
            request = request.replace(f"{number} = {option}\n", f"{6 - number} = {option}\n")
        format["request"] = request

    gates = failed_readings(neo, released=changed(renumber, "S1"))
    assert [(gate.of, gate.found) for gate in gates] == [("in words, S1", "5, 4, 3, 2, 1")]


def reads(monkeypatch: Patch, option: Callable[[int | None], int | None]) -> None:
    """A parser that takes one option for another."""

    def parse(answer: str, format: Any) -> parsing.Parsed:
        return parsing.Parsed(option(parsing.parse(answer, format).option), "")

    monkeypatch.setattr(in_words, "parse", parse)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (lambda read: read and 6 - read, {"perfect", "inverted", "at the cut", "human-like"}),
        (lambda read: read and min(read + 1, 5), {"at the cut", "human-like"}),
        (lambda read: read or 1, {"unparsed"}),
        (lambda read: None, {"perfect", "inverted", "constant 1 to 5"}),
    ],
    ids=["reversed", "one too many", "something in nothing", "nothing"],
)
def test_a_parser_that_misreads(
    monkeypatch: Patch, neo: Any, option: Callable[[int | None], int | None], expected: set[str]
) -> None:
    reads(monkeypatch, option)
    found = failed(of_respondents(neo))
    assert expected <= {gate for gate, of in found if of in ("released", "corrected")}
    assert not [of for _, of in found if of.startswith("likelihood")]


def test_a_parser_that_knows_letters_only_without_brackets(monkeypatch: Patch, neo: Any) -> None:
    assert not failed_readings(neo)
    monkeypatch.setattr(parsing, "_BRACKETED", re.compile("(?!)(.)"))
    assert [gate.found for gate in failed_readings(neo)] == ["1, 2, 3, 4, 5 and 0, 0, 0, 0, 0"]


def test_rows_that_take_the_options_the_other_way_round(monkeypatch: Patch, neo: Any) -> None:
    original = rows.row_of

    def reversed_row(asked: Any, probabilities: list[float]) -> dict[str, Any]:
        return original(asked, probabilities[::-1])

    monkeypatch.setattr(rows, "row_of", reversed_row)
    assert [gate.found for gate in failed_readings(neo)] == ["5, 4, 3, 2, 1"] * 2
    assert ("perfect", "likelihood") in failed(of_respondents(neo))


def test_rows_that_ignore_the_keying(monkeypatch: Patch, neo: Any) -> None:
    original = rows.likelihood_scores
    monkeypatch.setattr(
        rows, "likelihood_scores", lambda options, keyed: original(options, np.array([True]))
    )
    found = [gate.found for gate in failed_readings(neo)]
    assert found == ["1, 2, 3, 4, 5 and 5, 4, 3, 2, 1"] * 2


def test_words_that_do_not_tell_their_order_are_named(neo: Any) -> None:
    def translate(format: dict[str, Any]) -> None:
        words = ("trifft zu", "trifft eher zu", "teils", "trifft eher nicht zu", "trifft nicht zu")
        for mine, other in zip(format["options"], words, strict=True):
            format["request"] = format["request"].replace(f"= {mine}\n", f"= {other}\n")
        format["options"] = words

    readings = read_in_words(neo, changed(translate, "S1"))
    first, *others = reading_gates(readings, of="in words")
    assert first.passed
    assert first.found == first.expected
    assert first.found.startswith("1, 2, 3, 4, 5, in the order of the file")
    assert [gate.found for gate in others] == ["1, 2, 3, 4, 5"] * 2


def test_each_agreement_is_counted_in_its_form(neo: Any) -> None:
    words = asked_of(neo, read_in_words(neo, RELEASED))
    assert words.counted == ((0, 5, 4, 3, 2, 1),) * 3
    agreement = np.full(words.shape, math.nan)
    agreement[0, :, :6] = (5.0, 4.0, 3.2, 1.6, 1.0, math.nan)
    assert words.options(agreement)[0, 1, :6].tolist() == [1, 2, 3, 4, 5, 0]
    assert (words.options(agreement)[1:] == 0).all()
    by_row = asked_of(neo, read_by_likelihood(neo, [swapped(FORMS[0], (1, 0, 2, 3, 4)), FORMS[1]]))
    meant = np.random.default_rng(1).random((*by_row.shape, 5))
    found = by_row.probabilities(meant)
    assert np.array_equal(found[:, 1], meant[:, 1])
    assert np.array_equal(found[:, 0], meant[:, 0][..., [1, 0, 2, 3, 4]])
    often = by_row.repeated(3)
    assert often.shape == (32, 6, 120)
    assert np.array_equal(often.probabilities(np.tile(meant, (1, 3, 1, 1)))[:, 4:], found)


def test_each_form_is_read_once_however_often_it_is_asked(monkeypatch: Patch, neo: Any) -> None:
    calls: list[str] = []
    original = asking.in_words.parse
    monkeypatch.setattr(
        in_words, "parse", lambda text, form: (calls.append(text), original(text, form))[1]
    )
    of_respondents(neo, repeats=50)
    # Five options and nothing; letters in brackets, and in words, besides.
    assert len(calls) == 3 * 6 + 2 * 5
