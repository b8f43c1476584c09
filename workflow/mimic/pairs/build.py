"""Conversations and preference pairs from essays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mimic.chat import persona
from mimic.traits import Profile

Message = dict[str, str]


def _user(profile: Profile, request: str) -> list[Message]:
    return [{"role": "user", "content": f"{persona(profile)} {request}"}]


def _assistant(text: str) -> list[Message]:
    return [{"role": "assistant", "content": text}]


def conversations(essays: pd.DataFrame, *, request: str) -> list[dict[str, Any]]:
    """One prompt and completion for each essay, in the essays' order."""
    return [
        {
            "essay": essay["id"],
            "profile": essay["profile"],
            "prompt": _user(Profile.parse(essay["profile"]), request),
            "completion": _assistant(essay["text"]),
        }
        for essay in essays.to_dict("records")
    ]


def preferences(
    essays: pd.DataFrame, *, request: str, rejected_per_chosen: int, seed: int
) -> list[dict[str, Any]]:
    """Pairs of an essay and others whose profile differs from its own in at least one trait.

    Rejected essays are drawn without replacement, as the reference study draws them but seeded.
    They come from `essays` alone, so that training pairs and validation pairs share none.

    Raises
    ------
    ValueError
        If an essay has fewer than `rejected_per_chosen` others to be set against.
    """
    generator = np.random.default_rng(seed)
    pairs = []
    for essay in essays.to_dict("records"):
        others = essays[essays["profile"] != essay["profile"]]
        if len(others) < rejected_per_chosen:
            raise ValueError(
                f"essay {essay['id']} ({essay['profile']}): only {len(others)} essays differ from "
                "it, but "
                f"pairs.rejected_per_chosen is {rejected_per_chosen}; lower it or add essays"
            )
        for index in generator.choice(len(others), size=rejected_per_chosen, replace=False):
            rejected = others.iloc[int(index)]
            pairs.append(
                {
                    "essay": essay["id"],
                    "profile": essay["profile"],
                    "rejected_essay": rejected["id"],
                    "rejected_profile": rejected["profile"],
                    "prompt": _user(Profile.parse(essay["profile"]), request),
                    "chosen": _assistant(essay["text"]),
                    "rejected": _assistant(rejected["text"]),
                }
            )
    # In this order pairs are trained on, also where the steps don't reach all of them.
    return [pairs[int(index)] for index in generator.permutation(len(pairs))]
