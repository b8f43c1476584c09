import re
from pathlib import Path

import pytest
import yaml

from mimic.forms.authored import ORDERS, build_form, load_authored, load_rewordings
from mimic.forms.draw import draw_forms, drawn_wordings

FORMS = Path(__file__).parents[2] / "config/forms"
AUTHORED = FORMS / "authored.yaml"


@pytest.fixture(scope="module")
def authored():
    return load_authored(AUTHORED)


@pytest.mark.parametrize(
    ("name", "order", "most", "least"),
    [
        ("digits", "published", "1", "5"),
        ("digits", "reversed", "5", "1"),
        ("letters", "published", "A", "E"),
        ("letters", "reversed", "E", "A"),
        ("phrases", "published", "agree", "disagree"),
        ("phrases", "reversed", "agree", "disagree"),
        ("numbers", "published", "5", "1"),
        ("numbers", "reversed", "1", "5"),
        ("agreement", "published", "strongly agree", "strongly disagree"),
        ("agreement", "reversed", "strongly agree", "strongly disagree"),
    ],
)
def test_agreement_follows_the_meaning_and_not_the_place(authored, name, order, most, least):
    form = build_form(authored, format_name=name, wording="fits", order=order)
    assert form.answers[4] == most
    assert form.answers[0] == least
    assert len(set(form.answers)) == 5


@pytest.mark.parametrize(
    ("name", "order", "first", "last"),
    [
        ("digits", "reversed", "1 = not like me at all", "5 = very much like me"),
        ("numbers", "published", "1: very inaccurate", "5: very accurate"),
        ("numbers", "reversed", "1: very accurate", "5: very inaccurate"),
        ("agreement", "published", "* strongly disagree", "* strongly agree"),
    ],
)
def test_options_are_listed_in_their_order(authored, name, order, first, last):
    form = build_form(authored, format_name=name, wording="fits", order=order)
    listed = form.instruction.splitlines()[2:]
    assert (listed[0], listed[-1]) == (first, last)


def test_there_are_five_formats_and_ten_wordings_no_two_alike(authored):
    assert len(authored.formats) == 5
    assert len(set(authored.wordings.values())) == len(authored.wordings) == 10


def test_every_wording_stands_in_every_format_and_order(authored):
    forms = draw_forms(authored, formats=("digits", "letters"), wordings=("fits", "rate"))
    cells = {(form.format, form.wording, form.order) for form in forms}
    assert len(forms) == len({form.form for form in forms}) == len(cells) == 8
    assert {order for _, _, order in cells} == set(ORDERS)


def test_more_wordings_than_are_for_tests_are_refused():
    parts = {"a": "test", "b": "train", "c": "test"}
    assert drawn_wordings(parts, part="test", count=2) == ("a", "c")
    with pytest.raises(ValueError, match=r"forms\.wordings is 3, but only 2 of the 3 authored"):
        drawn_wordings(parts, part="test", count=3)


def test_equal_options_are_refused(tmp_path):
    values = yaml.safe_load(AUTHORED.read_text())
    values["formats"]["digits"]["symbols"][1] = "1"
    path = tmp_path / "forms.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ValueError, match=r"(?s)forms.yaml.*formats.digits.*five symbols must"):
        load_authored(path)


def test_a_phrase_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "rewordings.yaml"
    items = {"Trust others": ["Rely on people", "Have faith in others", "trust Others"]}
    path.write_text(yaml.safe_dump({"version": 1, "items": items}))
    with pytest.raises(ValueError, match=r"(?s)rewordings.yaml.*'trust Others' stands under"):
        load_rewordings(path)
    items["Trust others"].pop()
    path.write_text(yaml.safe_dump({"version": 1, "items": items}))
    with pytest.raises(ValueError, match=r"(?s)rewordings\.yaml.*items\.Trust others"):
        load_rewordings(path)


def test_an_item_without_rewordings_has_its_own_words_alone():
    rewordings = load_rewordings(FORMS / "rewordings.yaml")
    assert rewordings.variants("Not an item") == ("Not an item",)
    assert len(rewordings.variants("worry about THINGS")) == 4


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("digits", "{symbl} = {option}", "{symbl} is no placeholder; allowed are {symbol}, {opt"),
        ("digits", "{option}", "the line '{option}' lacks {symbol}"),
        ("letters", "({symbol})", "lacks {option}"),
        ("letters", "({symbol} {option", "a brace that is meant literally is doubled"),
        ("phrases", "- an option", "lacks {option}"),
        ("phrases", "{symbol} {option}", "{symbol} is no placeholder; allowed are {option}"),
    ],
)
def test_a_line_that_would_not_show_the_options_is_refused(tmp_path, name, line, message):
    values = yaml.safe_load(AUTHORED.read_text(encoding="utf-8"))
    values["formats"][name]["line"] = line
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        load_authored(path)
    assert f"formats.{name}" in str(error.value)
