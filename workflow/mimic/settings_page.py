"""Prints ``config/README.md``: every setting with its type, range, default and meaning.

``python -m mimic.settings_page > config/README.md``
"""

from __future__ import annotations

import json
import types
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mimic.models.settings import ModelSettings
from mimic.study import StudySettings

INTRO = """\
<!-- Made by `python -m mimic.settings_page > config/README.md`; a test fails on drift. -->

# Settings

A settings file names settings as YAML, a section for each stage, and is used by
`snakemake --profile profiles/local --configfile config/mine.yaml`. A setting that it doesn't name
has the default that stands here, and a name that doesn't stand here is an error.
"""
MODELS_INTRO = "Entries of `config/models.yaml`, by the name that a study's `models` uses."
HEADER = "| setting | type | allowed | default | meaning |\n|---|---|---|---|---|"
REQUIRED = "(required)"
PLAIN_TYPES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    type(None): "null",
}


@dataclass(frozen=True)
class Row:
    """One setting of the page."""

    setting: str
    type: str
    allowed: str
    default: str
    meaning: str

    def line(self) -> str:
        """The row of a Markdown table."""
        cells = (f"`{self.setting}`", self.type, self.allowed, self.default, self.meaning)
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def page() -> str:
    """The text of ``config/README.md``."""
    study = StudySettings()
    single: list[Row] = []
    sections: list[str] = []
    for name, field in StudySettings.model_fields.items():
        rows = setting_rows(name, field, default=getattr(study, name))
        if _is_section(field.annotation):
            # The first row is the section's own; its words stand under the heading.
            sections.append(_section(name, rows[0].meaning, rows[1:]))
        else:
            single += rows
    models = section_rows(ModelSettings, prefix="")
    return "\n".join(
        [
            INTRO,
            _section("The study", "Settings outside of any section.", single),
            *sections,
            _section("Models", MODELS_INTRO, models),
        ]
    )


def section_rows(
    model: type[BaseModel], *, prefix: str, defaults: BaseModel | None = None
) -> list[Row]:
    """The rows of a section and of what is nested in it.

    Parameters
    ----------
    prefix
        What stands before each setting's name, such as ``finetune.sft.``.
    defaults
        The section's default, which counts for more than its fields' own defaults.
    """
    rows: list[Row] = []
    for name, field in model.model_fields.items():
        default = field.default if defaults is None else getattr(defaults, name)
        rows += setting_rows(f"{prefix}{name}", field, default=default)
    return rows


def setting_rows(setting: str, field: FieldInfo, *, default: Any) -> list[Row]:
    """One row, or those of the section or of the union of sections that the field is."""
    if field.discriminator is not None:
        return _union_rows(setting, field, default=default)
    if _is_section(field.annotation):
        assert isinstance(field.annotation, type)  # _is_section said so
        own = Row(setting, "section", "", "", field.description or "")
        prefix, defaults = f"{setting}.", _section_or(default)
        return [own, *section_rows(field.annotation, prefix=prefix, defaults=defaults)]
    members = [member for member in get_args(field.annotation) if _is_section(member)]
    # Sections by name are one row: the settings of each stand elsewhere on the page.
    if members and get_origin(field.annotation) is not dict:
        own = Row(
            setting,
            "section or null",
            "",
            _default_words(default, required=field.is_required()),
            field.description or "",
        )
        prefix, defaults = f"{setting}.", _section_or(default)
        return [own, *section_rows(members[0], prefix=prefix, defaults=defaults)]
    return [
        Row(
            setting=setting,
            type=type_words(field.annotation),
            allowed=allowed_words(field.annotation, field.metadata),
            default=_default_words(default, required=field.is_required()),
            meaning=field.description or "",
        )
    ]


def _union_rows(setting: str, field: FieldInfo, *, default: Any) -> list[Row]:
    """A row for ``kind``, then the rows of each kind."""
    kinds: dict[str, type[BaseModel]] = {}
    for member in get_args(field.annotation):
        (kind,) = get_args(member.model_fields["kind"].annotation)
        kinds[kind] = member
    chosen = _section_or(default)
    meanings = [f"`{kind}`: {m.model_fields['kind'].description}" for kind, m in kinds.items()]
    rows = [
        Row(
            setting=f"{setting}.kind",
            type="text",
            allowed=_choices(kinds),
            default=REQUIRED if chosen is None else f"`{getattr(chosen, 'kind', '')}`",
            meaning=" ".join([field.description or "", *meanings]),
        )
    ]
    for kind, member in kinds.items():
        defaults = chosen if isinstance(chosen, member) else None
        for row in section_rows(member, prefix=f"{setting}.", defaults=defaults):
            if row.setting != f"{setting}.kind":
                meaning = f"Only with kind `{kind}`: {row.meaning}"
                rows.append(Row(row.setting, row.type, row.allowed, row.default, meaning))
    return rows


def type_words(annotation: Any) -> str:
    """A type in words, such as ``list of numbers``."""
    origin, members = get_origin(annotation), get_args(annotation)
    if annotation in PLAIN_TYPES:
        return PLAIN_TYPES[annotation]
    if origin is Annotated:
        return type_words(members[0])
    if origin is Literal:
        return PLAIN_TYPES[type(members[0])]
    if origin is tuple:
        return f"list of {type_words(members[0])}s"
    if origin is dict:
        kind = "section" if _is_section(members[1]) else type_words(members[1])
        return f"{kind}s by name"
    if origin in (Union, types.UnionType):
        return " or ".join(type_words(member) for member in members)
    raise TypeError(f"{annotation!r} has no words; add them here")


def allowed_words(annotation: Any, metadata: list[Any]) -> str:
    """What a setting may be, besides its type; empty if anything of the type goes."""
    words = [word for word in map(_constraint_words, metadata) if word]
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        words.append(_choices(members))
    elif origin is Annotated:
        constraints = [c for m in members[1:] for c in getattr(m, "metadata", [m])]
        words.append(allowed_words(members[0], constraints))
    elif origin is tuple:
        each = allowed_words(members[0], [])
        words.append(f"each {each}" if each else "")
    elif origin in (Union, types.UnionType):
        words += [allowed_words(member, []) for member in members]
    return ", ".join(word for word in words if word)


def _constraint_words(constraint: Any) -> str:
    match constraint:
        case annotated_types.Ge(ge=least):
            return f"≥ {least}"
        case annotated_types.Gt(gt=below):
            return f"> {below}"
        case annotated_types.Le(le=most):
            return f"≤ {most}"
        case annotated_types.Lt(lt=above):
            return f"< {above}"
        case annotated_types.MinLen(min_length=length):
            return "not empty" if length == 1 else f"at least {length} long"
    pattern = getattr(constraint, "pattern", None)
    if pattern is None:
        raise TypeError(f"{constraint!r} has no words; add them here")
    return f"matches `{pattern}`"


def _choices(values: Any) -> str:
    return " or ".join(f"`{value}`" for value in values)


def _default_words(value: Any, *, required: bool) -> str:
    if required:
        return REQUIRED
    if isinstance(value, float):
        return f"`{value:.6g}`"
    if isinstance(value, str):
        return f"`{value}`"
    # JSON is YAML too.
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _section_or(default: Any) -> BaseModel | None:
    return default if isinstance(default, BaseModel) else None


def _section(title: str, description: str, rows: list[Row]) -> str:
    lines = "\n".join(row.line() for row in rows)
    return f"## {title}\n\n{description}\n\n{HEADER}\n{lines}\n"


if __name__ == "__main__":
    print(page(), end="")
