from collections import Counter
from pathlib import Path

import pytest

from mimic.forms.splits import (
    ClusterItem,
    assign_variants,
    check_formats,
    lacking_facets,
    lacking_sides,
    sides_of,
    split_clusters,
    split_variants,
    split_wordings,
)
from mimic.questionnaire.instruments import load_instrument

INSTRUMENTS = Path(__file__).parents[2] / "config/instruments"


def items_of(*names):
    return [
        ClusterItem(name, item.cluster, item.trait, item.facet, item.keyed)
        for name in names
        for item in load_instrument(INSTRUMENTS / f"{name}.yaml").items
    ]


@pytest.fixture(scope="module")
def items():
    return items_of(*sorted(path.stem for path in INSTRUMENTS.glob("*.yaml")))


def more_in_tests(items, parts, label):
    """By label the items for tests less those for training."""
    found = Counter()
    for item in items:
        found[label(item)] += 1 if parts[item.cluster] == "test" else -1
    return found


@pytest.mark.parametrize("seed", range(12))
def test_clusters_are_split_in_halves_that_are_balanced_in_each_instrument(items, seed):
    parts = split_clusters(items, seed=seed)
    assert set(parts) == {item.cluster for item in items}
    keyed = more_in_tests(items, parts, lambda i: (i.instrument, i.trait, i.keyed))
    assert max(map(abs, keyed.values())) <= 2
    # Of the long ones nearly all are as even as their numbers.
    long = [
        count for (name, *_), count in keyed.items() if name in ("ipip_neo_120", "ipip_bffm_50")
    ]
    assert sum(abs(count) > 1 for count in long) <= 2
    traits = more_in_tests(items, parts, lambda i: (i.instrument, i.trait))
    assert max(map(abs, traits.values())) <= 2
    whole = more_in_tests(items, parts, lambda i: i.instrument)
    assert max(map(abs, whole.values())) <= 4

    faceted = [item for item in items if item.facet]
    facets = more_in_tests(faceted, parts, lambda i: i.facet)
    # Of four facets three or four of the four items are in one cluster.
    together = {
        facet
        for facet in facets
        if max(Counter(i.cluster for i in faceted if i.facet == facet).values()) > 2
    }
    assert len(together) == 4
    assert max(abs(count) for facet, count in facets.items() if facet not in together) <= 2
    assert sum(count == 0 for count in facets.values()) >= 18  # of 30


def test_what_a_side_lacks_is_named():
    items = [
        ClusterItem("short", "a", "openness", None, "plus"),
        ClusterItem("short", "b", "openness", None, "minus"),
        ClusterItem("long", "a", "openness", None, "plus"),
        ClusterItem("long", "c", "openness", None, "plus"),
    ]
    sides = sides_of(items, {"a": "train", "b": "test", "c": "test"})
    assert sides["short"]["openness"] == {
        "train": {"plus": 1, "minus": 0},
        "test": {"plus": 0, "minus": 1},
    }
    # The long one has no minus-keyed item to give.
    assert lacking_sides(sides) == [
        "short: train has no minus-keyed item of openness",
        "short: test has no plus-keyed item of openness",
    ]


def test_a_facet_that_a_side_lacks_is_named(items):
    own = [
        ClusterItem("long", "a", "openness", "O1", "plus"),
        ClusterItem("long", "b", "openness", "O1", "minus"),
        ClusterItem("long", "b", "openness", "O2", "plus"),
        ClusterItem("short", "a", "neuroticism", "N1", "plus"),
        # Without facets there is none to lack.
        ClusterItem("short", "b", "openness", None, "plus"),
    ]
    assert lacking_facets(own, {"a": "train", "b": "test"}) == [
        "long: train has no item of facet O2 of openness",
        "short: test has no item of facet N1 of neuroticism",
    ]
    # Four items of C6 are of one cluster, so that it is on one side whatever the seed.
    for seed in range(3):
        parts = split_clusters(items, seed=seed)
        on = [part for part in ("train", "test") if acting(items, parts)[part]]
        assert len(on) == 1
        lacks = {"train": "test", "test": "train"}[on[0]]
        line = f"ipip_neo_120: {lacks} has no item of facet C6 of conscientiousness"
        assert line in lacking_facets(items, parts)


def acting(items, parts):
    """The items of C6 on each side."""
    return Counter(parts[item.cluster] for item in items if item.facet == "C6")


def test_the_split_follows_the_seed_and_not_the_order_of_items(items):
    assert split_clusters(items, seed=1) == split_clusters(items[::-1], seed=1)
    assert split_clusters(items, seed=1) != split_clusters(items, seed=2)


def test_half_of_the_wordings_are_for_tests():
    names = [f"w{n}" for n in range(11)]
    parts = split_wordings(names, seed=3)
    assert Counter(parts.values()) == {"test": 6, "train": 5}
    assert sorted(parts) == sorted(names)
    assert parts != split_wordings(names, seed=4)
    # Over seeds each is for tests about half the time; the last one stands alone.
    often = Counter(
        name
        for seed in range(200)
        for name, part in split_wordings(names, seed=seed).items()
        if part == "test"
    )
    assert often["w10"] == 200
    assert all(70 < often[name] < 130 for name in names[:10])


@pytest.mark.parametrize("seed", range(5))
def test_wordings_and_items_that_are_added_leave_the_others(seed):
    names = [f"w{n}" for n in range(10)]
    texts = {f"item {n}": 4 for n in range(30)}

    def made(names, texts):
        parts = split_variants(texts, seed=seed)
        tests = [n for n, part in split_wordings(names, seed=seed).items() if part == "test"]
        return tests, parts, assign_variants(parts, tests, part="test", seed=seed)

    tests, parts, words = made(names, texts)
    more_tests, more_parts, more_words = made([*names, "w10"], {"an item": 4, **texts, "z": 1})
    assert more_tests == [*tests, "w10"]
    assert {text: more_parts[text] for text in parts} == parts
    for wording in tests:
        assert {text: more_words[wording][text] for text in texts} == words[wording]
    # A twelfth may take the eleventh's place, and moves no other.
    assert made([*names, "w10", "w11"], texts)[0][:5] == tests


def test_the_original_is_always_for_tests():
    parts = split_variants({f"item {n}": 4 for n in range(60)} | {"bare": 1}, seed=1)
    assert parts["bare"] == ["test"]
    reworded = [own for text, own in parts.items() if text != "bare"]
    assert all(own[0] == "test" and Counter(own) == {"test": 2, "train": 2} for own in reworded)
    places = Counter(own[1:].index("test") for own in reworded)
    assert min(places[place] for place in range(3)) > 8


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
        assert 10 <= sum(variant == 0 for variant in assigned[wording].values()) <= 30
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
