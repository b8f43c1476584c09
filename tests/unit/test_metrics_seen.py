"""The table of what training held, on synthetic answers whose figures are known."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from synthetic_answers import answers_of, at_random, constant, follows

from mimic.metrics.answers import Answers, Trained, held_out
from mimic.metrics.questionnaire import questionnaire_figures
from mimic.metrics.resampling import Resampling
from mimic.metrics.seen import seen_cells, training_targets
from mimic.traits import ALL_PROFILES, TRAITS, Profile, withheld_profiles

CUT = np.full(5, 3.0)
LAYOUT = answers_of(constant(3), profiles=32)
# Two of the four items of each trait, and one of the two formats.
TRAINED = Trained(
    clusters=frozenset(item.cluster for item in LAYOUT.items if item.item[-1] in "01"),
    formats=frozenset(["letters"]),
)
SEEN = np.array([item.cluster in TRAINED.clusters for item in LAYOUT.items])
Key = tuple[str, str, str]


def cells(answers: Answers, again: Answers | None, **options: Any) -> dict[Key, dict[str, Any]]:
    values = {"trained": TRAINED, "targets": ALL_PROFILES, "cut": CUT} | options
    return {
        (cell["items"], cell["wordings"], cell["profiles"]): one
        for one in seen_cells(answers, again, **values)
        for cell in [one["cell"]]
    }


def reworded(answers: Answers) -> Answers:
    """Every item in words of its own, as the study's forms have it beside those of training."""
    return dataclasses.replace(answers, variants=answers.variants + 1)


def with_y(answers: Answers, where: np.ndarray, other: Answers) -> Answers:
    """The item scores of other answers where so, shape (profiles, forms, items) or less."""
    return dataclasses.replace(answers, y=np.where(where, other.y, answers.y))


def perfect(profiles: int = 32) -> Answers:
    return answers_of(follows(2), profiles=profiles)


def blind() -> Answers:
    """All traits low, whatever the target: one of the 32 profiles fits."""
    return dataclasses.replace(LAYOUT, y=np.ones_like(LAYOUT.y))


def of_targets(profiles: int) -> dict[str, Any]:
    """What a cell says of profiles that are balanced in each trait."""
    high = dict.fromkeys(TRAITS, profiles // 2)
    return {"profiles": profiles, "constant_profile": 1 / profiles, "high": high}


def test_what_was_learned_by_heart_shows_in_its_cell_alone() -> None:
    answers = reworded(blind())
    again = with_y(blind(), SEEN, perfect())
    found = cells(answers, again)
    by_heart = found.pop(("seen", "seen", "seen"))
    # Three wordings in two orders, in the one format that is held out.
    counts = {"profiles": 32, "forms": 6, "items": 10}
    assert by_heart == {
        "cell": {"items": "seen", "wordings": "seen", "profiles": "seen"},
        "value": 1.0,
        "hits": 192,
        "cells": 192,
        "counts": counts,
        "targets": of_targets(32),
    }
    for key in (("seen", "unseen"), ("unseen", "seen"), ("unseen", "unseen")):
        one = found.pop((*key, "seen"))
        assert (one["value"], one["hits"], one["counts"]) == (1 / 32, 6, counts)
    reasons = {one["reason"] for one in found.values()}
    assert reasons == {"all profiles that were asked for were targets of its training"}
    assert {one["value"] for one in found.values()} == {None}


def test_profiles_that_were_no_targets_stand_apart() -> None:
    targets = training_targets(told=True, withheld=True)
    assert len(targets) == 24 and not targets & set(withheld_profiles())
    unseen = np.array([profile not in targets for profile in ALL_PROFILES])
    # Follows what it was trained for; for others its answers are those of the opposite profile.
    inverted = answers_of(follows(-2), profiles=32)
    answers = with_y(perfect(), unseen[:, None, None], inverted)
    found = cells(reworded(answers), answers, targets=targets)
    for (_, _, profiles), one in found.items():
        own = (24, 1.0) if profiles == "seen" else (8, 0.0)
        assert (one["counts"]["profiles"], one["value"]) == own
        assert one["targets"] == of_targets(own[0])


def test_trained_formats_count_in_no_cell() -> None:
    letters = np.array([form.format == "letters" for form in LAYOUT.forms])
    answers = with_y(perfect(), letters[None, :, None], blind())
    for (_, _, profiles), one in cells(reworded(answers), answers).items():
        assert one["value"] == (1 if profiles == "seen" else None)


def test_unseen_items_and_wordings_make_up_the_main_figure() -> None:
    answers = answers_of(at_random(3), profiles=32)
    targets = training_targets(told=True, withheld=True)
    found = cells(reworded(answers), answers, targets=targets)
    main = questionnaire_figures(
        held_out(reworded(answers), TRAINED),
        None,
        cuts={"3.0": CUT},
        resampling=Resampling(draws=100, permutations=99, seed=1),
    )
    parts = [found["unseen", "unseen", side] for side in ("seen", "unseen")]
    for what in ("hits", "cells"):
        assert sum(part[what] for part in parts) == main["exact_match"][what]
    withheld = [main["withheld"][name]["hits"] for name in ("others", "withheld")]
    assert [part["hits"] for part in parts] == withheld
    assert 0 < main["exact_match"]["hits"] < main["exact_match"]["cells"]


def test_an_answer_without_mass_decides_nothing_in_any_cell() -> None:
    high = dataclasses.replace(LAYOUT, y=np.full_like(LAYOUT.y, 3.0))
    silent = dataclasses.replace(high, mass=np.zeros_like(LAYOUT.mass))
    for answers, hits in ((high, 1), (silent, 0)):
        found = cells(reworded(answers), answers)
        counted = {one["hits"] / one["counts"]["forms"] for one in found.values() if "hits" in one}
        assert counted == {hits}


def test_a_seen_item_in_words_of_training_is_not_in_unseen_wordings() -> None:
    """As where the published half was trained on, in original words."""
    first = np.array([form.wording == "w0" for form in LAYOUT.forms])
    second = np.array([form.wording == "w1" for form in LAYOUT.forms])
    variants = np.zeros_like(LAYOUT.variants)
    # In the first wording one of the seen items of each trait is reworded, in the second both.
    last = np.array([item.item.endswith("1") for item in LAYOUT.items])
    variants[np.ix_(first, last)] = 1
    variants[np.ix_(second, SEEN)] = 1
    answers = dataclasses.replace(perfect(), variants=variants)
    answers = with_y(answers, (variants == 0)[None] & SEEN, blind())
    found = cells(answers, perfect())
    one = found["seen", "unseen", "seen"]
    assert (one["value"], one["counts"]) == (1, {"profiles": 32, "forms": 4, "items": 10})
    assert found["unseen", "unseen", "seen"]["counts"]["forms"] == 6
    # Of one trait no item is ever reworded.
    own = [item.trait == "extraversion" for item in LAYOUT.items]
    variants[:, own] = 0
    one = cells(dataclasses.replace(answers, variants=variants), perfect())[
        "seen", "unseen", "seen"
    ]
    assert one["value"] is None
    assert one["reason"].endswith("of all traits; extraversion lacks them most often")


def test_a_run_that_trained_on_no_items_has_unseen_ones_in_unseen_wordings_alone() -> None:
    found = cells(perfect(), None, trained=Trained())
    filled = [key for key, one in found.items() if one["value"] is not None]
    assert filled == [("unseen", "unseen", "seen")]
    # Formats are all held out, as nothing was trained on in any.
    assert found[filled[0]]["counts"] == {"profiles": 32, "forms": 12, "items": 20}
    assert found["seen", "seen", "seen"]["reason"] == "the run trained on no items"
    assert found["unseen", "seen", "seen"]["reason"] == "the run trained on no wordings"


def test_an_untrained_run_has_seen_no_profile() -> None:
    targets: frozenset[Profile] = training_targets(told=False, withheld=False)
    found = cells(perfect(), None, trained=Trained(), targets=targets)
    assert found["unseen", "unseen", "unseen"]["value"] == 1
    reason = "none of the profiles that were asked for was a target of its training"
    assert found["unseen", "unseen", "seen"]["reason"] == reason


def test_answers_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="was not asked in training wordings"):
        cells(perfect(), None)
    with pytest.raises(ValueError, match="differ from the others in their subjects or items"):
        cells(perfect(), perfect(profiles=16))


def test_nothing_is_left_where_all_formats_were_trained_on() -> None:
    every = dataclasses.replace(TRAINED, formats=frozenset(["digits", "letters"]))
    words = r"asked in \(digits, letters\) are all among forms.trained_formats"
    with pytest.raises(ValueError, match=words):
        held_out(perfect(), every)
    with pytest.raises(ValueError, match=words):
        cells(perfect(), perfect(), trained=every)
