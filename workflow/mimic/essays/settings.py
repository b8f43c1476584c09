"""Settings of the stage `essays`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from mimic.settings import Settings, private_url

Encoding = Literal["auto", "utf-8", "iso-8859-1", "windows-1252"]


class EmbeddedSource(Settings):
    """The 96 composed essays that come with the project."""

    kind: Literal["embedded"] = Field(
        "embedded", description="The composed corpus that comes with the project."
    )


class CsvSource(Settings):
    """A CSV file in the layout of the Essays corpus."""

    kind: Literal["csv"] = Field(description="A CSV file in the layout of the Essays corpus.")
    path: str = Field(
        min_length=1,
        description="The file, with the columns #AUTHID, TEXT, cEXT, cNEU, cAGR, cCON and cOPN.",
    )
    encoding: Encoding = Field(
        "auto",
        description="How the file is encoded; auto tries utf-8, then windows-1252, "
        "then iso-8859-1.",
    )
    name: str | None = Field(
        None, description="What reports call the corpus; the file's name if absent."
    )
    composed: bool = Field(
        False, description="Whether the essays were composed, not written by people."
    )


class HubSource(Settings):
    """A data set of the Hugging Face hub with the columns O, C, E, A, N and text."""

    kind: Literal["hub"] = Field(description="A data set of the Hugging Face hub.")
    name: str = Field(
        "jingjietan/essays-big5",
        min_length=1,
        description="The data set, or a folder below the project's that holds a copy of its files.",
    )
    revision: str = Field(
        min_length=1,
        description="The commit of the data set, so that the same settings mean the same essays.",
    )
    composed: bool = Field(
        False, description="Whether the essays were composed, not written by people."
    )

    @field_validator("name")
    @classmethod
    def _names_no_private_place(cls, value: str) -> str:
        # It stands in the records of all results, which are passed on.
        if PurePosixPath(value).is_absolute() or value.startswith("~"):
            raise ValueError(
                f"{value!r} is a place of this machine, which would stand in every record. Name "
                "the data set, or a folder below the project's; or write the essays into one file "
                "and read it with `kind: csv`, of whose path the records keep the file's name alone"
            )
        return value


Source = Annotated[EmbeddedSource | CsvSource | HubSource, Field(discriminator="kind")]


class NoModeration(Settings):
    """No filter."""

    kind: Literal["none"] = Field(description="All checked essays are kept.")


class LocalModeration(Settings):
    """The list of patterns that comes with the project."""

    kind: Literal["local"] = Field(
        "local",
        description="Essays that hold a pattern of workflow/resources/moderation.yaml are "
        "filtered; nothing leaves the machine.",
    )


class ApiModeration(Settings):
    """A moderation model behind an API, which is sent the essays."""

    kind: Literal["api"] = Field(
        description="Each essay is sent to a moderation API, and those that it flags are filtered."
    )
    consent: str | None = Field(
        None, description="What the essays' authors, or who answers for them, consented to; needed."
    )
    terms: str | None = Field(
        None, description="Where the terms stand under which the API gets the essays; needed."
    )
    base_url: str = Field(
        "https://api.openai.com/v1",
        description="The API; essays are posted to /moderations below it. https, or http on this "
        "machine.",
    )
    model: str = Field(
        "omni-moderation-latest",
        min_length=1,
        description="The moderation model; what answers to a name like this one changes with time.",
    )
    key_variable: str = Field(
        "OPENAI_API_KEY",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="The environment variable that holds the API's key; a key never stands in "
        "settings.",
    )

    @field_validator("consent", "terms")
    @classmethod
    def _is_named(cls, value: str | None) -> str:
        if value is None or not value.strip():
            raise ValueError(
                "essays are of real people and stay on this machine unless the settings name the "
                "consent (what was consented to, by whom) and the terms (where they stand) under "
                "which an API gets them; name both, or set essays.moderation.kind to local"
            )
        return value

    @field_validator("base_url")
    @classmethod
    def _is_private(cls, value: str) -> str:
        return private_url(value, key_variable="essays.moderation.key_variable")


Moderation = Annotated[NoModeration | LocalModeration | ApiModeration, Field(discriminator="kind")]


class RoleShares(Settings):
    """What share of the essays plays each role."""

    G: float = Field(
        default=1 / 2, gt=0, lt=1, description="Share of essays that generators are trained on."
    )
    R: float = Field(
        default=0, ge=0, lt=1, description="Share that the reward judge is trained on."
    )
    E: float = Field(
        default=1 / 3, gt=0, lt=1, description="Share that the reading judge is trained on."
    )
    T: float = Field(
        default=1 / 6,
        gt=0,
        lt=1,
        description="Share that the reading judge's own figure is measured on.",
    )

    @model_validator(mode="after")
    def _sum_to_one(self) -> RoleShares:
        total = sum(self.model_dump().values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the shares G, R, E and T sum to {total:.6g}; they must sum to 1")
        return self


class EssaysSettings(Settings):
    """Which corpus, how it is checked, and how its essays are shared out."""

    source: Source = Field(EmbeddedSource(kind="embedded"), description="Where essays come from.")
    roles: RoleShares = Field(RoleShares(), description="Shares of the four roles.")
    moderation: Moderation = Field(
        LocalModeration(kind="local"), description="Which essays are filtered for their content."
    )
    min_words: int = Field(20, ge=1, description="Essays with fewer words are rejected.")
    near_duplicate: float = Field(
        0.3,
        gt=0,
        le=1,
        description="Essays whose sets of three consecutive words have at least this Jaccard "
        "similarity stay in one role.",
    )
    validation_share: float = Field(
        0.2, gt=0, le=0.5, description="Share of G on which no run trains."
    )
    seed: int = Field(1, ge=0, description="Seed of the roles and of the validation essays.")
