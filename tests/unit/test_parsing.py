"""Answers as the protocol `released` reads them."""

import pytest

from mimic.forms.released import load_released
from mimic.questionnaire.parsing import EMPTY, NO_OPTION, OUT_OF_RANGE, Parsed, parse


@pytest.fixture(scope="module")
def formats(project):
    return load_released(project / "config/forms/released.yaml").by_name()


@pytest.mark.parametrize(
    ("answer", "option"),
    [
        ("My number is 4, because I am shy.", 4),
        ("My number is 1", 1),
        ("my NUMBER\n is: **5**. I would never", 5),
        ('Sure! As asked: "My number is “2”."', 2),
        ("My number is (3).", 3),
        ("My number is... 3", 3),
        ("My number is - 3", 3),
        ("My number is 4/5", 4),
        ("My number is 04", 4),
        ("My number is +4", 4),
        ("My number is 4️⃣.", 4),
        ("My number is 2 = like me", 2),
        ("My number is not 1, it is 5", 1),
        # Only what follows the lead-in counts, and the first lead-in.
        ("2 or so. My number is 3", 3),
        ("My number is 2. No, my number is 3.", 2),
        # Without a lead-in: at the start, else the first lone digit.
        ("5", 5),
        ("  \n3.\nI think", 3),
        ("_4_", 4),
        ("I would say 2.", 2),
        ("On a scale of 1-5 I'd say 4", 1),
        ("Option-3", 3),
        # An integer out of range at the start isn't the end: a lone digit is still looked for.
        ("7 out of 5", 5),
        ("10, I mean 4", 4),
        ("4.5 or rather 5", 5),
        ("My number is 3rd, 2", 2),
    ],
)
def test_s1_reads_an_integer_or_the_first_lone_digit(formats, answer, option):
    assert parse(answer, formats["S1"]) == Parsed(option, "")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("My number is 7", OUT_OF_RANGE),
        ("10", OUT_OF_RANGE),
        ("0", OUT_OF_RANGE),
        ("My number is 0 because", OUT_OF_RANGE),
        ("-3", OUT_OF_RANGE),
        ("My number is −3", OUT_OF_RANGE),
        ("45", OUT_OF_RANGE),
        ("4.5", OUT_OF_RANGE),
        ("My number is .5", OUT_OF_RANGE),
        ("1,2,3", OUT_OF_RANGE),
        ("My number is", NO_OPTION),
        ("My number is five.", NO_OPTION),
        ("very much like me", NO_OPTION),
        ("3rd", NO_OPTION),
        ("1.5x", NO_OPTION),
        ("x2", NO_OPTION),
        # A digit before the lead-in doesn't count.
        ("3! My number is what I said", NO_OPTION),
        ("", EMPTY),
        (" \n\t ", EMPTY),
        ("**", EMPTY),
    ],
)
def test_s1_gives_a_reason_for_what_it_cannot_read(formats, answer, reason):
    assert parse(answer, formats["S1"]) == Parsed(None, reason)


def test_s1_looks_at_fifty_characters_after_the_lead_in(formats):
    inside, outside = "x" * 48 + " 4", "x" * 49 + " 4"
    assert len(inside) == 50
    for lead in ("", "My number is "):
        assert parse(lead + inside, formats["S1"]).option == 4
        assert parse(lead + outside, formats["S1"]) == Parsed(None, NO_OPTION)
    # A longer number isn't cut into a lone digit at the edge.
    assert parse("x" * 48 + " 45", formats["S1"]).option is None


@pytest.mark.parametrize(
    ("answer", "option"),
    [
        ("My reply is agree. I like it.", 1),
        ("My reply is slightly agree, since", 2),
        ("My reply is Neither agree\nnor   disagree.", 3),
        ("My reply is: “Slightly Disagree”", 4),
        ("**My reply is** **disagree**", 5),
        ("AGREE", 1),
        ("Agreed", 1),
        ("agreeable people are", 1),
        ("'slightly disagree'", 4),
        ("- disagree", 5),
        ("I disagree. My reply is agree", 1),
    ],
)
def test_s2_reads_the_longest_phrase_at_the_start(formats, answer, option):
    assert parse(answer, formats["S2"]) == Parsed(option, "")


@pytest.mark.parametrize(
    "answer",
    [
        "I agree",
        "strongly agree",
        "My reply is that I agree",
        "neither",
        "slightly",
        "My reply is",
        "1",
        "agree. My reply is no",
    ],
)
def test_s2_reads_nothing_else(formats, answer):
    assert parse(answer, formats["S2"]) == Parsed(None, NO_OPTION)


def test_s2_takes_the_longest_of_phrases_that_begin_alike(formats):
    options = ("agree", "agree a bit", "neither", "disagree a bit", "disagree")
    form = formats["S2"].model_copy(update={"options": options})
    assert parse("Agree a bit.", form).option == 2
    assert parse("Agree a lot.", form).option == 1
    assert parse("disagree a  bit", form).option == 4


def test_s3_reads_as_a_person_as_a(formats):
    assert parse("As a person with low openness, I would pick (E).", formats["S3"]) == (1, "")
    assert parse("My choice is (E). As a person…", formats["S3"]) == (5, "")


@pytest.mark.parametrize(
    ("answer", "option"),
    [
        ("My choice is (A) because", 1),
        ("My choice is B.", 2),
        ("My choice is **(C)** neither", 3),
        ("My choice is ( d )", 4),
        ("My choice is (e)", 5),
        ("My choice is “very accurate”", 1),
        ("Very inaccurate. I never do.", 5),
        ("moderately\naccurate", 2),
        ("Moderately inaccurate", 4),
        ("Neither accurate nor inaccurate", 3),
        # The bracket that the rest starts with goes before the label behind it.
        ("(B) very inaccurate", 2),
        # Capitals at the start read as letters, whatever the word.
        ("Because I am shy, (E)", 2),
        ("Certainly not (E)", 3),
        ("Definitely", 4),
        ("Every day", 5),
        # Nothing at the start: the first bracketed letter.
        ("I would pick (D) or (E)", 4),
        ("My choice is not (F) but (B)", 2),
        ("because of that, (a)", 1),
        ("(A). My choice is (B)", 2),
    ],
)
def test_s3_reads_letter_bracketed_letter_or_label(formats, answer, option):
    assert parse(answer, formats["S3"]) == Parsed(option, "")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("(F)", OUT_OF_RANGE),
        ("My choice is (Z), not a letter", OUT_OF_RANGE),
        ("F", NO_OPTION),
        ("because", NO_OPTION),
        ("I choose A", NO_OPTION),
        ("1", NO_OPTION),
        ("[A]", NO_OPTION),
        ("(A). My choice is gone", NO_OPTION),
        ("", EMPTY),
    ],
)
def test_s3_gives_a_reason_for_what_it_cannot_read(formats, answer, reason):
    assert parse(answer, formats["S3"]) == Parsed(None, reason)


def test_s3_takes_a_label_before_the_letter_that_it_begins_with(formats):
    options = ("Very", "Somewhat", "Neither", "Barely", "Almost not")
    form = formats["S3"].model_copy(update={"options": options})
    assert parse("Almost not at all", form).option == 5
    assert parse("Almost", form).option == 1
    assert parse("Barely", form).option == 4


def test_a_lead_in_is_no_pattern_and_may_hold_a_quote(formats):
    form = formats["S1"].model_copy(update={"lead": "I'd say (number)"})
    assert parse("1? I’d say (number) 4", form).option == 4
    assert parse("1? I'd say number 4", form).option == 1
