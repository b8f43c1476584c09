"""The checks of a rewording that no person has read: each must be able to fail."""

from pathlib import Path

import numpy as np
import pytest

from mimic.forms.admission import Admission, Reading, check_meaning, check_reading, check_words
from mimic.forms.authored import load_rewordings
from mimic.questionnaire.instruments import load_instrument, sentence

CONFIG = Path(__file__).parents[2] / "config"
KNOWN = ("Worry about things", "Fret over one matter or another", "Make friends easily")
ADMITTED = Admission(True)


@pytest.fixture(scope="module")
def originals():
    """The items of all instruments, each text once."""
    return list(
        {
            item.text.lower(): item
            for path in sorted((CONFIG / "instruments").glob("*.yaml"))
            for item in load_instrument(path).items
        }.values()
    )


@pytest.mark.parametrize(
    ("phrase", "reason"),
    [
        ("I worry about much", "no sentence"),
        ("A person who worries", "no sentence"),
        ("Worries about everything", "no sentence"),
        ("Worrying about everything", "no sentence"),
        ("Am a worrier. I fret", "no sentence"),
        ("Here are five of them:", "no sentence"),
        ("", "no sentence"),
        ("Worry", "length"),
        ("Worry on and on and on and on and on and on and on and on", "length"),
        ("Am anxious, tense, nervous", "word list"),
        ("Am a rather neurotic person", "trait name"),
        ("Feel like an extrovert now", "trait name"),
        ("worry about things", "known phrase"),
        ("Worry, about things", "known phrase"),
        ("Worry about thing", "known phrase"),
        ("Fret over one matter or the other", "known phrase"),
        ("About things worry", "no sentence"),
        ("Easily make friends", "known phrase"),
    ],
)
def test_what_words_are_refused(phrase, reason):
    assert check_words(phrase, known=KNOWN) == Admission(False, reason)


@pytest.mark.parametrize(
    "phrase",
    [
        "Bring troubles to mind, over and over",
        "Always fear the worst",
        "Focus on what may go wrong",
        "Don't worry about things",
        "Can't stop worrying",
        "Lose sleep over what tomorrow may hold for me and for all of mine",
    ],
)
def test_what_words_are_admitted(phrase):
    assert check_words(phrase, known=KNOWN) == ADMITTED


def test_all_authored_rewordings_have_the_words_that_are_asked_for(originals):
    phrases = [
        p for own in load_rewordings(CONFIG / "forms/rewordings.yaml").items.values() for p in own
    ]
    assert len(phrases) == 402
    for phrase in phrases:
        others = [p for p in phrases if p != phrase] + [item.text for item in originals]
        assert check_words(phrase, known=others) == ADMITTED, phrase


def test_a_phrase_must_be_nearer_to_its_item_than_to_most_others():
    clusters = ["worry", "worry", *(f"c{n}" for n in range(20))]
    # Nearer than to 18 of the 20 items of other clusters; that of its own cluster doesn't count.
    similarity = np.array([0.5, 0.9, *[0.1] * 18, 0.5, 0.6])
    assert check_meaning(similarity, own=0, clusters=clusters) == ADMITTED
    similarity[2] = 0.7
    assert check_meaning(similarity, own=0, clusters=clusters) == Admission(
        False, "nearer to other items"
    )
    with pytest.raises(ValueError, match="all items are in the cluster 'worry'"):
        check_meaning(similarity[:2], own=0, clusters=clusters[:2])


KEYS = [("neuroticism", "plus")]


@pytest.mark.parametrize(
    ("traits", "keyed", "reason"),
    [
        (["neuroticism"] * 5, ["plus", "plus"], ""),
        (["neuroticism"] * 4 + ["openness"], ["plus", "plus"], "read as another trait"),
        (["agreeableness"] * 5, ["plus", "plus"], "read as another trait"),
        (["neuroticism"] * 5, ["plus", "minus"], "read with another keying"),
        (["neuroticism"] * 5, ["minus", "minus"], "read with another keying"),
    ],
)
def test_the_reading_must_be_right_in_every_order(traits, keyed, reason):
    reading = Reading(tuple(traits), {"neuroticism": tuple(keyed)})
    assert check_reading(reading, keys=KEYS) == Admission(not reason, reason)


def test_one_of_several_keys_is_enough():
    keys = [("agreeableness", "plus"), ("openness", "plus")]
    keyed = {"agreeableness": ("minus", "plus"), "openness": ("plus", "plus")}
    assert check_reading(Reading(("openness",) * 5, keyed), keys=keys) == ADMITTED
    assert not check_reading(Reading(("agreeableness",) * 5, keyed), keys=keys).admitted


def test_a_flipped_negation_passes_all_but_the_reading(originals):
    from mimic.judge.features import embed, embedder_folder

    texts = [item.text for item in originals]
    flips = {"Don't worry about things": "Worry about things", "Don't trust others": "Trust others"}
    sentences = [sentence(text) for text in [*flips, *texts]]
    found = embed(sentences, folder=embedder_folder(), threads=1)
    for row, (flip, text) in enumerate(flips.items()):
        own = texts.index(text)
        item = originals[own]
        assert check_words(flip, known=texts) == ADMITTED
        similarity = found[len(flips) :] @ found[row]
        assert check_meaning(similarity, own=own, clusters=[i.cluster for i in originals]).admitted
        reading = Reading((item.trait,) * 5, {item.trait: ("minus", "minus")})
        assert check_reading(reading, keys=[(item.trait, item.keyed)]).reason == (
            "read with another keying"
        )
