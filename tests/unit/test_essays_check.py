import random

from mimic.essays.check import CONFLICT, EMPTY, REPEATED, SHORT, Rejected, check, clean
from mimic.essays.load import RawEssay
from mimic.traits import Profile

HIGH, LOW = Profile.parse("O+C+E+A+N+"), Profile.parse("O-C-E-A-N-")


def test_clean_keeps_words_and_joins_them_by_one_space() -> None:
    assert (
        clean("  it’s\x00\x07 \t a\r\n\r\nnaïve-ish\xa0 day\x85\ufeff ") == "it’s a naïve-ish day"
    )


def test_reasons_for_rejection() -> None:
    rows = [
        RawEssay(2, "a", " \x00\t\n", HIGH),
        RawEssay(3, "b", "word", HIGH),
        RawEssay(4, "c", "one two three", HIGH),
        RawEssay(5, "d", "one  two three ", LOW),
        RawEssay(6, "f", "four five six", LOW),
        RawEssay(7, "e", " four five six", LOW),
        RawEssay(8, "g", "seven eight nine", LOW),
    ]
    essays, rejected = check(rows, min_words=3)
    assert rejected == [
        Rejected(2, "a", EMPTY),
        Rejected(3, "b", SHORT),
        Rejected(4, "c", CONFLICT),
        Rejected(5, "d", CONFLICT),
        Rejected(6, "f", REPEATED),
    ]
    assert {e.id: e.authors for e in essays} == {"e": ("e", "f"), "g": ("g",)}


def test_min_words_is_the_least_that_is_kept() -> None:
    rows = [RawEssay(2, "a", "one two", HIGH), RawEssay(3, "b", "one two three", HIGH)]
    essays, _ = check(rows, min_words=3)
    assert [(e.id, e.words) for e in essays] == [("b", 3)]


def test_essays_of_one_author_and_of_none_have_ids_of_their_own() -> None:
    rows = [
        RawEssay(2, "a", "one two", HIGH),
        RawEssay(3, "a", "three four", HIGH),
        RawEssay(4, None, "five six", HIGH),
        RawEssay(5, None, "seven eight", HIGH),
    ]
    essays, _ = check(rows, min_words=1)
    assert len({e.id for e in essays}) == 4
    assert sorted(e.authors for e in essays) == [(), (), ("a",), ("a",)]


def test_the_order_of_rows_changes_nothing_that_is_kept() -> None:
    rows = [RawEssay(i, f"a{i}", f"text number {i % 7}", HIGH) for i in range(20)]
    essays, _ = check(rows, min_words=1)
    random.Random(0).shuffle(rows)
    assert check(rows, min_words=1)[0] == essays
    assert len(essays) == 7
