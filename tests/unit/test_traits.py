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
    assert len(set(withheld_profiles()) & set(balanced_profiles(16))) == 4


def test_other_counts_are_refused():
    with pytest.raises(ValueError, match="4, 16 and 32"):
        balanced_profiles(8)
