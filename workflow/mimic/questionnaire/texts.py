"""The texts that stand in a prompt in the context ``own``: what the run itself wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mimic.chat import encode
from mimic.traits import Profile

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def own_texts(path: Path, profiles: Sequence[Profile]) -> dict[Profile, str]:
    """The first text of each profile.

    Copied and empty texts are passed over: what stands in a training essay isn't the run's own.

    Parameters
    ----------
    path
        A ``texts.csv`` of the writing stage.
    profiles
        The targets that are asked for.

    Raises
    ------
    ValueError
        If a profile that is asked for has no text.
    """
    texts = pd.read_csv(path, keep_default_na=False)
    texts = texts[(texts["copied"] == 0) & (texts["text"] != "")]
    first = texts.drop_duplicates("profile").set_index("profile")["text"]
    lacking = [str(profile) for profile in profiles if str(profile) not in first.index]
    if lacking:
        raise ValueError(
            f"{path}: no text of its own for {', '.join(lacking)}; raise writing.profiles to the "
            "profiles that are asked for, or writing.samples"
        )
    return {profile: str(first[str(profile)]) for profile in profiles}


def cut_text(tokenizer: PreTrainedTokenizerBase, text: str, *, tokens: int) -> str:
    """The first so many tokens of a text; a shorter text stays as it is."""
    encoded = encode(tokenizer, text)
    return text if len(encoded) <= tokens else str(tokenizer.decode(encoded[:tokens]))
