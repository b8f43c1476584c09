"""Instruments: items, keys, clusters, response scale, norms, source, version."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import Field, field_validator, model_validator

from mimic.files import canonical_json
from mimic.settings import Settings, parse_settings
from mimic.traits import TRAITS

DIGEST_LENGTH = 16


class Item(Settings):
    """One item of an instrument."""

    id: str = Field(min_length=1, description="Unique in the instrument.")
    text: str = Field(min_length=1, description="The published wording, without a subject.")
    trait: Literal[
        "openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism"
    ] = Field(description="The trait that it measures.")
    facet: str | None = Field(None, description="The facet, where the instrument has facets.")
    keyed: Literal["plus", "minus"] = Field(description="Whether agreement means high or low.")
    cluster: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Shared by items, of all instruments, with the same text, a rewording or the "
        "plain opposite; they go to training or to test together.",
    )

    def statement(self) -> str:
        """The item as a sentence about oneself: ``I worry about things.``"""
        return sentence(self.text)


def sentence(phrase: str) -> str:
    """A phrase without its subject as a sentence about oneself."""
    return f"I {phrase[:1].lower()}{phrase[1:]}."


class TraitNorm(Settings):
    """How people of a norm sample score on a trait, as the mean of its items (1 to 5)."""

    mean: float = Field(ge=1, le=5, description="Mean over people.")
    sd: float = Field(gt=0, le=2, description="Standard deviation over people.")
    median: float | None = Field(ge=1, le=5, description="Median; null where none is published.")

    def cut(self) -> float:
        """The median, or the mean where no median is published (decision 0009).

        The two are equal in a symmetric distribution. Means of many items come near to one, but
        nothing published says how near, so the cut is then off by an unknown part of the standard
        deviation.
        """
        return self.mean if self.median is None else self.median


class Norms(Settings):
    """Published norms of an instrument in its original wording and scale."""

    source: str = Field(min_length=1, description="Full reference, table, and what was converted.")
    n: int = Field(gt=0, description="People in the sample.")
    sample: str = Field(min_length=1, description="Who they are.")
    traits: dict[str, TraitNorm] = Field(description="Norms of each of the five traits.")

    @field_validator("traits")
    @classmethod
    def _all_traits(cls, traits: dict[str, TraitNorm]) -> dict[str, TraitNorm]:
        unknown = sorted(set(traits) - set(TRAITS))
        if unknown:
            raise ValueError(
                f"norms of the unknown trait {unknown[0]!r}; the traits are {', '.join(TRAITS)}"
            )
        lacking = [trait for trait in TRAITS if trait not in traits]
        if lacking:
            raise ValueError(f"no norms of {', '.join(lacking)}")
        return traits


class Instrument(Settings):
    """A questionnaire.

    `norms` are of the original items on the original scale. Wherever they cut answers to reworded
    items or on other scales, the cut is named "norms of the original form".
    """

    name: str = Field(description="Name in tables.")
    version: int = Field(ge=1, description="Raised with every change of the file.")
    digest: str = Field(description="`content_digest` of all else in the file.")
    source: str = Field(description="Where the items and keys come from.")
    license: str = Field(description="Terms of use.")
    scale: tuple[str, str, str, str, str] = Field(
        description="The published response labels for 1 to 5, least to most agreement."
    )
    norms: Norms | None = Field(None, description="Published norms, where there are any.")
    items: tuple[Item, ...] = Field(min_length=5, description="The items, in published order.")

    @model_validator(mode="after")
    def _check(self) -> Instrument:
        for name, values in (
            ("item id", [item.id for item in self.items]),
            ("item text", [_folded(item.text) for item in self.items]),
            ("scale label", [_folded(label) for label in self.scale]),
        ):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"the {name} {twice[0]!r} stands more than once")
        lacking = sorted(set(TRAITS) - {item.trait for item in self.items})
        if lacking:
            raise ValueError(f"no item measures {', '.join(lacking)}")
        return self


class ClusterItem(NamedTuple):
    """An item and the instrument (file name without .yaml) in which it stands."""

    instrument: str
    item: Item


def content_digest(values: Mapping[str, Any]) -> str:
    """What an instrument's `digest` must be.

    Parameters
    ----------
    values
        What the YAML file holds, with or without its digest.

    Returns
    -------
    str
        The first 16 hexadecimal digits of the sha256 of all but the digest, as canonical JSON.
    """
    content = {key: value for key, value in values.items() if key != "digest"}
    digest = hashlib.sha256(canonical_json(content).encode("utf-8")).hexdigest()
    return digest[:DIGEST_LENGTH]


def load_instrument(path: Path) -> Instrument:
    """Read an instrument.

    Raises
    ------
    ValueError
        Naming the file, the item and what is allowed: for what is missing, unknown or stands twice,
        and for a digest that doesn't fit the content.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not valid YAML ({error})") from None
    try:
        instrument = parse_settings(Instrument, values, source=str(path))
    except ValueError as error:
        raise ValueError(f"{error}{_items_named(str(error), values)}") from None
    computed = content_digest(values)
    if instrument.digest != computed:
        raise ValueError(
            f"{path}: digest is {instrument.digest!r}, but the content's is {computed!r}; the file "
            "was changed since the digest was written. Raise version, run this again, and write "
            "the digest that it then computes"
        )
    return instrument


def item_clusters(instruments: Mapping[str, Instrument]) -> dict[str, tuple[ClusterItem, ...]]:
    """The items of each cluster across instruments, clusters by name, items in the given order.

    A cluster can hold items of several traits: the same item measures openness in one instrument
    and agreeableness in another.

    Parameters
    ----------
    instruments
        Instruments by file name without .yaml.

    Raises
    ------
    ValueError
        If two instruments put the same text (case aside) into different clusters.
    """
    clusters: dict[str, list[ClusterItem]] = {}
    seen: dict[str, ClusterItem] = {}
    for name, instrument in instruments.items():
        for item in instrument.items:
            first = seen.setdefault(_folded(item.text), ClusterItem(name, item))
            if first.item.cluster != item.cluster:
                raise ValueError(
                    f"{item.text!r} is in cluster {first.item.cluster!r} in {first.instrument} "
                    f"({first.item.id}) and in {item.cluster!r} in {name} ({item.id}); the same "
                    "text has one cluster in all instruments"
                )
            clusters.setdefault(item.cluster, []).append(ClusterItem(name, item))
    return {cluster: tuple(clusters[cluster]) for cluster in sorted(clusters)}


def cuts(instrument: Instrument, cut: Literal["norms"] | float) -> dict[str, float]:
    """The cut for each trait: a mean item score at or above it is high.

    Parameters
    ----------
    instrument
        The instrument whose norms are meant.
    cut
        ``"norms"``: the norm median, or the norm mean where no median is published (decision 0009).
        A number, such as 3.0: the same for all traits.

    Returns
    -------
    dict[str, float]
        By trait, in the order of `TRAITS`, on the scale 1 to 5.

    Raises
    ------
    ValueError
        If the instrument has no norms, or `cut` is neither ``"norms"`` nor a number from 1 to 5.
    """
    if isinstance(cut, str):
        if cut != "norms":
            raise ValueError(f"{cut!r} is no cut; allowed are 'norms' and a number from 1 to 5")
        if instrument.norms is None:
            raise ValueError(
                f"{instrument.name} has no norms to cut at; take the number 3.0, or add published "
                "norms to its file (docs/add-an-instrument.md)"
            )
        return {trait: instrument.norms.traits[trait].cut() for trait in TRAITS}
    if not 1 <= cut <= 5:
        raise ValueError(f"the cut {cut} is outside of the scale; allowed are numbers from 1 to 5")
    return dict.fromkeys(TRAITS, float(cut))


def _folded(text: str) -> str:
    """What counts as the same text: case and space aside."""
    return " ".join(text.casefold().split())


def _items_named(message: str, values: Any) -> str:
    """Lines that say which items ``items.3`` and the like in a message are."""
    items = values.get("items") if isinstance(values, dict) else None
    places = sorted({int(place) for place in re.findall(r"^  items\.(\d+)", message, re.MULTILINE)})
    if not isinstance(items, list):
        return ""
    return "".join(
        f"\n  items.{place} is {items[place].get('id')!r}, {items[place].get('text')!r}"
        for place in places
        if isinstance(items[place], dict)
    )
