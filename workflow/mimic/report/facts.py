"""What tables, figures and sentences all ask of a study."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from mimic.report.numbers import number, percent
from mimic.traits import TRAITS

ALPHA = 0.05  # the usual level; every p stands on the page beside it

ESSAYS = "human"  # the context that asks about essays; only a study's corpus says whose they are


class EssayWords(NamedTuple):
    """How a corpus's essays and their labels are called.

    Attributes
    ----------
    essays, essay
        Such as "composed essays"; a composed essay is never called human.
    labels
        What the answers about them are scored against.
    """

    essays: str
    essay: str
    labels: str


class Test(NamedTuple):
    """One permutation test of exact match.

    Attributes
    ----------
    name
        Of the run, or of the series whose seeds are taken together.
    run
        The run, of a series its last one.
    where
        What was read: a context's name or "texts".
    match
        Exact match with its interval and p-value.
    adjusted
        The p-value after Holm's correction over all tests at the primary cut.
    """

    name: str
    run: dict[str, Any]
    where: str
    match: dict[str, Any]
    adjusted: float

    @property
    def value(self) -> float:
        """Exact match."""
        return float(self.match["value"])

    @property
    def p(self) -> float:
        """Its p-value before any correction."""
        return float(self.match["p_value"])


def contexts(study: dict[str, Any]) -> list[str]:
    """The questionnaire's contexts: "none" first, that of essays last."""
    names = {name for run in study["runs"] for name in run["questionnaire"]}
    return sorted(names, key=lambda name: (name == ESSAYS, name != "none", name))


def target_contexts(study: dict[str, Any]) -> list[str]:
    """The contexts in which a run is told a target."""
    return [name for name in contexts(study) if name != ESSAYS]


def essay_words(study: dict[str, Any]) -> EssayWords:
    """How this study's essays are called."""
    if study["corpus"]["kind"] == "composed":
        return EssayWords(
            "composed essays", "a composed essay", "the labels they were composed for"
        )
    return EssayWords("human essays", "a human essay", "the labels of the essays’ authors")


def context_words(study: dict[str, Any], context: str) -> str:
    """A context in words."""
    if context == ESSAYS:
        return f"questionnaire about {essay_words(study).essay}"
    known = {"none": "questionnaire alone", "own": "questionnaire after the run’s own text"}
    return known.get(context, f"questionnaire, context {context}")


def context_name(study: dict[str, Any], context: str) -> str:
    """A context in a table's cell."""
    return essay_words(study).essays if context == ESSAYS else context


def share_in(shares: dict[str, Any], where: str) -> float:
    """A baseline's share in a context, or in ``texts``."""
    return float(shares["texts"] if where == "texts" else shares["questionnaire"][where])


def by_share(study: dict[str, Any], shares: dict[str, Any]) -> list[tuple[float, list[str]]]:
    """A baseline's shares, and in words where each of them holds."""
    found: dict[float, list[str]] = {}
    for where in [*contexts(study), "texts"]:
        words = "texts" if where == "texts" else context_words(study, where)
        found.setdefault(share_in(shares, where), []).append(words)
    return list(found.items())


def unvaried(targets: dict[str, Any]) -> list[str]:
    """The traits that are the same in all profiles of a part, with their level."""
    levels = {targets["profiles"]: "high", 0: "low"}
    return [f"{levels[n]} {trait}" for trait, n in targets["high"].items() if n in levels]


def target_lines(figures: dict[str, Any]) -> tuple[str, ...]:
    """What figures of a part of the profiles rest on; nothing where there are none.

    How many profiles, what one and the same profile gets there, and which traits are the same, or
    more often high than low or the reverse, by more than an odd number of profiles makes it.
    """
    targets = figures.get("targets")
    if targets is None:
        return ()
    profiles, high = targets["profiles"], targets["high"]
    same = unvaried(targets)
    uneven = [
        f"{n} with high {trait}"
        for trait, n in high.items()
        if n not in (0, profiles) and abs(2 * n - profiles) > 1
    ]
    return (
        f"{profiles} profile{'' if profiles == 1 else 's'}",
        *([f"all with {listed(same)}"] if same else []),
        *uneven,
        f"constant profile {percent(targets['constant_profile'])}",
    )


def with_context(study: dict[str, Any], context: str) -> list[dict[str, Any]]:
    """The runs that were asked in a context."""
    return [run for run in study["runs"] if context in run["questionnaire"]]


def no_likelihood(run: dict[str, Any]) -> str | None:
    """Why a run has no answers by likelihood; None if it has them."""
    if run["api"] is None:
        return None
    return "an API serves this model, and gives no probabilities of the options"


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
    """Every permutation test of exact match at the primary cut, corrected by Holm's method.

    A series of several seeds is tested once, its seeds taken together, wherever it has figures over
    seeds; its single runs aren't tested beside it. All other runs are tested by themselves.
    """
    found = []
    together = {run: one for one in over_seeds(study).values() for run in one["runs"]}
    for run in study["runs"]:
        for where in [*contexts(study), "texts"]:
            name, source = run["run"], _read_in(run, where)
            one = together.get(run["run"])
            if one is not None and (of_seeds := _read_in(one["over_seeds"], where)) is not None:
                name = series_name(one)
                # A series stands where its last run does.
                source = of_seeds if run["run"] == one["runs"][-1] else None
            match = source["exact_match"] if source else {}
            if match.get("value") is not None and match.get("p_value") is not None:
                found.append(Test(name, run, where, match, 1.0))
    adjusted = holm([test.p for test in found])
    return [test._replace(adjusted=p) for test, p in zip(found, adjusted, strict=True)]


def _read_in(figures: dict[str, Any], where: str) -> dict[str, Any] | None:
    """What a run, or a series over its seeds, has in a context or in ``texts``."""
    source = figures["texts"] if where == "texts" else figures["questionnaire"].get(where)
    return dict(source) if source is not None else None


def series_name(one: dict[str, Any]) -> str:
    """A series whose seeds are taken together, in words."""
    return f"{one['series']} over {len(one['runs'])} seeds"


def over_seeds(study: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures over seeds of each series that has several, by the series' last run."""
    return {one["runs"][-1]: one for one in study["series"] if one["over_seeds"] is not None}


def together(study: dict[str, Any]) -> str:
    """A sentence on what the tests of exact match take together; empty without several seeds."""
    if not over_seeds(study):
        return ""
    return " Runs that differ in their seed alone are tested once, together, and not one by one."


def stable_beyond_nulls(one: dict[str, Any]) -> int | None:
    """In how many traits a series is more stable than each of its null adapters."""
    verdicts = one["against_null"]["stability"]["more_stable"]
    return None if verdicts is None else sum(map(all, verdicts.values()))


def beyond_nulls(one: dict[str, Any] | None, context: str) -> tuple[str, ...]:
    """A line on the rule against the null adapters of a series, which answer in one context."""
    if one is None or one["against_null"] is None:
        return ("null adapters: not run",)
    if one["against_null"]["context"] != context:
        return ("null adapters: not asked",)
    return (f"null adapters: {stable_beyond_nulls(one)} of {len(TRAITS)}",)


def is_family_run(study: dict[str, Any]) -> bool:
    """Whether null adapters were trained, so that the one family of tests holds any."""
    return bool(study["family"]["size"])


def check_name(study: dict[str, Any], check: dict[str, Any]) -> str:
    """What was checked, and in which context if in one."""
    context = check["context"]
    named = "" if context is None else f", context {context_name(study, context)}"
    return f"{check['check']}{named}"


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
    """What each check that the verdict of learning rests on saw, one line for each."""
    return [
        f"{check['check']} {number(check['before'], 3)} to {number(check['after'], 3)}"
        + (
            f" (SE {number(check['standard_error'], 3)})"
            if check["standard_error"] is not None
            else ""
        )
        for check in (run["learning"] or {"checks": []})["checks"]
        if check["required"]
    ]


def listed(names: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
