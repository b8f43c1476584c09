"""Reading the tables that the judge's steps are given, and masking their texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mimic.masking import load_trait_words, mask


def read_table(path: Path, *, columns: Sequence[str], may_be_empty: bool = False) -> pd.DataFrame:
    """Read a CSV whose `columns` must be there; text stays text (an empty text, or ``NA``, too).

    Raises
    ------
    ValueError
        If a column is missing, or there are no rows where there must be.
    """
    table = pd.read_csv(path, keep_default_na=False, dtype={"id": str, "text": str})
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(
            f"{path}: no column {', '.join(missing)}; there are {', '.join(table.columns)}"
        )
    if table.empty and not may_be_empty:
        raise ValueError(f"{path}: no rows, so there is nothing to read")
    return table


def masked_texts(
    texts: Sequence[str], *, trait_words: Path, masked: bool
) -> tuple[list[str], np.ndarray]:
    """The texts as the judge sees them, and the number of trait words in each, shape (texts,).

    With `masked` false the texts are left as they are; the words are counted all the same.
    """
    pattern = load_trait_words(trait_words)
    pairs = [mask(text, pattern) for text in texts]
    seen = [short for short, _ in pairs] if masked else list(texts)
    return seen, np.array([deleted for _, deleted in pairs], dtype=int)
