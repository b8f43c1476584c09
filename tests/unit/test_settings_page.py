"""config/README.md: the generated table of settings."""

from pathlib import Path
from typing import Annotated, Literal, get_args

import pytest
from pydantic import BaseModel, Field

from mimic.models.settings import ModelSettings
from mimic.settings import Settings
from mimic.settings_page import page, section_rows
from mimic.study import StudySettings


def models_within(annotation: object) -> set[type[BaseModel]]:
    """The settings models that an annotation consists of, nested ones included."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.values()
        return {annotation}.union(*(models_within(field.annotation) for field in fields))
    return set().union(*map(models_within, get_args(annotation)))


MODELS = sorted(models_within(StudySettings) | models_within(ModelSettings), key=str)


def test_the_page_is_up_to_date(project: Path) -> None:
    text = (project / "config/README.md").read_text(encoding="utf-8")
    assert text == page(), "run `python -m mimic.settings_page > config/README.md`"


def test_all_settings_are_looked_at() -> None:
    names = {model.__name__ for model in MODELS}
    assert {"HubSource", "CsvSource", "RoleShares", "SpreadDpo", "HubSettings"} <= names


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_setting_is_described_and_stands_on_the_page(model: type[BaseModel]) -> None:
    text = page()
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name} needs a description"
        assert field.description.strip().endswith("."), f"{model.__name__}.{name}: a sentence"
        assert field.description.replace("|", "\\|") in text


class Left(Settings):
    kind: Literal["left"] = Field("left", description="To the left.")
    far: float = Field(0.25, gt=0, le=1, description="How far.")


class Right(Settings):
    kind: Literal["right"] = Field(description="To the right.")
    names: tuple[Annotated[int, Field(ge=3)], ...] = Field(min_length=2, description="Numbers a|b.")


class Inner(Settings):
    depth: int = Field(1, description="Depth.")


class Outer(Settings):
    inner: Inner = Field(Inner(depth=7), description="The inner one.")
    way: Annotated[Left | Right, Field(discriminator="kind")] = Field(
        Left(far=0.5), description="Which way."
    )
    label: str | None = Field(None, pattern="^a$", description="Label.")
    spare: Inner | None = Field(None, description="A spare one.")
    on: bool = Field(True, description="On.")
    words: dict[str, str] = Field({"a": "b"}, description="Words.")


def test_rows() -> None:
    lines = [row.line() for row in section_rows(Outer, prefix="outer.", defaults=Outer())]
    assert lines == [
        "| `outer.inner` | section |  |  | The inner one. |",
        # The default of the outer section counts, not the inner one's own.
        "| `outer.inner.depth` | whole number |  | `7` | Depth. |",
        "| `outer.way.kind` | text | `left` or `right` | `left` | Which way. `left`: To the left. "
        "`right`: To the right. |",
        "| `outer.way.far` | number | > 0, ≤ 1 | `0.5` | Only with kind `left`: How far. |",
        "| `outer.way.names` | list of whole numbers | at least 2 long, each ≥ 3 | (required) | "
        "Only with kind `right`: Numbers a\\|b. |",
        "| `outer.label` | text or null | matches `^a$` | `null` | Label. |",
        "| `outer.spare` | section or null |  | `null` | A spare one. |",
        "| `outer.spare.depth` | whole number |  | `1` | Depth. |",
        "| `outer.on` | true or false |  | `true` | On. |",
        '| `outer.words` | texts by name |  | `{"a": "b"}` | Words. |',
    ]


def test_a_type_without_words_is_no_silent_gap() -> None:
    class Odd(Settings):
        odd: complex = Field(1j, description="Odd.")

    with pytest.raises(TypeError, match="has no words"):
        section_rows(Odd, prefix="")
