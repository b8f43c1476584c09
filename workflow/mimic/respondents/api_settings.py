"""Where a model that a provider serves is asked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from mimic.settings import Settings, private_url


class ApiSettings(Settings):
    """A model that a provider serves; its weights are nowhere to be had."""

    kind: Literal["api"] = Field(
        description="A model that a provider serves by an OpenAI-compatible API. Only the "
        "untrained run exists, and it answers in words alone."
    )
    id: str = Field(
        min_length=1,
        description="The provider's name of the model, the dated one: an alias means another "
        "model some day.",
    )
    base_url: str = Field(
        "https://api.openai.com/v1",
        description="The API; `/chat/completions` below it is asked. https, or http on this "
        "machine.",
    )
    key_variable: str = Field(
        "OPENAI_API_KEY",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="The environment variable that holds the API's key; a key never stands in "
        "settings.",
    )

    @field_validator("base_url")
    @classmethod
    def _is_private(cls, value: str) -> str:
        return private_url(value, key_variable="source.key_variable")
