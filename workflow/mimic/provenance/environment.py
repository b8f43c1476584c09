"""The installed distributions that a group of steps needs, as a digest.

The groups (data, train, measure, report) are the optional dependencies of that name in
``pyproject.toml``; the digest covers the versions installed, transitively, so that an upgrade by
hand is seen as well as one through a lock.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import tomllib
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mimic.files import canonical_json
from mimic.provenance.fingerprint import PACKAGE_ROOT

GROUPS = ("data", "train", "measure", "report")
PYPROJECT = PACKAGE_ROOT.parent / "pyproject.toml"


@functools.cache
def group_versions(group: str) -> dict[str, str]:
    """Name → installed version of each distribution that `group` needs.

    Raises
    ------
    ValueError
        If there is no such group, or one of its direct requirements isn't installed.
    """
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    groups = project["optional-dependencies"]
    if group not in groups:
        raise ValueError(f"no group {group!r} in {PYPROJECT.name}; there are {', '.join(groups)}")
    waiting = [Requirement(text) for text in [*project["dependencies"], *groups[group]]]
    direct = {canonicalize_name(requirement.name) for requirement in waiting}
    found: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        # With other extras a distribution needs other distributions.
        if (name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, frozenset(requirement.extras)))
        try:
            version, requirements = _distribution(name)
        except metadata.PackageNotFoundError:
            if name in direct:
                raise ValueError(
                    f"{requirement} is not installed; run `make install`, then try again"
                ) from None
            continue
        found[name] = version
        extras = requirement.extras or {""}
        for needed in requirements:
            wanted = needed.marker is None or any(
                needed.marker.evaluate({"extra": extra}) for extra in extras
            )
            if wanted:
                waiting.append(needed)
    return dict(sorted(found.items()))


# Read once for all groups: reading and parsing it is most of what this module takes.
@functools.cache
def _distribution(name: str) -> tuple[str, tuple[Requirement, ...]]:
    """Version and requirements of an installed distribution."""
    found = metadata.distribution(name).metadata
    return found["Version"], tuple(map(Requirement, found.get_all("Requires-Dist") or ()))


@functools.cache
def group_digest(group: str) -> str:
    """Sixteen hexadecimal digits over `group_versions`."""
    return hashlib.sha256(canonical_json(group_versions(group)).encode()).hexdigest()[:16]


def forget() -> None:
    """Forget what was read, so that the next digest is of what is installed then."""
    importlib.invalidate_caches()
    for cached in (group_versions, _distribution, group_digest):
        cached.cache_clear()
