"""The prompts for texts, and the table of what was written with its hygiene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mimic.conditioning import UNTOLD, Conditioning, persona
from mimic.masking import load_trait_words, mask
from mimic.respondents.base import Prompt
from mimic.traits import Profile, balanced_profiles
from mimic.writing.hygiene import copy_index, is_copied, repetition
from mimic.writing.settings import WritingSettings

COLUMNS = (
    *("id", "profile", "situation", "sample", "text"),
    *("tokens", "trait_words", "copied", "repetition"),
)


class Cell(NamedTuple):
    """What a text is written for."""

    profile: Profile
    situation: str
    sample: int


def cells_of(settings: WritingSettings) -> list[Cell]:
    """All texts that a run writes, in order."""
    return [
        Cell(profile, situation, sample)
        for profile in balanced_profiles(settings.profiles)
        for situation in settings.situations
        for sample in range(settings.samples)
    ]


def prompts_of(
    cells: Sequence[Cell],
    settings: WritingSettings,
    rendered: Callable[[str], str],
    conditioning: Conditioning = "prompt",
) -> list[Prompt]:
    """The prompt of each cell.

    Where prompts hold no target, those of all profiles are the same; each is sampled by itself.

    Parameters
    ----------
    rendered
        What makes a prompt of a request, such as a chat template.
    conditioning
        How the run is told its target.
    """
    profiles = list(dict.fromkeys(cell.profile for cell in cells))
    return [
        Prompt(
            rendered(
                f"{persona(cell.profile, conditioning)} {settings.situations[cell.situation]}"
            ),
            name=f"for a text about {cell.situation} for {cell.profile}",
            sample=cell.sample
            + (settings.samples * profiles.index(cell.profile) if conditioning in UNTOLD else 0),
        )
        for cell in cells
    ]


def table_of(
    cells: Sequence[Cell],
    texts: Sequence[str],
    *,
    encoded: Callable[[str], Sequence[Any]],
    essays: Path,
    trait_words: Path,
) -> pd.DataFrame:
    """A row for each text, with what is wrong with it.

    Parameters
    ----------
    texts
        One for each cell, on one line each.
    encoded
        What makes tokens of a text.
    essays
        The checked essays; those of role G may have been copied.
    trait_words
        The list of trait words.
    """
    table = pd.read_csv(essays, dtype={"id": str}, keep_default_na=False)
    trained_on = table[table["role"] == "G"]["text"]
    index = copy_index(encoded(text) for text in trained_on)
    words = load_trait_words(trait_words)
    rows = []
    for cell, text in zip(cells, texts, strict=True):
        tokens = encoded(text)
        rows.append(
            {
                "id": f"{cell.profile}-{cell.situation}-{cell.sample}",
                "profile": str(cell.profile),
                "situation": cell.situation,
                "sample": cell.sample,
                "text": text,
                "tokens": len(tokens),
                "trait_words": mask(text, words)[1],
                "copied": int(is_copied(tokens, index)),
                "repetition": round(repetition(tokens), 6),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def summarise(table: pd.DataFrame, *, chat_template: str) -> dict[str, Any]:
    """The hygiene of a run's texts in figures; means are None where there are no texts."""
    return {
        "texts": len(table),
        "empty": int((table["tokens"] == 0).sum()),
        "copied": int(table["copied"].sum()),
        "with_trait_words": int((table["trait_words"] > 0).sum()),
        "mean_tokens": round(float(table["tokens"].mean()), 3) if len(table) else None,
        "mean_repetition": round(float(table["repetition"].mean()), 6) if len(table) else None,
        "distinct": int(table["text"].nunique()),
        "chat_template": chat_template,
    }
