"""Reliability and components of a run against the statistics applied by hand, on uneven data."""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pytest
from synthetic_answers import answers_of, noisy

from mimic.metrics.answers import Answers
from mimic.metrics.reliability import reliability_figures, scale_figures
from mimic.stats.components import variance_components
from mimic.stats.icc import icc, icc_within_groups
from mimic.stats.reliability import alpha, omega_total
from mimic.traits import TRAITS

# Which of a trait's five items share a cluster.
CLUSTERS = ((0, 2), (1,), (3, 4))


def uneven() -> Answers:
    """Traits, items, wordings and forms that all differ; items in clusters and in other words."""
    answers = answers_of(noisy(strength=0.4, sd=0.3, seed=1), per_trait=5, wordings=4)
    generator = np.random.default_rng(2)
    profiles, forms, items = answers.y.shape
    traits = answers.item_traits
    # A trait's profiles differ beyond its target, the more the later the trait.
    beyond = generator.normal(0, 0.2, (profiles, 1, 5)) * np.arange(1, 6)
    wordings = [int(form.wording[1:]) for form in answers.forms]
    words = generator.integers(0, 3, (4, items))[wordings]
    of_words = generator.normal(0, 0.3, (items, 3))[np.arange(items), words]
    of_forms = generator.normal(0, 0.2, (forms, 1))
    of_items = generator.normal(0, 0.4, items)
    clusters = {n: f"c{place}" for place, own in enumerate(CLUSTERS) for n in own}
    return dataclasses.replace(
        answers,
        items=tuple(
            item._replace(cluster=f"{item.trait}-{clusters[place % 5]}")
            for place, item in enumerate(answers.items)
        ),
        variants=words,
        y=answers.y + beyond[:, :, traits] + of_words + of_forms + of_items,
    )


def of_trait(answers: Answers, trait: int) -> np.ndarray:
    """Item scores of one trait, shape (subjects, forms, 5)."""
    return answers.y[:, :, 5 * trait : 5 * trait + 5]


def test_intraclass_correlations_of_each_trait() -> None:
    answers = uneven()
    found = reliability_figures(answers)
    for t, trait in enumerate(TRAITS):
        scores = of_trait(answers, t).mean(axis=2)
        high = np.array([profile.levels[t] for profile in answers.profiles])
        expected = {"icc": icc(scores), "icc_within": icc_within_groups(scores, high)}
        for name, estimates in expected.items():
            for coefficient, estimate in estimates._asdict().items():
                for key in ("value", "low", "high"):
                    own = getattr(estimate, key)
                    assert found[name][trait][coefficient][key] == pytest.approx(own, abs=1e-7)
    # The target's own part is gone from the second.
    plain, within = (
        found[name]["openness"]["agreement_single"]["value"] for name in ("icc", "icc_within")
    )
    assert within < plain - 0.1


def test_components_are_of_clusters_and_their_words() -> None:
    answers = uneven()
    found = reliability_figures(answers)["components"]
    wordings, formats, orders = (
        sorted({getattr(form, name) for form in answers.forms})
        for name in ("wording", "format", "order")
    )
    place = {(form.wording, form.format, form.order): row for row, form in enumerate(answers.forms)}
    for t, trait in enumerate(TRAITS):
        own = of_trait(answers, t)
        y = np.zeros((len(own), len(CLUSTERS), len(wordings), len(formats), len(orders)))
        labels = np.zeros((len(CLUSTERS), len(wordings)), dtype=int)
        for c, members in enumerate(CLUSTERS):
            columns = list(members)
            for w, f, o in product(range(len(wordings)), range(2), range(2)):
                row = place[wordings[w], formats[f], orders[o]]
                y[:, c, w, f, o] = own[:, row, columns].mean(axis=1)
                # A cluster's words are those of all of its items.
                words = answers.variants[row, 5 * t : 5 * t + 5][columns]
                labels[c, w] = sum(int(word) * 10**n for n, word in enumerate(words))
        expected = variance_components(y, answers.design, t, variants=labels)
        assert found[trait]["notes"] == list(expected.notes)
        sources = [row["source"] for row in found[trait]["rows"]]
        assert sources == [row.source for row in expected.rows]
        assert "item rewording" in sources
        for row, by_hand in zip(found[trait]["rows"], expected.rows, strict=True):
            assert row["df"] == by_hand.df
            assert row["component"] == pytest.approx(by_hand.component, abs=1e-9)
            assert row["mean_square"] == pytest.approx(by_hand.mean_square, abs=1e-9)


def test_scales_are_of_form_averaged_answers_within_the_traits_own_targets() -> None:
    answers = uneven()
    generator = np.random.default_rng(3)
    people = generator.normal(0, 0.4, (13, 16, 1, 5))[..., answers.item_traits]
    of_items = generator.normal(0, 0.6, (13, 16, 1, 25))
    of_forms = generator.normal(0, 0.6, (13, *answers.y.shape))
    sketches = dataclasses.replace(
        answers,
        subjects=tuple(f"{subject}-{n}" for n in range(13) for subject in answers.subjects),
        profiles=answers.profiles * 13,
        y=(answers.y + people + of_items + of_forms).reshape(-1, *answers.y.shape[1:]),
    )
    found = scale_figures(sketches)
    assert found["rows"] == 208
    for t, trait in enumerate(TRAITS):
        y = of_trait(sketches, t).mean(axis=1)
        high = np.array([profile.levels[t] for profile in sketches.profiles])
        total, within = alpha(y), alpha(y, high=high)
        assert found["alpha"][trait]["value"] == pytest.approx(total.value)
        assert found["alpha_within"][trait]["value"] == pytest.approx(within.value)
        assert found["omega"][trait]["value"] == pytest.approx(omega_total(y).value)
