"""The base of every stage's typed settings, and errors in words.

A stage's ``settings.py`` subclasses `Settings`; ``study.py`` composes them.
"""

from __future__ import annotations

import difflib
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin
from urllib.parse import urlsplit

import pydantic
from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Frozen settings that refuse unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


SettingsT = TypeVar("SettingsT", bound=Settings)


def parse_settings(model: type[SettingsT], values: Any, *, source: str) -> SettingsT:
    """Validate `values` as `model`.

    Parameters
    ----------
    values
        What a YAML or JSON file held.
    source
        The file's name, for messages.

    Raises
    ------
    ValueError
        Naming the file, each wrong key, its value, what is allowed, and the nearest valid key.
    """
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ValueError(f"{source}: expected keys and values, found {values!r}")
    try:
        return model.model_validate(values)
    except pydantic.ValidationError as error:
        lines = [_describe(model, problem) for problem in error.errors()]
        raise ValueError(
            f"{source}: {len(lines)} wrong setting(s)\n  " + "\n  ".join(lines)
        ) from None


def private_url(value: str, *, key_variable: str) -> str:
    """An API's URL without a slash at its end, to which texts and a key can be sent.

    Parameters
    ----------
    key_variable
        The setting that names the key's environment variable, for messages.

    Raises
    ------
    ValueError
        If others could read what is sent, or the URL itself could hold a secret.
    """
    parts = urlsplit(value)
    here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not parts.hostname or not (parts.scheme == "https" or here):
        raise ValueError("give a URL that begins with https://, or http:// on this machine")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "a URL with a user, a password, a query or a fragment; settings are recorded, so a "
            f"secret belongs into the environment variable of {key_variable}"
        )
    return value.rstrip("/")


def _describe(model: type[BaseModel], problem: Any) -> str:
    path, section = _walk(model, list(problem["loc"]))
    # Of a name that a section by name can't have, pydantic says "[key]" behind the name.
    key = ".".join(str(part) for part in path if part != "[key]")
    if problem["type"] == "extra_forbidden":
        allowed = list(section.model_fields)
        near = difflib.get_close_matches(str(path[-1]), allowed, n=1)
        hint = f" did you mean {near[0]!r}?" if near else ""
        return f"{key}: no such setting;{hint} allowed here: {', '.join(sorted(allowed))}"
    message = problem["msg"].removeprefix("Value error, ")
    # What is wrong with the settings together has no key; the message names those concerned.
    return f"{key} = {problem['input']!r}: {message}" if key else message


def _walk(model: type[BaseModel], location: list[Any]) -> tuple[list[Any], type[BaseModel]]:
    """The keys of an error's location without union tags, and the section that holds the last."""
    path: list[Any] = []
    section = model
    candidates: tuple[Any, ...] = ()
    in_union = False
    for place, part in enumerate(location):
        if in_union and isinstance(part, str):
            # Which member of a union of plain types was tried isn't a key of the file either.
            in_union = False
            continue
        tagged = [c for c in candidates if _tag(c) == part]
        if tagged:
            # A tag of a union isn't a key of the file; it says which member was meant.
            section, candidates = tagged[0], ()
            continue
        if any(part == getattr(c, "__name__", None) for c in candidates):
            continue
        path.append(part)
        field = section.model_fields.get(part) if isinstance(part, str) else None
        if field is not None and place < len(location) - 1:
            members = get_args(field.annotation) or (field.annotation,)
            candidates = tuple(m for m in members if isinstance(m, type))
            models = [m for m in candidates if issubclass(m, BaseModel)]
            if len(models) == 1:
                section = models[0]
            in_union = not models and get_origin(field.annotation) in (Union, UnionType)
    return path, section


def _tag(member: Any) -> str | None:
    """The value of ``kind`` that selects a member of a discriminated union."""
    if not issubclass(member, BaseModel) or "kind" not in member.model_fields:
        return None
    (value,) = get_args(member.model_fields["kind"].annotation)
    return str(value)
