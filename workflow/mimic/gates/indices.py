"""Gates of the indices: each finds the respondent made for it, and nothing in a perfect one."""

from __future__ import annotations

import numpy as np

from mimic.gates.asking import Asked
from mimic.gates.gate import Gate, equal, figure, span
from mimic.gates.scoring import answers_of, scores_of
from mimic.metrics.questionnaire import acquiescence, order_asymmetry
from mimic.respondents.synthetic import (
    ACQUIESCENT,
    AGREEMENT_SHIFT,
    ALL_HIGH,
    HALO,
    HALO_EFFECT,
    NOISY,
    ORDER_BIASED,
    ORDER_SHIFT,
    PERFECT,
    SHRINKAGE,
    SHRUNK,
    VALENCE,
    WORDING_SD,
    WORDING_SENSITIVE,
    Synthetic,
)
from mimic.stats.fidelity import average_forms, trait_scores
from mimic.stats.stability import Stability, more_stable, shrink, signal, spread
from mimic.traits import TRAITS


def index_gates(asked: Asked, *, seed: int) -> list[Gate]:
    """Order asymmetry, acquiescence, crosstalk, S and S/|B|, on answers by likelihood.

    Parameters
    ----------
    asked
        The study's questionnaire with all 32 profiles.
    seed
        Of the noise of respondents.
    """
    return [
        _order_bias(asked),
        _acquiescence(asked),
        _halo(asked),
        _shrunk(asked, seed=seed),
        _wording(asked, seed=seed),
    ]


def _order_bias(asked: Asked) -> Gate:
    orders = {(form.format, form.wording, form.order) for form in asked.forms}
    both = any((*rest, "reversed") in orders for *rest, order in orders if order == "published")
    known = (2 * ORDER_SHIFT, 0.0) if both else (None, None)
    found = [
        order_asymmetry(answers_of(respondent.answer(asked, seed=0), asked))
        for respondent in (ORDER_BIASED, PERFECT)
    ]
    return equal(
        "order-biased",
        "order asymmetry",
        expected=_beside(*known, other=PERFECT),
        found=_beside(*found, other=PERFECT),
    )


def _acquiescence(asked: Asked) -> Gate:
    keyings = {(item.trait, item.keyed) for item in asked.items}
    both = any({(trait, "plus"), (trait, "minus")} <= keyings for trait in TRAITS)
    known = (3 + AGREEMENT_SHIFT, 3.0) if both else (None, None)
    found = [
        acquiescence(answers_of(respondent.answer(asked, seed=0), asked))
        for respondent in (ACQUIESCENT, ALL_HIGH)
    ]
    return equal(
        "acquiescent",
        "acquiescence",
        expected=_beside(*known, other=ALL_HIGH),
        found=_beside(*found, other=ALL_HIGH),
    )


def _halo(asked: Asked) -> Gate:
    known = np.eye(len(TRAITS)) + np.outer(HALO_EFFECT, VALENCE) / len(TRAITS)
    halo, perfect = (
        _stability(_scores(respondent, asked, seed=0), asked).signal
        for respondent in (HALO, PERFECT)
    )
    expected = f"{_crosstalk(known)} (perfect: 0)"
    found = f"{_crosstalk(halo)} (perfect: {_crosstalk(perfect)})"
    if found == expected and not np.allclose(halo, known):
        found += ", elsewhere or of other signs"
    return equal("halo", "crosstalk", expected=expected, found=found)


def _shrunk(asked: Asked, *, seed: int) -> Gate:
    noisy, shrunk = (_scores(respondent, asked, seed=seed) for respondent in (NOISY, SHRUNK))
    before, after = _stability(noisy, asked), _stability(shrunk, asked)
    factor, _ = shrink(noisy, shrunk)

    def words(of_spread: str, of_ratio: str, shrunk_by: str, stabler: int) -> str:
        return f"S × {of_spread}, S/|B| × {of_ratio}, factor {shrunk_by}, more stable: {stabler}"

    by = figure(SHRINKAGE)
    return equal(
        "shrunk",
        "stability",
        expected=words(by, "1", by, 0),
        found=words(
            span((after.spread / before.spread).tolist()),
            span((after.noise_to_signal / before.noise_to_signal).tolist()),
            figure(factor),
            int(more_stable(after, before).sum()),
        ),
    )


def _wording(asked: Asked, *, seed: int) -> Gate:
    found = _stability(_scores(WORDING_SENSITIVE, asked, seed=seed), asked).spread
    return equal("wording-sensitive", "S", expected=figure(WORDING_SD), found=span(found.tolist()))


def _scores(respondent: Synthetic, asked: Asked, *, seed: int) -> np.ndarray:
    return scores_of(respondent.answer(asked, seed=seed), asked, protocol="likelihood")


def _stability(y: np.ndarray, asked: Asked) -> Stability:
    scores = average_forms(trait_scores(y, asked.item_traits))[0]
    return Stability(spread=spread(y, asked.item_traits)[0], signal=signal(scores, asked.design))


def _crosstalk(effects: np.ndarray) -> str:
    """Sizes off the diagonal."""
    return span(np.abs(effects[~np.eye(len(effects), dtype=bool)]).tolist())


def _beside(value: float | None, of_other: float | None, *, other: Synthetic) -> str:
    """An index, and that of a respondent without the bias; none where none can be had."""
    words = ["none" if one is None else figure(one) for one in (value, of_other)]
    return f"{words[0]} ({other.name}: {words[1]})"
