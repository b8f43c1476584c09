from pathlib import Path

import pytest

from mimic.masking import load_trait_words, mask

WORDS = Path(__file__).parents[2] / "workflow" / "resources" / "trait_words.yaml"


def word_list(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "words.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_entries_match_whole_words_and_prefixes_in_any_case(tmp_path: Path) -> None:
    pattern = load_trait_words(
        word_list(tmp_path, "words:\n  a: [shy, imaginat*, open-minded, big five]\n")
    )
    text = "Shy, so IMAGINATIVE and open-minded; the Big\nFive. Ashy shyly unimaginative stays."
    assert mask(text, pattern) == (", so and ; the . Ashy shyly unimaginative stays.", 4)


def test_a_trait_word_inside_a_hyphenated_word_is_found() -> None:
    assert mask("a warm-hearted man", load_trait_words(WORDS)) == ("a -hearted man", 1)


def test_masking_twice_changes_nothing() -> None:
    pattern = load_trait_words(WORDS)
    once, deleted = mask("The quiet, moody and organised one worries.", pattern)
    assert deleted == 4
    assert mask(once, pattern) == (once, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("version: 1\n", "expected the key words"),
        ("words: {a: shy}\n", "expected a list of words"),
        ("words: {a: [shy, no]}\n", "False is no entry"),
        ("words: {a: ['*shy']}\n", r"'\*shy' is no entry"),
    ],
)
def test_a_wrong_list_is_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"words\.yaml: .*{message}"):
        load_trait_words(word_list(tmp_path, content))


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.yaml: no such file"):
        load_trait_words(tmp_path / "nowhere.yaml")
