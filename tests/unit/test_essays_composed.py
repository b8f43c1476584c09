"""The composed corpus keeps what its README promises."""

import csv
import io
import itertools
from collections import Counter
from pathlib import Path

import pytest

from mimic.essays.check import check
from mimic.essays.duplicates import near_duplicates
from mimic.essays.load import RawEssay, read_csv
from mimic.essays.moderation import judge_by_patterns, load_patterns
from mimic.masking import load_trait_words, mask
from mimic.traits import ALL_PROFILES

RESOURCES = Path(__file__).parents[2] / "workflow" / "resources"
CORPUS = RESOURCES / "composed_essays.csv"


@pytest.fixture(scope="module")
def essays() -> list[RawEssay]:
    return read_csv(CORPUS, encoding="utf-8").essays


def test_three_essays_for_each_profile(essays: list[RawEssay]) -> None:
    assert Counter(e.profile for e in essays) == dict.fromkeys(ALL_PROFILES, 3)


def test_ids_are_numbered_and_say_nothing_about_the_profile(essays: list[RawEssay]) -> None:
    assert [e.author for e in essays] == [f"composed_{i:02d}" for i in range(96)]
    neighbours = sum(a.profile == b.profile for a, b in itertools.pairwise(essays))
    assert neighbours <= 8  # 2 are expected by chance, 64 in the order of profiles


def test_lengths(essays: list[RawEssay]) -> None:
    lengths = [len(e.text.split()) for e in essays]
    assert min(lengths) >= 100
    assert max(lengths) <= 160


def test_no_trait_words(essays: list[RawEssay]) -> None:
    pattern = load_trait_words(RESOURCES / "trait_words.yaml")
    assert {e.author: mask(e.text, pattern)[1] for e in essays if mask(e.text, pattern)[1]} == {}


def test_no_two_essays_resemble_each_other(essays: list[RawEssay]) -> None:
    first, _ = near_duplicates([e.text for e in essays], threshold=0.03)
    assert len(first) == 0


def test_no_two_essays_open_with_the_same_words(essays: list[RawEssay]) -> None:
    openings = Counter(" ".join(e.text.lower().split()[:2]) for e in essays)
    assert openings.most_common(1)[0][1] == 1


def test_nothing_is_rejected_or_changed_by_the_checks(essays: list[RawEssay]) -> None:
    kept, rejected = check(essays, min_words=20)
    assert rejected == []
    assert {e.text for e in kept} == {e.text for e in essays}


def test_moderation_filters_none(essays: list[RawEssay]) -> None:
    kept, _ = check(essays, min_words=20)
    found = judge_by_patterns(kept, load_patterns(RESOURCES / "moderation.yaml")).found
    assert found == [()] * 96


def test_all_fields_are_quoted_utf8_lines() -> None:
    text = CORPUS.read_bytes().decode("utf-8")
    again = io.StringIO()
    writer = csv.writer(again, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows(csv.reader(io.StringIO(text)))
    assert again.getvalue() == text
    assert text.count("\n") == 97
