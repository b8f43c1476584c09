from collections import Counter
from pathlib import Path

import pytest

from mimic.forms.splits import (
    ClusterItem,
    assign_variants,
    check_formats,
    split_clusters,
    split_variants,
    split_wordings,
)
from mimic.questionnaire.instruments import load_instrument

INSTRUMENTS = Path(__file__).parents[2] / "config/instruments"


@pytest.fixture(scope="module")
def items():
    return [
        ClusterItem(item.cluster, item.trait, item.facet, item.keyed)
        for path in sorted(INSTRUMENTS.glob("*.yaml"))
        for item in load_instrument(path).items
    ]


@pytest.mark.parametrize("seed", range(5))
def test_clusters_are_split_in_balanced_halves(items, seed):
    parts = split_clusters(items, seed=seed)
    assert set(parts) == {item.cluster for item in items}
    sides = {
        part: Counter((i.trait, i.keyed) for i in items if parts[i.cluster] == part)
        for part in ("train", "test")
    }
    for label in {(item.trait, item.keyed) for item in items}:
        train, test = sides["train"][label], sides["test"][label]
        assert abs(train - test) <= 0.34 * (train + test)
    facets = {
        part: {i.facet for i in items if i.facet and parts[i.cluster] == part} for part in sides
    }
    assert min(map(len, facets.values())) >= 26  # of 30
    assert abs(sides["train"].total() - sides["test"].total()) <= 0.1 * len(items)


def test_the_split_follows_the_seed_and_not_the_order_of_items(items):
    assert split_clusters(items, seed=1) == split_clusters(items[::-1], seed=1)
    assert split_clusters(items, seed=1) != split_clusters(items, seed=2)


def test_half_of_the_wordings_are_for_tests():
    names = [f"w{n}" for n in range(11)]
    parts = split_wordings(names, seed=3)
    assert Counter(parts.values()) == {"test": 6, "train": 5}
    assert sorted(parts) == sorted(names)
    assert parts != split_wordings(names, seed=4)


def test_the_original_is_always_for_tests():
    parts = split_variants({f"item {n}": 4 for n in range(60)} | {"bare": 1}, seed=1)
    assert parts["bare"] == ["test"]
    reworded = [own for text, own in parts.items() if text != "bare"]
    assert all(own[0] == "test" and Counter(own) == {"test": 2, "train": 2} for own in reworded)
    assert {own[1:].index("test") for own in reworded} == {0, 1, 2}


def test_proposed_wordings_are_for_training_and_move_no_other():
    texts = {f"item {n}": 4 for n in range(20)} | {"bare": 1}
    before = split_variants(texts, seed=1)
    after = split_variants(texts, seed=1, proposed={"item 3": 2, "bare": 1})
    assert after["bare"] == ["test", "train"]
    assert after["item 3"] == [*before["item 3"], "train", "train"]
    assert {t: p for t, p in after.items() if t not in ("bare", "item 3")} == {
        t: p for t, p in before.items() if t not in ("bare", "item 3")
    }


def test_words_are_balanced_over_wordings_and_items():
    parts = split_variants({f"item {n}": 4 for n in range(40)}, seed=1)
    wordings = ["a", "b", "c", "d"]
    assigned = assign_variants(parts, wordings, part="test", seed=1)
    for text, own in parts.items():
        used = Counter(assigned[wording][text] for wording in wordings)
        assert used == {n: 2 for n, part in enumerate(own) if part == "test"}
    for wording in wordings:
        assert sum(variant == 0 for variant in assigned[wording].values()) == 20
    # One more wording leaves the others' words, and training shares none with tests.
    more = assign_variants(parts, [*wordings, "e"], part="test", seed=1)
    assert {wording: more[wording] for wording in wordings} == assigned
    trained = assign_variants(parts, wordings, part="train", seed=1)
    assert all(
        parts[text][variant] == "train" for own in trained.values() for text, variant in own.items()
    )


def test_formats_keep_one_that_is_never_trained_on():
    formats = {"digits": 1, "letters": 2, "phrases": 3}
    parts = check_formats(formats, asked=["digits"], trained=["phrases"])
    assert parts == {"digits": "test", "letters": "test", "phrases": "train"}
    with pytest.raises(ValueError, match="at least one format must never be trained on"):
        check_formats(formats, asked=["phrases"], trained=["phrases"])
    with pytest.raises(ValueError, match=r"forms\.trained_formats: no format 'likert'; authored"):
        check_formats(formats, asked=["digits"], trained=["likert"])
