"""What tables, figures and sentences all ask of a study."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from mimic.report.numbers import number

ALPHA = 0.05  # the usual level; every p stands on the page beside it

_CONTEXTS = {
    "none": "questionnaire alone",
    "own": "questionnaire after the run’s own text",
    "human": "questionnaire after a corpus essay",
}


class Test(NamedTuple):
    """One permutation test of exact match.

    Attributes
    ----------
    run, where
        Whose answers, and what was read: a context's name or "texts".
    value, p
        Exact match and its p-value.
    adjusted
        The p-value after Holm's correction over all tests of the page.
    """

    run: dict[str, Any]
    where: str
    value: float
    p: float
    adjusted: float


def contexts(study: dict[str, Any]) -> list[str]:
    """The questionnaire's contexts, "none" first."""
    names = {name for run in study["runs"] for name in run["questionnaire"]}
    return sorted(names, key=lambda name: (name != "none", name))


def context_words(context: str) -> str:
    """A context in words."""
    return _CONTEXTS.get(context, f"questionnaire, context {context}")


def is_trained(run: dict[str, Any]) -> bool:
    """Whether a run was fine-tuned."""
    return bool(run["method"] != "base")


def holm(values: list[float]) -> list[float]:
    """Holm's step-down p-values (Holm 1979): max over j ≤ i of min(1, (m − j + 1) p₍ⱼ₎).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(values)), key=lambda index: values[index])
    adjusted, largest = [0.0] * len(values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = largest
    return adjusted


def tests(study: dict[str, Any]) -> list[Test]:
    """Every permutation test of exact match on the page, with Holm's correction over them."""
    found = []
    for run in study["runs"]:
        sources = [(name, run["questionnaire"].get(name)) for name in contexts(study)]
        for where, source in [*sources, ("texts", run["texts"])]:
            match = source["exact_match"] if source else {}
            if match.get("value") is not None and match.get("p_value") is not None:
                found.append(Test(run, where, match["value"], match["p_value"], 1.0))
    adjusted = holm([test.p for test in found])
    return [test._replace(adjusted=p) for test, p in zip(found, adjusted, strict=True)]


def learning(run: dict[str, Any]) -> str:
    """How the learning check ended: "untrained", "unchecked", "failed", "undecided" or "passed"."""
    if run["learning"] is None:
        return "unchecked" if is_trained(run) else "untrained"
    required = [check["passed"] for check in run["learning"]["checks"] if check["required"]]
    if not required:
        return "unchecked"
    if False in required:
        return "failed"
    return "undecided" if None in required else "passed"


def changes(run: dict[str, Any]) -> list[str]:
    """What each learning check saw, one line for each."""
    return [
        f"{check['check']} {number(check['before'], 3)} to {number(check['after'], 3)}"
        + (
            f", standard error of the change {number(check['standard_error'], 3)}"
            if check["standard_error"] is not None
            else ""
        )
        for check in (run["learning"] or {"checks": []})["checks"]
    ]


def listed(names: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
