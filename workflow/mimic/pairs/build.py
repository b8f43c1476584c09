"""Conversations and preference pairs from essays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mimic.pairs.rejected import draw_rejected
from mimic.pairs.settings import Rejected
from mimic.traits import Profile

Message = dict[str, str]


def _user(prompt: str) -> list[Message]:
    return [{"role": "user", "content": prompt}]


def _assistant(text: str) -> list[Message]:
    return [{"role": "assistant", "content": text}]


def conversations(essays: pd.DataFrame, *, prompts: Sequence[str]) -> list[dict[str, Any]]:
    """One prompt and completion for each essay, in the essays' order."""
    return [
        {
            "essay": essay["id"],
            "profile": essay["profile"],
            "prompt": _user(prompt),
            "completion": _assistant(essay["text"]),
        }
        for essay, prompt in zip(essays.to_dict("records"), prompts, strict=True)
    ]


def preferences(
    essays: pd.DataFrame,
    *,
    prompts: Sequence[str],
    rejected: Rejected,
    rejected_per_chosen: int,
    withheld: Collection[Profile] = (),
    seed: int,
) -> list[dict[str, Any]]:
    """Pairs of an essay and others whose profile differs from its own in at least one trait.

    They come from `essays` alone, so that training pairs and validation pairs share none.

    Parameters
    ----------
    essays
        The essays of one part, as the essays stage writes them.
    prompts
        The prompt of each essay.
    rejected, rejected_per_chosen
        Which essays are set against a chosen one (see `draw_rejected`), and how many.
    withheld
        Profiles whose essays are rejected ones alone, so that none of them is a target.
    seed
        Seed of the draw and of the order of pairs.
    """
    generator = np.random.default_rng(seed)
    rows = essays.to_dict("records")
    pairs = []
    for number, essay in enumerate(rows):
        if Profile.parse(essay["profile"]) in withheld:
            continue
        drawn = draw_rejected(
            essays, number, kind=rejected, count=rejected_per_chosen, generator=generator
        )
        for other in (rows[row] for row in drawn):
            pairs.append(
                {
                    "essay": essay["id"],
                    "profile": essay["profile"],
                    "rejected_essay": other["id"],
                    "rejected_profile": other["profile"],
                    "prompt": _user(prompts[number]),
                    "chosen": _assistant(essay["text"]),
                    "rejected": _assistant(other["text"]),
                }
            )
    # In this order pairs are trained on, also where the steps don't reach all of them.
    return [pairs[int(index)] for index in generator.permutation(len(pairs))]
