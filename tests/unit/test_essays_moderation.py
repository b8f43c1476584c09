"""The local moderation filter: its list, and what is counted of what it takes out."""

from pathlib import Path

import pytest

from mimic.essays.check import Essay, Rejected, check
from mimic.essays.load import RawEssay
from mimic.essays.moderation import (
    PatternList,
    judge_by_patterns,
    load_patterns,
    moderate,
    moderation_table,
)
from mimic.traits import Profile

PATTERNS = Path(__file__).parents[2] / "workflow" / "resources" / "moderation.yaml"
HIGH, LOW = Profile.parse("O+C+E+A+N+"), Profile.parse("O-C-E-A-N-")


@pytest.fixture(scope="module")
def patterns() -> PatternList:
    return load_patterns(PATTERNS)


def essays(*rows: tuple[str, Profile]) -> list[Essay]:
    """Essays by the authors a0, a1 …, in rows from 2 on."""
    raw = [RawEssay(i, f"a{i - 2}", text, p) for i, (text, p) in enumerate(rows, start=2)]
    return sorted(check(raw, min_words=1)[0], key=lambda essay: essay.row)


def found(patterns: PatternList, text: str) -> tuple[str, ...]:
    return judge_by_patterns(essays((text, HIGH)), patterns).found[0]


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("They were having  SEX upstairs.", "sexual"),
        ("He thought of suicide again", "self-harm"),
        ("Some days I don’t want to live.", "self-harm"),
        ("in those days I was cutting myself", "self-harm"),
        ("I could kill him, I really could.", "violence"),
        ("a man was stabbed in the street", "violence"),
        ("they hate all immigrants here", "hate"),
        ("well fuck you then", "harassment"),
    ],
)
def test_each_category_finds_what_it_names(patterns: PatternList, text: str, category: str) -> None:
    assert found(patterns, text) == (category,)


@pytest.mark.parametrize(
    "text",
    [
        "My therapist grew grapes in Essex, and the stable is a place of stability.",
        "This homework is killing me and I could murmur about the opposite sex all day.",
        "I hate Mondays, and I hate that the people upstairs are loud; they beat me at chess.",
        "Shoot, I shot a photo of the spice rack; the suit is on sale, cut to size.",
        "I hurt my knee and wish I was home. I want to dye my hair.",
    ],
)
def test_words_that_only_look_alike_pass(patterns: PatternList, text: str) -> None:
    assert found(patterns, text) == ()


def test_a_pattern_is_words_with_alternatives_and_endings(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(
        'version: 3\ncategories:\n  a: [red|blue bird*, "o\'clock"]\n  b: [bird]\n',
        encoding="utf-8",
    )
    made = load_patterns(path)
    assert made.version == 3
    assert found(made, "A Blue birdhouse") == ("a",)
    assert found(made, "the red-bird and the bird") == ("b",)
    assert found(made, "Blue\nBIRD, at ten o’clock") == ("a", "b")
    assert found(made, "tired birds, bluebird") == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("categories: {a: [b]}\n", "version = None"),
        ("version: true\ncategories: {a: [b]}\n", "version = True"),
        ("version: 1\n", "expected the key categories"),
        ("version: 1\ncategories: {a: b}\n", r"categories\.a = 'b': expected a list"),
        ("version: 1\ncategories: {a: [b, no]}\n", r"categories\.a: False is no pattern"),
        ("version: 1\ncategories: {a: ['b  c']}\n", r"categories\.a: 'b  c' is no pattern"),
        ("version: 1\ncategories: {a: ['(b)']}\n", r"categories\.a: '\(b\)' is no pattern"),
        ("version: 1\ncategories: {a: [", "not valid YAML"),
    ],
)
def test_a_wrong_list_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"list\.yaml: .*{message}"):
        load_patterns(path)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.yaml: no such file"):
        load_patterns(tmp_path / "nowhere.yaml")


def test_what_is_filtered_and_the_balance_of_its_labels(patterns: PatternList) -> None:
    corpus = essays(
        ("I went to the market", HIGH),
        ("a murder and a suicide", LOW),
        ("I slept all day", LOW),
        ("overdosed", LOW),
        ("He was tortured", HIGH),
    )
    verdicts = judge_by_patterns(corpus, patterns)
    kept, filtered = moderate(corpus, verdicts)
    assert [essay.id for essay in kept] == ["a0", "a2"]
    assert filtered == [
        Rejected(3, "a1", "moderated: self-harm, violence"),
        Rejected(5, "a3", "moderated: self-harm"),
        Rejected(6, "a4", "moderated: violence"),
    ]
    table = moderation_table(corpus, verdicts)
    assert (table["kind"], table["checked"], table["filtered"]) == ("local", 5, 3)
    assert {name: n for name, n in table["categories"].items() if n} == {
        "self-harm": 2,
        "violence": 2,
    }
    assert table["categories"]["sexual"] == 0
    assert table["traits"]["neuroticism"] == {
        "filtered": {"high": 1, "low": 2},
        "kept": {"high": 1, "low": 1},
        "difference": pytest.approx(1 / 3 - 1 / 2),
    }


def test_where_nothing_is_filtered_shares_have_no_difference(patterns: PatternList) -> None:
    corpus = essays(("I went to the market", HIGH), ("I slept all day", LOW))
    table = moderation_table(corpus, judge_by_patterns(corpus, patterns))
    assert table["filtered"] == 0
    assert table["traits"]["openness"] == {
        "filtered": {"high": 0, "low": 0},
        "kept": {"high": 1, "low": 1},
        "difference": None,
    }
