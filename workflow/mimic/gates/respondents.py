"""Gates of the protocols: respondents whose exact match, accuracy or AUC is known."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mimic.gates.asking import Asked
from mimic.gates.gate import Gate, counted, equal, figure, span, within_band
from mimic.gates.scoring import Scoring, fidelity_of, found_of, protocol_figures_of
from mimic.respondents.synthetic import (
    ACCURACIES,
    AT_THE_CUT,
    CONSTANT,
    HALF_PERFECT,
    INVERTED,
    PERFECT,
    RANDOM,
    UNPARSED,
    Synthetic,
)


def respondent_gates(asked: Asked, scoring: Scoring, *, repeats: int, seed: int) -> list[Gate]:
    """The table of respondents under one protocol and cut, and the half-perfect one.

    Parameters
    ----------
    asked
        The study's questionnaire with all 32 profiles.
    scoring
        The protocol and its cut.
    repeats
        How often the random respondent answers each form.
    seed
        Of the random and the half-perfect respondent.
    """
    of, released = str(scoring), scoring.protocol == "released"
    profiles, forms, _ = asked.shape
    every, one_each = f"{profiles * forms}/{profiles * forms}", f"{forms}/{profiles * forms}"
    none = f"0/{profiles * forms}"

    def matched(respondent: Synthetic) -> str:
        return _matched(respondent.answer(asked, seed=seed), asked, scoring)

    gates = [
        equal("perfect", of, expected=none if released else every, found=matched(PERFECT)),
        equal("inverted", of, expected=every if released else none, found=matched(INVERTED)),
        equal(
            "constant 1 to 5",
            of,
            expected=f"{one_each} each",
            found=_each([matched(respondent) for respondent in CONSTANT]),
        ),
        _unparsed(asked, scoring, one_each=one_each, none=none),
    ]
    if not scoring.by_norms:
        # Item scores are whole: their mean can be 3, but hardly a norm.
        expected = one_each if released else every
        gates.append(equal("at the cut", of, expected=expected, found=matched(AT_THE_CUT)))
    gates += [
        _at_random(asked, scoring, repeats=repeats, seed=seed),
        _half_perfect(asked, scoring, seed=seed),
    ]
    if scoring.protocol == "likelihood":
        gates += _averaged(asked, scoring)
        if not scoring.by_norms:
            gates += _areas(asked, scoring, seed=seed)
    return gates


def _matched(agreement: np.ndarray, asked: Asked, scoring: Scoring) -> str:
    """Hits of cells."""
    found = found_of(agreement, asked, scoring)
    return counted(found.hits, found.cells, share=found.share)


def _each(found: list[str]) -> str:
    return f"{found[0]} each" if len(set(found)) == 1 else ", ".join(found)


def _unparsed(asked: Asked, scoring: Scoring, *, one_each: str, none: str) -> Gate:
    nothing = UNPARSED.answer(asked, seed=0)
    figures = protocol_figures_of(nothing, asked, scoring)
    expected = one_each if scoring.protocol == "released" else f"{none}, all without decision"
    words = _matched(nothing, asked, scoring)
    if figures.undecided:
        all_none = figures.undecided == 1
        words += ", all without decision" if all_none else f", {figures.undecided:.3g} undecided"
    if figures.parsed:
        words += f", {figures.parsed:.3g} parsed"
    return equal("unparsed", str(scoring), expected=expected, found=words)


def _at_random(asked: Asked, scoring: Scoring, *, repeats: int, seed: int) -> Gate:
    often = asked.repeated(repeats)
    found = found_of(RANDOM.answer(often, seed=seed), often, scoring)
    # However its decisions lean, the 32 profiles' chances add up to 1.
    chance = 1 / len(asked.profiles)
    return within_band(
        "random",
        str(scoring),
        hits=found.hits,
        cells=found.cells,
        share=found.share,
        chance=chance,
    )


def _half_perfect(asked: Asked, scoring: Scoring, *, seed: int) -> Gate:
    found = found_of(HALF_PERFECT.answer(asked, seed=seed), asked, scoring)
    known = [1 - share if scoring.protocol == "released" else share for share in ACCURACIES]
    return equal(
        "half-perfect",
        f"{scoring}, accuracy",
        expected=_listed(known),
        found=_listed(found.accuracy.tolist()),
    )


def _averaged(asked: Asked, scoring: Scoring) -> list[Gate]:
    """Exact matches of trait scores averaged over forms."""
    profiles = len(asked.profiles)
    of = f"{scoring}, forms averaged"

    def matched(respondent: Synthetic) -> str:
        fit = fidelity_of(respondent.answer(asked, seed=0), asked, scoring)
        return f"{figure(fit.exact_match_averaged[0] * profiles)}/{profiles}"

    every = f"{profiles}/{profiles}"
    gates = [
        equal("perfect", of, expected=every, found=matched(PERFECT)),
        equal("inverted", of, expected=f"0/{profiles}", found=matched(INVERTED)),
        equal(
            "constant 1 to 5",
            of,
            expected=f"1/{profiles} each",
            found=_each([matched(respondent) for respondent in CONSTANT]),
        ),
    ]
    if not scoring.by_norms:
        gates.append(equal("at the cut", of, expected=every, found=matched(AT_THE_CUT)))
    return gates


def _areas(asked: Asked, scoring: Scoring, *, seed: int) -> list[Gate]:
    """AUCs, which have no cut."""
    of = f"{scoring}, AUC"

    def areas(respondent: Synthetic) -> list[float]:
        found = fidelity_of(respondent.answer(asked, seed=seed), asked, scoring).auc[0]
        return [float(area) for area in found]

    blind = [area for respondent in CONSTANT for area in areas(respondent)]
    return [
        equal("perfect", of, expected="1", found=span(areas(PERFECT))),
        equal("inverted", of, expected="0", found=span(areas(INVERTED))),
        equal("constant 1 to 5", of, expected="0.5", found=span(blind)),
        # Of 16 high and 16 low profiles whose scores are one of two, it is the accuracy.
        equal("half-perfect", of, expected=_listed(ACCURACIES), found=_listed(areas(HALF_PERFECT))),
    ]


def _listed(values: Iterable[float]) -> str:
    return ", ".join(map(figure, values))
