"""Who plays which role: essays shared out so that each part looks like the corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mimic.traits import ALL_PROFILES, TRAITS, Profile

ROLES = ("G", "R", "E", "T")

# Sums of shares that are equal on paper must be equal here, too.
_ROUNDING = 1e-9


class Roles(NamedTuple):
    """For each essay its role, and whether it is one of G's validation essays."""

    role: list[str]
    validation: list[bool]


def assign_roles(
    profiles: Sequence[Profile],
    clusters: Sequence[int],
    digests: Sequence[str],
    *,
    shares: Mapping[str, float],
    validation_share: float,
    seed: int,
) -> Roles:
    """Share out whole clusters of essays over the roles, and G's over training and validation.

    Parameters
    ----------
    profiles, clusters, digests
        Of each essay its profile, its cluster, and the digest of its text. The result depends on
        the digests and the seed, never on the order of essays.
    shares
        Each role's share of the essays; a role with share 0 gets none.
    validation_share
        The share of G's essays that no run trains on.

    Raises
    ------
    ValueError
        If a role lacks one class of a trait, or G has too few clusters for validation.
    """
    shares = {role: share for role, share in shares.items() if share > 0}
    part = _share_out(profiles, clusters, digests, shares=list(shares.values()), seed=seed)
    role = [list(shares)[p] for p in part]
    for name in shares:
        _require_both_levels(name, [p for p, r in zip(profiles, role, strict=True) if r == name])

    in_g = [i for i, r in enumerate(role) if r == "G"]
    held_out = _share_out(
        [profiles[i] for i in in_g],
        [clusters[i] for i in in_g],
        [digests[i] for i in in_g],
        shares=[1 - validation_share, validation_share],
        seed=seed,
    )
    if len(set(held_out.tolist())) < 2:
        raise ValueError(
            f"role G has {len(in_g)} essays, too few for a validation share of "
            f"{validation_share:g}; enlarge the corpus, G's share or essays.validation_share"
        )
    validation = np.zeros(len(role), dtype=bool)
    validation[in_g] = held_out == 1
    return Roles(role, validation.tolist())


def stratify(counts: np.ndarray, sizes: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Share out units by iterative stratification.

    The label with the fewest units left is served first; each of its units goes to the part that
    wants most of this label (Sechidis, Tsoumakas, Vlahavas 2011, "On the stratification of
    multi-label data", algorithm 1). Added here: a full part takes no more, so parts of units of
    size 1 have exactly the sizes that the shares ask for (largest remainders); larger units go
    first; what parts want is compared in whole essays, since with rare labels and a small share
    fractions would always favour the largest part; and among parts that then want a label equally,
    the one goes first that lacks relatively most of the unit's other labels, then the relatively
    emptiest.

    Parameters
    ----------
    counts
        Essays of each label in each unit, shape (units, labels). The order of units breaks ties.
    sizes
        Essays in each unit, shape (units,).
    shares
        Each part's share, above 0; they sum to 1.

    Returns
    -------
    numpy.ndarray
        The number of each unit's part, shape (units,).
    """
    targets = _largest_remainders(int(sizes.sum()), shares)
    room = targets.astype(float)
    wanted = np.outer(targets / max(targets.sum(), 1), counts.sum(axis=0))
    at_first = np.where(wanted > 0, wanted, 1.0)
    part = np.full(len(sizes), -1)

    def place(unit: int, label: int) -> None:
        others = counts[unit] * (np.arange(counts.shape[1]) != label)
        fits = [p for p in range(len(shares)) if room[p] >= sizes[unit]]
        best = max(
            fits or range(len(shares)),
            key=lambda p: (
                np.floor(wanted[p, label] + _ROUNDING),
                wanted[p, label] > _ROUNDING,
                round(float(others @ (wanted[p] / at_first[p])), 9),
                room[p] / max(targets[p], 1),
            ),
        )
        part[unit] = best
        wanted[best] -= counts[unit]
        room[best] -= sizes[unit]

    for tier in (sizes > 1, sizes == 1):
        while (pending := np.flatnonzero(tier & (part < 0))).size:
            left = counts[pending].sum(axis=0)
            rarest = (left > 0) & (left == left[left > 0].min())
            # Ties between labels: the one that the first unit has, as units come in seeded order.
            first = next(u for u in pending if (counts[u, rarest] > 0).any())
            label = int(np.flatnonzero(rarest & (counts[first] > 0))[0])
            concerned = [u for u in pending if counts[u, label] > 0]
            for unit in sorted(concerned, key=lambda u: -sizes[u]):
                place(int(unit), label)
    return part


def _share_out(
    profiles: Sequence[Profile],
    clusters: Sequence[int],
    digests: Sequence[str],
    *,
    shares: Sequence[float],
    seed: int,
) -> np.ndarray:
    """The part of each essay, the same for all of a cluster."""
    members: dict[int, list[int]] = {}
    for essay, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(essay)

    def seeded(essays: list[int]) -> str:
        return hashlib.sha256(f"{seed} {min(digests[i] for i in essays)}".encode()).hexdigest()

    units = sorted(members.values(), key=seeded)
    labels = np.array([_labels(profile) for profile in profiles])
    counts = np.array([labels[essays].sum(axis=0) for essays in units])
    sizes = np.array([len(essays) for essays in units])
    part = np.empty(len(profiles), dtype=int)
    for essays, number in zip(units, stratify(counts, sizes, shares), strict=True):
        part[essays] = number
    return part


def _labels(profile: Profile) -> list[int]:
    """Indicators: each trait high, each trait low, each profile."""
    high = [int(level) for level in profile.levels]
    return [*high, *(1 - level for level in high), *(int(profile == p) for p in ALL_PROFILES)]


def _largest_remainders(total: int, shares: Sequence[float]) -> np.ndarray:
    exact = np.round(np.array(shares) * total, 9)
    targets = np.floor(exact).astype(int)
    order = np.argsort(-(exact - targets), kind="stable")
    targets[order[: total - targets.sum()]] += 1
    return targets


def _require_both_levels(role: str, profiles: Sequence[Profile]) -> None:
    for index, trait in enumerate(TRAITS):
        for level, word in ((True, "high"), (False, "low")):
            if not any(profile.levels[index] is level for profile in profiles):
                raise ValueError(
                    f"role {role} ({len(profiles)} essays) has no essay with {word} {trait}; each "
                    f"role needs both classes of each trait: enlarge the corpus or the share "
                    f"essays.roles.{role}"
                )
