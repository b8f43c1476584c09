import numpy as np
import pytest

from mimic.essays.duplicates import find_clusters, near_duplicates


def clusters(texts: list[str], authors: list[list[str]], threshold: float) -> list[int]:
    return list(find_clusters(texts, authors, threshold=threshold))


def test_similarity_is_shared_shingles_over_all() -> None:
    # Three shingles each, two of them shared: 2 / 4.
    texts = ["One, two three four five", "two three four five six", "seven eight nine ten"]
    assert [x.tolist() for x in near_duplicates(texts, threshold=0.5)] == [[0], [1]]
    assert [x.tolist() for x in near_duplicates(texts, threshold=0.51)] == [[], []]


def test_pairs_agree_with_a_direct_count_across_blocks() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list("abcd"), size=9)) for _ in range(600)]
    sets = [{tuple(text.split()[k : k + 3]) for k in range(7)} for text in texts]
    expected = {
        (i, j)
        for i in range(600)
        for j in range(i + 1, 600)
        if len(sets[i] & sets[j]) >= 0.4 * len(sets[i] | sets[j])
    }
    first, second = near_duplicates(texts, threshold=0.4)
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == expected
    assert len(expected) > 10


def test_chains_and_authors_join_clusters() -> None:
    texts = ["a b c d e f", "c d e f g h", "e f g h i j", "k l m n", "o p q r", "s t u v"]
    none: list[list[str]] = [[]] * 6
    assert clusters(texts, none, 0.3) == [0, 0, 0, 1, 2, 3]
    assert clusters(texts, [["x"], [], [], ["y"], ["x", "z"], ["z"]], 0.3) == [0, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("texts", [["", "one", "two words"], ["!!!", "one two", "one two"]])
def test_texts_without_shingles_stay_alone(texts: list[str]) -> None:
    assert clusters(texts, [[]] * 3, 0.5) == [0, 1, 2]
