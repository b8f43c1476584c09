from pathlib import Path

import pytest
import yaml

from mimic.forms.authored import build_form, draw_forms, load_authored

AUTHORED = Path(__file__).parents[2] / "config/forms/authored.yaml"


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
    ],
)
def test_agreement_follows_the_meaning_and_not_the_place(authored, name, order, most, least):
    form = build_form(authored, format_name=name, wording="fits", order=order)
    assert form.answers[4] == most
    assert form.answers[0] == least
    assert len(set(form.answers)) == 5


def test_reversed_order_lists_the_least_like_me_option_first(authored):
    form = build_form(authored, format_name="digits", wording="fits", order="reversed")
    listed = form.instruction.splitlines()[2:]
    assert listed[0] == "1 = not like me at all"
    assert listed[-1] == "5 = very much like me"


def test_draw_has_both_orders_of_each_wording_and_is_seeded(authored):
    forms = draw_forms(authored, formats=("digits", "letters"), wordings=2, seed=3)
    assert len(forms) == len({form.form for form in forms}) == 8
    by_wording: dict = {}
    for form in forms:
        by_wording.setdefault((form.format, form.wording), set()).add(form.order)
    assert all(orders == {"published", "reversed"} for orders in by_wording.values())
    assert len({wording for _, wording in by_wording}) == 4
    again = draw_forms(authored, formats=("digits", "letters"), wordings=2, seed=3)
    assert forms == again
    assert forms != draw_forms(authored, formats=("digits", "letters"), wordings=2, seed=4)


def test_wrong_names_and_counts_say_what_is_allowed(authored):
    with pytest.raises(ValueError, match=r"no format 'likert'; authored are digits"):
        draw_forms(authored, formats=("likert",), wordings=1, seed=1)
    with pytest.raises(ValueError, match="only 6 are authored"):
        draw_forms(authored, formats=("digits",), wordings=7, seed=1)


def test_equal_options_are_refused(tmp_path):
    values = yaml.safe_load(AUTHORED.read_text())
    values["formats"]["digits"]["symbols"][1] = "1"
    path = tmp_path / "forms.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ValueError, match=r"(?s)forms.yaml.*formats.digits.*five symbols must"):
        load_authored(path)
