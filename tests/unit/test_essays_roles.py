import hashlib
import random
from collections import Counter

import numpy as np
import pytest

from mimic.essays.roles import Roles, assign_roles, stratify
from mimic.traits import ALL_PROFILES, Profile

SHARES = {"G": 1 / 2, "R": 0.0, "E": 1 / 3, "T": 1 / 6}
PROFILES = [p for p in ALL_PROFILES for _ in range(3)]
DIGESTS = [hashlib.sha256(f"essay {i}".encode()).hexdigest() for i in range(96)]


def assign(
    profiles: list[Profile] = PROFILES,
    clusters: list[int] | None = None,
    digests: list[str] = DIGESTS,
    *,
    shares: dict[str, float] = SHARES,
    seed: int = 1,
) -> Roles:
    return assign_roles(
        profiles,
        list(range(len(profiles))) if clusters is None else clusters,
        digests[: len(profiles)],
        shares=shares,
        validation_share=0.2,
        seed=seed,
    )


@pytest.mark.parametrize("seed", range(5))
def test_sizes_and_balance_of_three_essays_for_each_profile(seed: int) -> None:
    roles = assign(seed=seed)
    assert Counter(roles.role) == {"G": 48, "E": 32, "T": 16}
    counts = Counter(zip(PROFILES, roles.role, strict=True))
    for profile in ALL_PROFILES:
        assert counts[profile, "E"] == 1
        assert counts[profile, "G"] in (1, 2)
    for role, size in (("G", 48), ("E", 32), ("T", 16)):
        levels = [p.levels for p, r in zip(PROFILES, roles.role, strict=True) if r == role]
        assert np.abs(np.sum(levels, axis=0) - size / 2).max() <= 2


def test_validation_is_a_balanced_fifth_of_g() -> None:
    roles = assign()
    held_out = [i for i, v in enumerate(roles.validation) if v]
    assert len(held_out) == 10
    assert {roles.role[i] for i in held_out} == {"G"}
    high = np.sum([PROFILES[i].levels for i in held_out], axis=0)
    assert high.min() >= 3
    assert high.max() <= 7


def test_roles_belong_to_essays_not_to_rows() -> None:
    roles = assign()
    order = list(range(96))
    random.Random(3).shuffle(order)
    moved = assign([PROFILES[i] for i in order], list(range(96)), [DIGESTS[i] for i in order])
    assert moved.role == [roles.role[i] for i in order]
    assert moved.validation == [roles.validation[i] for i in order]


def test_the_seed_changes_the_roles() -> None:
    assert assign(seed=1) == assign(seed=1)
    assert assign(seed=1).role != assign(seed=2).role


def test_clusters_stay_together_and_sizes_hold() -> None:
    clusters = [i // 4 if i < 24 else i for i in range(96)]
    roles = assign(clusters=clusters)
    assert len({(c, r) for c, r in zip(clusters, roles.role, strict=True)}) == len(set(clusters))
    assert len(set(zip(clusters, roles.validation, strict=True))) == len(set(clusters))
    assert Counter(roles.role) == {"G": 48, "E": 32, "T": 16}


def test_four_roles_of_a_larger_corpus() -> None:
    rng = random.Random(0)
    profiles = [rng.choice(ALL_PROFILES) for _ in range(400)]
    digests = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(400)]
    shares = {"G": 0.5, "R": 0.15, "E": 0.25, "T": 0.1}
    roles = assign(profiles, None, digests, shares=shares)
    assert Counter(roles.role) == {"G": 200, "R": 60, "E": 100, "T": 40}
    whole = np.mean([p.levels for p in profiles], axis=0)
    for role in shares:
        part = [p.levels for p, r in zip(profiles, roles.role, strict=True) if r == role]
        assert np.abs(np.mean(part, axis=0) - whole).max() < 0.05


def test_a_role_that_lacks_one_class_of_a_trait_is_named() -> None:
    always_open = [p for p in PROFILES if p.levels[0]]
    with pytest.raises(ValueError, match=r"role G \(24 essays\) has no essay with low openness"):
        assign(always_open)


def test_one_rare_class_is_missed_in_the_role_that_cannot_have_it() -> None:
    profiles = [p for p in PROFILES if p.levels[0]] + [p for p in ALL_PROFILES if not p.levels[0]][
        :2
    ]
    with pytest.raises(ValueError, match=r"has no essay with low openness.*essays\.roles\."):
        assign(profiles)


def test_too_few_essays_for_validation_are_named() -> None:
    profiles = [Profile.parse("O+C+E+A+N+"), Profile.parse("O-C-E-A-N-")] * 3
    shares = {"G": 1 / 3, "R": 0.0, "E": 1 / 3, "T": 1 / 3}
    with pytest.raises(ValueError, match="role G has 2 essays, too few for a validation share"):
        assign(profiles, shares=shares)


def test_a_label_rarer_than_the_parts_goes_to_the_part_that_is_due() -> None:
    counts = np.array([[1, 0]] * 4 + [[0, 1]] * 8)
    part = stratify(counts, np.ones(12, int), [0.75, 0.25])
    assert np.bincount(part[:4]).tolist() == [3, 1]
    assert np.bincount(part[4:]).tolist() == [6, 2]
