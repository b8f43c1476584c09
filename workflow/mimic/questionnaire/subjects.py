"""Whom the answers are about: targets, or the authors of essays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import yaml
from pydantic import Field

from mimic.conditioning import Conditioning, persona
from mimic.questionnaire.texts import cut_text, own_texts
from mimic.settings import Settings, parse_settings
from mimic.traits import Profile

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Subject(NamedTuple):
    """One subject of a questionnaire.

    Attributes
    ----------
    subject
        The target's label, or the essay's id.
    profile
        What the answers are scored against.
    about
        What the prompt says of the subject.
    """

    subject: str
    profile: Profile
    about: str


class Sketches(Settings):
    """The content of ``config/forms/sketches.yaml``."""

    version: int = Field(description="Raised with every change of the words.")
    sketches: dict[str, str] = Field(min_length=10, description="Sketches of people by name.")


def targets(
    profiles: Sequence[Profile],
    *,
    texts: Path | None,
    tokenizer: PreTrainedTokenizerBase,
    text_tokens: int,
    conditioning: Conditioning = "prompt",
) -> list[Subject]:
    """The contexts ``none`` and ``own``: each profile as a target, with the run's own text or not.

    Raises
    ------
    ValueError
        If a profile has no text of its own.
    """
    if texts is None:
        return [
            Subject(str(profile), profile, persona(profile, conditioning)) for profile in profiles
        ]
    return [
        Subject(
            str(profile),
            profile,
            f"{persona(profile, conditioning)}\n{_wrote(tokenizer, text, text_tokens)}",
        )
        for profile, text in own_texts(texts, profiles).items()
    ]


def sketched(
    profiles: Sequence[Profile], sketches: Path, conditioning: Conditioning = "prompt"
) -> list[Subject]:
    """The context ``sketches``: each profile as the target of each person.

    Rows of answers that differ in more than the target, for the reliability of scales.

    Raises
    ------
    ValueError
        If the file holds no sketches; it names file and key.
    """
    values = yaml.safe_load(sketches.read_text(encoding="utf-8"))
    people = parse_settings(Sketches, values, source=str(sketches)).sketches
    return [
        Subject(f"{profile} {name}", profile, f"{persona(profile, conditioning)}\n{words}")
        for profile in profiles
        for name, words in people.items()
    ]


def authors(
    essays: Path,
    *,
    count: int,
    seed: int,
    tokenizer: PreTrainedTokenizerBase,
    text_tokens: int,
) -> list[Subject]:
    """The context ``human``: held-out essays (role T), no target; scored against their labels.

    As many different profiles as there are, in an order drawn from the seed; a second essay of a
    profile only after the first of each.

    Raises
    ------
    ValueError
        If fewer essays are held out than are asked for.
    """
    table = pd.read_csv(essays, dtype={"id": str}, keep_default_na=False)
    held = table[table["role"] == "T"].reset_index(drop=True)
    if len(held) < count:
        raise ValueError(
            f"{essays}: {len(held)} essays in role T, but questionnaire.human_essays is {count}; "
            "lower it, raise the share of T in essays.roles, or leave out the context human"
        )
    shuffled = held.iloc[np.random.default_rng(seed).permutation(len(held))]
    turn = shuffled.groupby("profile").cumcount()
    drawn = shuffled.iloc[np.argsort(turn.to_numpy(), kind="stable")[:count]].sort_values("id")
    return [
        Subject(name, Profile.parse(profile), _wrote(tokenizer, text, text_tokens))
        for name, profile, text in zip(drawn["id"], drawn["profile"], drawn["text"], strict=True)
    ]


def _wrote(tokenizer: PreTrainedTokenizerBase, text: str, tokens: int) -> str:
    return f"You wrote: {cut_text(tokenizer, text, tokens=tokens)}"
