"""config/forms/released.yaml and files of its layout."""

import pytest
import yaml

from mimic.conditioning import described
from mimic.forms.released import load_released
from mimic.traits import Profile


@pytest.fixture
def values(project):
    return yaml.safe_load((project / "config/forms/released.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def refused(values, tmp_path):
    """Writes the changed values and gives the message that refuses them."""

    def message():
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        with pytest.raises(ValueError) as caught:
            load_released(path)
        assert str(path) in str(caught.value)
        return str(caught.value)

    return message


def test_the_options_are_those_of_the_reference_study_in_published_order(project):
    formats = load_released(project / "config/forms/released.yaml").by_name()
    assert list(formats) == ["S1", "S2", "S3"]
    assert formats["S1"].options == (
        "very much like me",
        "like me",
        "neither",
        "not like me",
        "not like me at all",
    )
    assert formats["S1"].symbols == ("1", "2", "3", "4", "5")
    assert formats["S2"].options == (
        "agree",
        "slightly agree",
        "neither agree nor disagree",
        "slightly disagree",
        "disagree",
    )
    assert formats["S3"].options == (
        "very accurate",
        "moderately accurate",
        "neither",
        "moderately inaccurate",
        "very inaccurate",
    )
    assert formats["S3"].symbols == ("A", "B", "C", "D", "E")


@pytest.mark.parametrize(
    ("name", "line"),
    [("S1", "{symbol} = {option}"), ("S2", "{option}"), ("S3", "({symbol}) {option}")],
)
def test_requests_list_all_options_in_published_order(project, name, line):
    form = load_released(project / "config/forms/released.yaml").by_name()[name]
    symbols = getattr(form, "symbols", form.options)
    listed = [
        line.format(symbol=symbol, option=option)
        for symbol, option in zip(symbols, form.options, strict=True)
    ]
    assert "\n" + "\n".join(listed) + "\n" in form.request


@pytest.mark.parametrize("name", ["S1", "S2", "S3"])
def test_filled_requests_hold_target_item_and_the_text_only_where_there_is_one(project, name):
    form = load_released(project / "config/forms/released.yaml").by_name()[name]
    target = described(Profile.parse("O+C-E+A-N+"))
    assert target.startswith("a person with high openness, low conscientiousness")
    plain = form.filled(target=target, text=None, item="I like order.")
    assert f"as if you are {target}." in plain
    assert "Statement: I like order." in plain
    assert f'"{form.lead}"' in plain
    assert "wrote" not in plain
    # What is put in isn't looked at for braces or paragraphs.
    text = "One {item} day.\n\nThen {nothing}."
    own = form.filled(target=target, text=text, item="I like order.")
    assert f"Earlier you wrote this text:\n{text}\n\n" in own
    assert own.replace(f"Earlier you wrote this text:\n{text}\n\n", "") == plain


def test_doubled_braces_are_literal_and_a_request_may_do_without_text(values, tmp_path):
    form = values["formats"]["S2"]
    form["request"] = "{target} {{x}}: {item} agree slightly agree neither agree nor disagree "
    form["request"] += "slightly disagree disagree My  REPLY\nis"
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    loaded = load_released(path).by_name()["S2"]
    assert loaded.filled(target="T", text=None, item="I.").startswith("T {x}: I. agree")
    with pytest.raises(ValueError, match=r"has no \{text\}; add a paragraph"):
        loaded.filled(target="T", text="Hello.", item="I.")


@pytest.mark.parametrize("placeholder", ["{trait}", "{}", "{item!r}", "{item:>9}", "{item.text}"])
def test_unknown_placeholders_are_refused(values, refused, placeholder):
    values["formats"]["S1"]["request"] += f" {placeholder}"
    message = refused()
    assert "formats.S1.request" in message
    assert f"{placeholder} is no placeholder; allowed are {{target}}, {{item}}, {{text}}" in message


def test_a_single_brace_is_refused(values, refused):
    values["formats"]["S3"]["request"] += " {"
    message = refused()
    assert "formats.S3.request" in message
    assert "a brace that is meant literally is doubled" in message


@pytest.mark.parametrize("name", ["target", "item"])
def test_a_missing_placeholder_is_refused(values, refused, name):
    form = values["formats"]["S3"]
    form["request"] = form["request"].replace(f"{{{name}}}", "it")
    message = refused()
    assert "formats.S3.request" in message
    assert f"lacks {{{name}}}" in message


def test_a_text_within_another_paragraph_is_refused(values, refused):
    values["formats"]["S1"]["request"] += "\n\n{text} {item}"
    assert "{text} needs a paragraph of its own" in refused()


@pytest.mark.parametrize(("old", "new"), [("My reply is", "I say"), ("slightly agree", "perhaps")])
def test_a_request_that_asks_for_other_words_than_are_read_is_refused(values, refused, old, new):
    form = values["formats"]["S2"]
    form["request"] = form["request"].replace(old, new)
    message = refused()
    assert "formats.S2.request" in message
    assert f"doesn't name {old!r}" in message


def test_there_are_exactly_the_three_formats(values, refused):
    third = values["formats"].pop("S3")
    assert "formats.S3" in refused()
    values["formats"]["S4"] = third
    message = refused()
    assert "formats.S4: no such setting;" in message
    assert "allowed here: S1, S2, S3" in message


def test_symbols_are_fixed(values, refused):
    values["formats"]["S1"]["symbols"] = ["5", "4", "3", "2", "1"]
    assert "formats.S1.symbols.0 = '5': Input should be '1'" in refused()
    values["formats"]["S1"]["symbols"] = ["1", "2", "3", "4", "5"]
    values["formats"]["S2"]["symbols"] = ["1", "2", "3", "4", "5"]
    assert "formats.S2.symbols: no such setting" in refused()


@pytest.mark.parametrize("option", ["Agree ", " "])
def test_options_differ_and_are_not_empty(values, refused, option):
    values["formats"]["S2"]["options"][4] = option
    assert "formats.S2.options" in refused()


def test_files_that_cannot_be_read_are_named(tmp_path):
    missing = tmp_path / "none.yaml"
    with pytest.raises(ValueError, match="none.yaml: can't be read"):
        load_released(missing)
    missing.write_text("a: [", encoding="utf-8")
    with pytest.raises(ValueError, match="none.yaml: not valid YAML"):
        load_released(missing)
