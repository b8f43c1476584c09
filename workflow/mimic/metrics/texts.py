"""The figures of one run's texts, as the reading judge reads them."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mimic.metrics.resampling import Resampling
from mimic.stats.bootstrap import resample_within
from mimic.stats.fidelity import text_fidelity
from mimic.stats.intervals import TEXTS, Estimate, text_share, undefined, wilson
from mimic.stats.permutation import hit_counts, permutation_p
from mimic.traits import TRAITS, Profile, design_matrix

_COLUMNS = ("id", "profile", "situation", "sample", "copied", *TRAITS)


def load_probabilities(path: Path) -> pd.DataFrame:
    """Read a ``probabilities.csv``, sorted by id.

    Raises
    ------
    ValueError
        If a column is missing, an id is double, or a probability is not within 0 and 1.
    """
    table = pd.read_csv(path, dtype={"id": str, "profile": str, "situation": str})
    missing = [column for column in _COLUMNS if column not in table]
    if missing:
        raise ValueError(
            f"{path}: no column {', '.join(missing)}; found {', '.join(map(str, table.columns))}"
        )
    double = table["id"][table["id"].duplicated()]
    if len(double):
        raise ValueError(f"{path}: text {double.iloc[0]} stands there more than once")
    outside = ~((table[list(TRAITS)] >= 0) & (table[list(TRAITS)] <= 1)).all(axis=1)
    if outside.any():
        raise ValueError(
            f"{path}: text {table['id'][outside].iloc[0]} has a probability outside 0 to 1"
        )
    return table.sort_values("id", ignore_index=True)


def text_figures(texts: pd.DataFrame, resampling: Resampling) -> dict[str, Any]:
    """All figures of a run's judged texts.

    Texts marked as copied from training essays are judged separately: they enter
    ``copied_exact_match`` alone.

    Parameters
    ----------
    texts
        What `load_probabilities` gave.
    resampling
        Draws, permutations and seed.
    """
    copied = texts["copied"].to_numpy() == 1
    own = _figures(texts[~copied].reset_index(drop=True), resampling)
    of_copied = None
    if copied.any():
        of_copied = _figures(texts[copied].reset_index(drop=True), resampling)["exact_match"]
    return {
        "texts": len(texts),
        "profiles": int(texts["profile"].nunique()),
        "situations": int(texts["situation"].nunique()),
        "copied": int(copied.sum()),
        **own,
        "copied_exact_match": of_copied,
    }


def text_exact_match(texts: pd.DataFrame) -> float | None:
    """Share of uncopied texts whose five decisions all fit; None if all are copied."""
    kept = texts[texts["copied"] == 0]
    if kept.empty:
        return None
    fit = text_fidelity(kept[list(TRAITS)].to_numpy(dtype=np.float64), text_targets(kept))
    return float(fit.exact_match[0])


def uncopied_hits(texts: pd.DataFrame) -> pd.DataFrame:
    """How many uncopied texts of each profile fit it in all five decisions: ``hits``, ``texts``.

    One row for each profile that has such a text, by name.
    """
    kept = texts[texts["copied"] == 0]
    by_profile = pd.Series(text_fits(kept), index=kept.index).groupby(kept["profile"])
    return pd.DataFrame({"hits": by_profile.sum(), "texts": by_profile.size()})


def match_counts(texts: pd.DataFrame) -> np.ndarray:
    """How many texts of each profile would fit each other one; see `hit_counts`."""
    labels = sorted({Profile.parse(label) for label in texts["profile"]}, reverse=True)
    position = {str(profile): row for row, profile in enumerate(labels)}
    blocks = texts["profile"].map(position).to_numpy()
    decisions = texts[list(TRAITS)].to_numpy(dtype=np.float64) >= 0.5
    return hit_counts(decisions, blocks, design_matrix(labels) > 0)


def _figures(texts: pd.DataFrame, resampling: Resampling) -> dict[str, Any]:
    n = len(texts)
    if n == 0:
        nothing = undefined(interval=TEXTS, n=0, reason="no texts").as_dict()
        by_trait = dict.fromkeys(TRAITS, nothing)
        return {
            "exact_match": nothing | {"hits": 0, "p_value": None},
            "accuracy": by_trait,
            "mean_accuracy": nothing,
            "auc": by_trait,
            "mean_auc": nothing,
            "notes": [],
        }
    targets = text_targets(texts)
    probabilities = texts[list(TRAITS)].to_numpy(dtype=np.float64)
    point = text_fidelity(probabilities, targets)
    drawn = text_fidelity(probabilities, targets, weights=text_weights(texts, resampling))
    estimate, proportion = partial(_estimate, texts), partial(text_proportion, texts)
    counts = match_counts(texts)
    p_value = permutation_p(counts, permutations=resampling.permutations, seed=resampling.seed)
    exact = proportion(point.exact_match[0], drawn.exact_match)
    accuracy = {
        trait: proportion(point.accuracy[0, t], drawn.accuracy[:, t])
        for t, trait in enumerate(TRAITS)
    }
    areas = {trait: estimate(point.auc[0, t], drawn.auc[:, t]) for t, trait in enumerate(TRAITS)}
    return {
        "exact_match": exact.as_dict() | {"hits": int(np.trace(counts)), "p_value": p_value},
        "accuracy": {trait: figure.as_dict() for trait, figure in accuracy.items()},
        "mean_accuracy": estimate(point.accuracy[0].mean(), drawn.accuracy.mean(axis=1)).as_dict(),
        "auc": {trait: figure.as_dict() for trait, figure in areas.items()},
        "mean_auc": estimate(point.auc[0].mean(), drawn.auc.mean(axis=1)).as_dict(),
        "notes": _lone_cells(_cells(texts)),
    }


def text_weights(texts: pd.DataFrame, resampling: Resampling) -> np.ndarray:
    """Weights of texts that are resampled within profile × situation, shape (draws, texts)."""
    return resample_within(
        texts["id"].tolist(),
        _cells(texts),
        draws=resampling.draws,
        generator=np.random.default_rng(resampling.seed),
    )


def text_proportion(texts: pd.DataFrame, value: float, of_draws: np.ndarray) -> Estimate:
    """A share of texts with its interval, which is Wilson's where each profile has one text.

    Parameters
    ----------
    texts
        What it is a share of.
    value
        The share.
    of_draws
        The share in each row of `text_weights`, shape (draws,).
    """
    if len(texts) == texts["profile"].nunique():
        return wilson(hits=round(value * len(texts)), n=len(texts))
    return _estimate(texts, value, of_draws)


def _estimate(texts: pd.DataFrame, value: float, of_draws: np.ndarray) -> Estimate:
    n = len(texts)
    if not np.isfinite(value):
        return undefined(interval=TEXTS, n=n, reason="high or low targets are missing")
    if len(set(_cells(texts))) == n:
        reason = "one text for each profile and situation: resampling cannot vary it"
        return Estimate(value=float(value), low=None, high=None, interval=TEXTS, n=n, reason=reason)
    return text_share(value, of_draws, n=n)


def _cells(texts: pd.DataFrame) -> list[tuple[str, str]]:
    """Profile and situation of each text."""
    return list(zip(texts["profile"], texts["situation"], strict=True))


def _lone_cells(cells: list[tuple[str, str]]) -> list[str]:
    """What adds nothing to the intervals; where no cell can vary, there are none to note it of."""
    counts = Counter(cells)
    lone = sum(count == 1 for count in counts.values())
    if lone in (0, len(counts)):
        return []
    return [
        f"{lone} of {len(counts)} cells of profile and situation have one text, which cannot vary"
    ]


def text_fits(texts: pd.DataFrame) -> np.ndarray:
    """Whether all five decisions of a text fit its target, shape (texts,)."""
    decided = texts[list(TRAITS)].to_numpy() >= 0.5
    return np.asarray((decided == text_targets(texts)).all(axis=1))


def text_targets(texts: pd.DataFrame) -> np.ndarray:
    """The targets of each text, high as True, shape (texts, 5)."""
    profiles = [Profile.parse(label) for label in texts["profile"]]
    return design_matrix(profiles).reshape(-1, len(TRAITS)) > 0
