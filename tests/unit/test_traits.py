import itertools

import numpy as np
import pytest

from mimic.traits import ALL_PROFILES, Profile, balanced_profiles, design_matrix, withheld_profiles


def test_labels_round_trip_and_are_unique():
    labels = [str(profile) for profile in ALL_PROFILES]
    assert len(set(labels)) == 32
    assert [Profile.parse(label) for label in labels] == list(ALL_PROFILES)
    assert Profile.parse("O+C-E+A-N-").words() == (
        "high openness, low conscientiousness, high extraversion, low agreeableness, "
        "low neuroticism"
    )


@pytest.mark.parametrize("label", ["", "O+C-E+A-N", "C+O+E+A+N+", "O+C-E+A-N+ "])
def test_other_labels_are_refused(label):
    with pytest.raises(ValueError, match="is not a profile"):
        Profile.parse(label)


@pytest.mark.parametrize("count", [16, 32])
def test_main_effects_and_interactions_are_not_confounded(count):
    x = design_matrix(balanced_profiles(count))
    pairs = [x[:, i] * x[:, j] for i in range(5) for j in range(i)]
    columns = np.column_stack([np.ones(count), x, *pairs])
    assert np.array_equal(columns.T @ columns, count * np.eye(columns.shape[1]))


def test_four_profiles_are_some_of_the_sixteen_with_each_trait_high_twice():
    four = balanced_profiles(4)
    assert len(set(four)) == 4
    assert [p for p in balanced_profiles(16) if p in four] == list(four)
    assert np.array_equal(design_matrix(four).sum(axis=0), np.zeros(5))


def test_withheld_profiles_are_a_quarter_in_which_no_two_traits_go_together():
    x = design_matrix(withheld_profiles())
    columns = np.column_stack([np.ones(8), x])
    assert np.array_equal(columns.T @ columns, 8 * np.eye(6))
    others = [profile for profile in ALL_PROFILES if profile not in withheld_profiles()]
    assert np.array_equal(design_matrix(others).sum(axis=0), np.zeros(5))


def test_of_sixteen_profiles_four_are_withheld_and_all_have_high_openness():
    """Decision 0028: with 16 profiles the two parts differ in openness, and in it alone."""
    sixteen = set(balanced_profiles(16))
    withheld = sixteen & set(withheld_profiles())
    assert design_matrix(withheld).sum(axis=0).tolist() == [4, 0, 0, 0, 0]
    assert design_matrix(sixteen - withheld).sum(axis=0).tolist() == [-4, 0, 0, 0, 0]


def test_in_no_quarter_of_this_kind_is_every_trait_balanced_among_the_sixteen():
    """Decision 0028: every quarter in which no two traits go together has a constant trait there.

    A quarter is where two products of traits have fixed signs.
    """
    x = design_matrix(ALL_PROFILES)
    subsets = [list(s) for n in range(1, 6) for s in itertools.combinations(range(5), n)]
    products = [x[:, subset].prod(axis=1) for subset in subsets]
    in_half = np.array([profile in balanced_profiles(16) for profile in ALL_PROFILES])
    found = 0
    for one, other in itertools.combinations(products, 2):
        for signs in itertools.product((1, -1), repeat=2):
            own = (one == signs[0]) & (other == signs[1])
            columns = np.column_stack([np.ones(own.sum()), x[own]])
            if not np.array_equal(columns.T @ columns, 8 * np.eye(6)):
                continue
            found += 1
            asked = x[own & in_half]
            assert len(asked) == 4
            assert (np.abs(asked.sum(axis=0)) == 4).any()
    assert found > 0


def test_other_counts_are_refused():
    with pytest.raises(ValueError, match="4, 16 and 32"):
        balanced_profiles(8)
