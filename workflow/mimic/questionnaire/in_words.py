"""The prompts of the protocol ``released``, and the rows of their answers in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mimic.conditioning import Conditioning, described
from mimic.forms.released import Released, ReleasedFormat
from mimic.progress import say
from mimic.questionnaire.instruments import Item
from mimic.questionnaire.parsing import parse
from mimic.respondents.base import Prompt
from mimic.traits import Profile

COLUMNS = (
    *("profile", "item", "trait", "keyed", "cluster"),
    *("form", "format", "text", "option", "reason"),
)


@dataclass(frozen=True)
class Asked:
    """A rendered prompt and what it is about."""

    profile: Profile
    name: str
    format: ReleasedFormat
    item: Item
    prompt: Prompt


def prompts_of(
    rendered: Callable[[str], str],
    released: Released,
    *,
    profiles: Sequence[Profile],
    items: Sequence[Item],
    texts: Mapping[Profile, str],
    conditioning: Conditioning = "prompt",
) -> list[Asked]:
    """The prompts of all formats, profiles and items, in this order.

    Parameters
    ----------
    rendered
        What makes a prompt of a request, such as a chat template.
    texts
        The context text of each profile; empty in the context ``none``.
    conditioning
        How the run is told its target.

    Raises
    ------
    ValueError
        If there are texts but a format has no place for one.
    """
    return [
        Asked(
            profile=profile,
            name=name,
            format=form,
            item=item,
            prompt=Prompt(
                rendered(
                    form.filled(
                        target=described(profile, conditioning),
                        text=texts.get(profile),
                        item=item.statement(),
                    )
                ),
                name=f"of item {item.id} in format {name} for {profile}",
            ),
        )
        for name, form in released.by_name().items()
        for profile in profiles
        for item in items
    ]


def table_of(asked: Sequence[Asked], answers: Sequence[str]) -> pd.DataFrame:
    """A row for each answer."""
    rows = [row_of(one, text) for one, text in zip(asked, answers, strict=True)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    say(f"an option was read in {(table['option'] > 0).sum()} of {len(table)} answers")
    return table


def row_of(asked: Asked, text: str) -> dict[str, Any]:
    """A row: the raw answer, the option read in it (0 for none) and why there is none."""
    parsed = parse(text, asked.format)
    return {
        "profile": str(asked.profile),
        "item": asked.item.id,
        "trait": asked.item.trait,
        "keyed": asked.item.keyed,
        "cluster": asked.item.cluster,
        "form": asked.name,
        "format": asked.name,
        "text": text,
        "option": parsed.option or 0,
        "reason": parsed.reason,
    }
