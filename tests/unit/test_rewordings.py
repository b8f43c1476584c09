"""The rewordings of items against their keys, by a blind reading and by sentence embeddings."""

import csv
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from mimic.forms.authored import load_rewordings
from mimic.questionnaire.instruments import Item, load_instrument, sentence

PROJECT = Path(__file__).parents[2]
FORMS = PROJECT / "config/forms"
INSTRUMENTS = ("ipip_neo_120", "mini_ipip", "mini_ipip_10")


@pytest.fixture(scope="module")
def items() -> dict[str, list[Item]]:
    """All items that are reworded, by their text in small letters."""
    found = defaultdict(list)
    for name in INSTRUMENTS:
        for item in load_instrument(PROJECT / f"config/instruments/{name}.yaml").items:
            found[item.text.lower()].append(item)
    return found


@pytest.fixture(scope="module")
def rewordings():
    return load_rewordings(FORMS / "rewordings.yaml")


@pytest.fixture(scope="module")
def readings() -> dict[str, dict[str, str]]:
    with (FORMS / "second_reading.csv").open(newline="") as handle:
        return {row["phrase"]: row for row in csv.DictReader(handle)}


def test_every_item_of_these_instruments_has_three(items, rewordings):
    assert {text.lower() for text in rewordings.items} == set(items)
    assert all(len(rewordings.variants(text)) == 4 for text in items)


def test_a_reader_of_the_words_alone_finds_trait_and_keying(items, rewordings, readings):
    phrases = [p for own in rewordings.items.values() for p in own]
    assert sorted(phrases) == sorted(readings)
    wrong = [
        phrase
        for text, own in rewordings.items.items()
        for phrase in own
        if not any(
            (item.trait, item.keyed) == (readings[phrase]["trait"], readings[phrase]["keyed"])
            for item in items[text.lower()]
        )
    ]
    assert wrong == []


def test_facets_are_found_but_for_three_items(items, rewordings, readings):
    other = {
        text
        for text, own in rewordings.items.items()
        for phrase in own
        if not any(i.facet in (None, readings[phrase]["facet"]) for i in items[text.lower()])
    }
    # docs/rewordings.md lists them: their facet isn't plain from the original either.
    assert other == {"Carry out my plans", "Obstruct others' plans", "Avoid contacts with others"}


def test_no_rewording_names_a_trait(rewordings):
    names = re.compile(r"openness|conscientious|extra?[vo]ver|introver|agreeabl|neurotic", re.I)
    named = [p for own in rewordings.items.values() for p in own if names.search(p)]
    assert named == []


def test_embeddings_put_a_rewording_near_its_item(rewordings):
    from mimic.judge.features import embed, embedder_folder

    originals = list(rewordings.items)
    pairs = [(n, p) for n, text in enumerate(originals) for p in rewordings.items[text]]
    texts = [sentence(text) for text in [*originals, *(phrase for _, phrase in pairs)]]
    found = np.asarray(embed(texts, folder=embedder_folder(), threads=1))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    similar = found[len(originals) :] @ found[: len(originals)].T
    own = np.array([similar[row, n] for row, (n, _) in enumerate(pairs)])
    # How often an item's rewording is nearer to it than to another item.
    nearer = (own[:, None] > similar).sum() / (similar.size - len(pairs))
    assert nearer > 0.93
