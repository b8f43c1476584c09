"""Contrasts of alignment and size, on runs whose figures are written down."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from report_cells import details, note_of, texts
from report_example import TEMPLATE, described, example_study

from mimic.metrics.confounds import LOG_NOISE, Pair, confound_figures, method_of, pairs_of
from mimic.metrics.resampling import Resampling
from mimic.report import tables_confounds
from mimic.report.page import draw, render
from mimic.report.settings import ReportSettings
from mimic.traits import TRAITS

FAST = Resampling(draws=200, permutations=999, seed=1)


def model(
    aligned: str, parameters: float, *, pair: str | None = None, family: str | None = None
) -> dict[str, Any]:
    return {"aligned": aligned, "pair": pair, "family": family, "parameters": parameters}


# Three aligned models, of which the first has two uncensored ones; two sizes of the family f.
MODELS = {
    "f8": model("aligned", 8000, family="f"),
    "f8-free": model("uncensored", 8000, pair="f8", family="f"),
    "f8-freer": model("uncensored", 8000, pair="f8", family="f"),
    "f3": model("aligned", 3000, family="f"),
    "f3-free": model("uncensored", 3000, pair="f3", family="f"),
    "g9": model("aligned", 9000, family="g"),
    "g9-free": model("uncensored", 9000, pair="g9", family="g"),
    "g2": model("base", 2000, family="g"),
}


def run(
    of: str,
    match: float,
    *,
    method: str = "sft",
    seed: int = 1,
    spread: float = 0.4,
    b: float = 0.2,
) -> dict[str, Any]:
    """A run whose S/|B| is `spread` by `b`, although no single trait's ratio is."""
    # Means over the traits are those given.
    signals = dict(zip(TRAITS, (1.5 * b, 0.5 * b, -b, b, b), strict=True))
    traits = {t: {"spread": {"value": spread}, "signal": signals[t]} for t in TRAITS}
    context = {"exact_match": {"value": match}, "stability": {"traits": traits}}
    series = f"{of}-{method}"
    return {
        "run": f"{series}-s{seed}",
        "model": of,
        "series": series,
        "seed": seed,
        # Essays tell no target, and are no part of it.
        "questionnaire": {"none": context, "human": {}},
    }


MATCHES = {
    "f8": (0.50, 0.60),
    "f8-free": (0.30, 0.40),
    "f8-freer": (0.40, 0.50),
    "f3": (0.30, 0.20),
    "f3-free": (0.20, 0.20),
    "g9": (0.70, 0.90),
    "g9-free": (0.65, 0.75),
    "g2": (0.10, 0.10),
}
RUNS = [run(of, match, seed=n + 1) for of, both in MATCHES.items() for n, match in enumerate(both)]


def found_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return confound_figures(runs, MODELS, FAST)


def test_pairs_follow_from_the_models() -> None:
    assert pairs_of(MODELS) == [
        Pair("alignment", "f8", "f8", "f8-free"),
        Pair("alignment", "f8", "f8", "f8-freer"),
        Pair("alignment", "f3", "f3", "f3-free"),
        Pair("alignment", "g9", "g9", "g9-free"),
        # Alike in alignment: g2 is a base model and has no partner.
        Pair("size", "f", "f8", "f3"),
        Pair("size", "f", "f8-free", "f3-free"),
        Pair("size", "f", "f8-freer", "f3-free"),
    ]
    sizes = {f"h{n}": model("base", n, family="h") for n in (70, 8, 405)}
    assert [(p.first, p.second) for p in pairs_of(sizes)] == [("h70", "h8"), ("h405", "h70")]
    # An uncensored model whose aligned one isn't in the study has no pair.
    assert pairs_of({"f8-free": MODELS["f8-free"]}) == []


def test_contrasts_are_differences_of_the_same_seeds() -> None:
    # A third seed of one side is no part of a contrast.
    contrasts = found_of([*RUNS, run("f8", 1.0, seed=3)])["contrasts"]
    by_pair = {(one["first"], one["second"]): one for one in contrasts}
    assert len(by_pair) == len(contrasts) == 7
    assert by_pair["f8", "f8-free"]["exact_match"] == pytest.approx(0.2)
    assert by_pair["f8", "f8-free"]["seeds"] == [1, 2]
    assert by_pair["f8", "f3"]["exact_match"] == pytest.approx(0.3)
    assert by_pair["f8", "f3"]["noise_to_signal"] == pytest.approx(0)
    noisier = [run("f8", 0.5, spread=0.6, b=0.1), run("f3", 0.2, spread=0.4, b=0.2)]
    (one,) = found_of(noisier)["contrasts"]
    # 6 − 2
    assert one["noise_to_signal"] == pytest.approx(4)
    assert one["method"] == "sft"


def test_other_methods_and_recipes_are_contrasts_of_their_own() -> None:
    runs = [
        run("f8", 0.1, method="base", seed=0),
        run("f3", 0.05, method="base", seed=0),
        run("f8", 0.5),
        run("f3", 0.9, method="dpo"),
        run("f3", 0.8, method="sft-token"),
    ]
    contrasts = found_of(runs)["contrasts"]
    assert [(one["method"], one["exact_match"]) for one in contrasts] == [
        ("base", pytest.approx(0.05))
    ]
    assert method_of(runs[-1]) == "sft-token"


def test_the_sign_flip_test_is_over_pairs_that_share_nothing() -> None:
    tests = {(one["kind"], one["figure"]): one for one in found_of(RUNS)["tests"]}
    match = tests["alignment", "exact_match"]
    # f8: (0.2 + 0.1)/2 = 0.15; f3: 0.05; g9: 0.1. Of 8 patterns of signs two are as extreme.
    assert (match["units"], match["mean"]) == (3, pytest.approx(0.1))
    assert match["p_value"] == pytest.approx(2 / 8)
    # No difference at all is as extreme in every pattern.
    assert tests["alignment", "noise_to_signal"]["p_value"] == 1
    # 0.3, 0.15 and 0.25 are of one family.
    size = tests["size", "exact_match"]
    assert (size["units"], size["mean"]) == (1, pytest.approx(0.7 / 3))
    assert size["p_value"] is None
    assert "at least two" in size["reason"]


def test_a_run_without_signal_leaves_the_test_undone() -> None:
    runs = copy.deepcopy(RUNS)
    for trait in TRAITS:
        runs[2]["questionnaire"]["none"]["stability"]["traits"][trait]["signal"] = 0.0
    found = found_of(runs)
    (lost,) = (one for one in found["contrasts"] if one["second"] == "f8-free")
    assert lost["noise_to_signal"] is None
    assert lost["exact_match"] == pytest.approx(0.2)
    tests = {(one["kind"], one["figure"]): one for one in found["tests"]}
    assert tests["alignment", "noise_to_signal"]["p_value"] is None
    assert tests["alignment", "exact_match"]["p_value"] == pytest.approx(2 / 8)
    # And is no row of the mixed model of log S/|B|.
    counts = {fit["figure"]: fit["runs"] for fit in found["mixed"]}
    assert counts == {"exact match": 16, LOG_NOISE: 15}


def test_one_model_has_no_confounds() -> None:
    assert found_of([run("f8", 0.5)]) == {"contrasts": [], "tests": [], "mixed": []}


def test_the_mixed_model_is_of_all_runs_or_says_why_not() -> None:
    few = found_of([one for one in RUNS if one["model"] in ("f8", "f3")])["mixed"]
    assert [(fit["figure"], fit["coefficients"]) for fit in few] == [
        ("exact match", []),
        (LOG_NOISE, []),
    ]
    assert "2 models" in few[0]["reason"]
    fits = {fit["figure"]: fit for fit in found_of(RUNS)["mixed"]}
    names = [one["name"] for one in fits["exact match"]["coefficients"]]
    assert names == [
        "intercept",
        "tenfold size",
        "uncensored instead of aligned",
        "base instead of aligned",
    ]
    assert fits["exact match"]["models"] == 8
    assert all(one["p"] is None for one in fits["exact match"]["coefficients"])
    assert "the same figure" in fits[LOG_NOISE]["reason"]
    varied = [
        run(of, 0.5, seed=seed, spread=0.4 * factor)
        for of, factor in zip(MODELS, (1, 1.5, 1, 2, 1, 3, 1, 1.2), strict=True)
        for seed, factor in ((1, factor), (2, 1.1 * factor))
    ]
    (_, noise) = found_of(varied)["mixed"]
    assert noise["residual_sd"] == pytest.approx(math.log(1.1) / math.sqrt(2), rel=1e-3)


def test_the_page_shows_pairs_tests_and_coefficients() -> None:
    study = example_study()
    assert tables_confounds.contrasts(study) is None
    assert tables_confounds.mixed(study) is None
    study["confounds"] = found_of(RUNS)
    table = tables_confounds.contrasts(study)
    assert table is not None
    assert {len(row) for row in table.rows} == {len(table.columns)}
    rows = {tuple(texts(row)[:2]): row for row in table.rows}
    first = rows["aligned − uncensored", "f8 − f8-free"]
    assert texts(first)[2:] == ["sft", "questionnaire alone", "2", "+20.0", "0.0"]
    mean = rows["aligned − uncensored", "mean over aligned models: 3"]
    assert (texts(mean)[5], details(mean[5])) == ("+10.0", ["p = 0.25"])
    size = rows["larger − smaller", "mean over families: 1"]
    assert "needs at least two" in note_of(table, size[5])
    fitted = tables_confounds.mixed(study)
    assert fitted is not None
    assert {len(row) for row in fitted.rows} == {len(fitted.columns)}
    intercept = fitted.rows[0]
    assert texts(intercept)[:5] == ["questionnaire alone", "exact match", "8", "16", "intercept"]
    assert details(intercept[5])[0].startswith("[")
    assert len(intercept[5].details) == 1
    page = render(
        study,
        draw(study, {}),
        template=TEMPLATE,
        settings=ReportSettings(),
        described=described(),
    )
    assert "Alignment and size" in page
    assert "A mixed model of method, size and alignment" in page
