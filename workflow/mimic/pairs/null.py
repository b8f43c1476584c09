"""Labels of a null adapter: true ones, at other essays."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mimic.traits import TRAITS


def permuted_labels(essays: pd.DataFrame, *, null: int, seed: int) -> pd.DataFrame:
    """The essays with their label vectors permuted as wholes, texts staying where they are.

    Each profile stays as frequent as it is, and the traits go together as they do.

    Parameters
    ----------
    essays
        All essays that the run could train on, its validation essays among them.
    null
        The number of the permutation: each has a seed of its own.
    seed
        Seed of all of them.
    """
    order = np.random.default_rng([seed, null]).permutation(len(essays))
    labels = [*TRAITS, "profile"]
    permuted = essays.copy()
    permuted[labels] = essays[labels].to_numpy()[order]
    return permuted.astype(essays.dtypes)
