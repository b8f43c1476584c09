from mimic.writing.hygiene import copy_index, is_copied, repetition


def test_twelve_shared_tokens_are_a_copy_and_eleven_are_not():
    index = copy_index([list(range(100, 140))])
    assert is_copied([1, 2, *range(110, 122), 3], index)
    assert not is_copied([1, 2, *range(110, 121), 3], index)
    # Twelve tokens of the essay, but not consecutive.
    assert not is_copied([*range(110, 116), 7, *range(116, 122)], index)


def test_repetition_counts_four_grams_seen_before():
    assert repetition(range(20)) == 0
    assert repetition([1, 2, 3]) == 0
    # 17 four-grams of a loop of length one: one distinct.
    assert repetition([5] * 20) == 16 / 17
