"""Recipes of a study and the runs that they make. Only `mimic.study` reads this, no step does."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mimic.conditioning import UNTOLD, Conditioning
from mimic.conditioning_checks import check_conditioning
from mimic.finetune.settings import TrainingSettings
from mimic.finetune.spread import SpreadDpo, SpreadOrpo, SpreadSft, nodes_of
from mimic.pairs.settings import PairsSettings
from mimic.settings import Settings

Method = Literal["sft", "dpo", "orpo"]
Split = Literal["roles", "published"]
Data = Literal["essays", "essays-q-ideal", "essays-q-random"]


class SweepSettings(Settings):
    """Values that are tried in place of a recipe's own: a run for each combination.

    Such runs are trained and compared on validation essays alone; what is claimed comes from a
    recipe with the values that won, and new seeds.
    """

    learning_rate: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (), description="Peak learning rates."
    )
    beta: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (), description="Strengths of the preference term; SFT has none and isn't swept over it."
    )
    rank: tuple[Annotated[int, Field(ge=1, le=512)], ...] = Field(
        (), description="Ranks of the adapter."
    )
    request: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (), description="Wordings of what a training prompt asks for."
    )


class RecipeSettings(Settings):
    """How runs are trained: with which methods, how each, and how often."""

    methods: tuple[Method, ...] = Field(
        ("sft", "dpo", "orpo"), description="Methods that each model is trained with."
    )
    models: tuple[str, ...] | None = Field(
        None, description="Those of the study's models that it is for; null for all."
    )
    seeds: tuple[int, ...] = Field((1,), min_length=1, description="One run for each seed.")
    sft: SpreadSft = Field(SpreadSft(), description="Supervised fine-tuning.")
    dpo: SpreadDpo = Field(SpreadDpo(), description="Direct preference optimisation.")
    orpo: SpreadOrpo = Field(SpreadOrpo(), description="Odds ratio preference optimisation.")
    pairs: PairsSettings | None = Field(
        None, description="Training data of these runs; null for the study's section `pairs`."
    )
    data: tuple[Data, ...] = Field(
        ("essays",),
        min_length=1,
        description="What prompts of training hold besides target and request, a run for each: "
        "nothing, or items of the study's questionnaire with answers of the essay's author "
        "(Essays+Q), made from the author's labels (essays-q-ideal) or randomised on the labels' "
        "side (essays-q-random).",
    )
    conditioning: tuple[Conditioning, ...] = Field(
        ("prompt",),
        min_length=1,
        description="How runs are told their target, a run for each: by words (prompt), by two "
        "learned tokens for each trait in their place (token), by an adapter for each profile, "
        "whose prompts hold no target (adapter), or not at all, as a control (none).",
    )
    split: Split = Field(
        "roles",
        description="Which essays are trained on: those of role G (roles), or as published: 80 % "
        "by seed 42 for SFT, the first 90 % of the rows for DPO and ORPO. Texts of published runs "
        "are read by a judge of their split, which learns from the essays outside of it.",
    )
    asked_as_trained: bool = Field(
        False,
        description="Whether runs that were trained on quantised weights answer and write with "
        "them, as published, and not with those of `compute`, which their base runs have.",
    )
    sweep: SweepSettings = Field(SweepSettings(), description="Values that are tried.")
    null_adapters: int = Field(
        0,
        ge=0,
        le=100,
        description="So many runs of each model and method beside the others, trained in the same "
        "steps on essays whose label vectors are permuted; a full study has at least 5. 0 trains "
        "none.",
    )

    @model_validator(mode="after")
    def _swept_values_are_no_claim(self) -> RecipeSettings:
        if self.null_adapters and any(values for _, values in self.sweep):
            raise ValueError(
                f"null_adapters is {self.null_adapters}, but the recipe sweeps over values; null "
                "adapters belong to what a study claims: give the winner a recipe of its own, with "
                "null_adapters there"
            )
        return self

    @model_validator(mode="after")
    def _conditioning_fits(self) -> RecipeSettings:
        for conditioning in self.conditioning:
            check_conditioning(
                conditioning,
                data=self.data,
                null_adapters=self.null_adapters,
                launches={method: getattr(self, method).launch for method in self.methods},
            )
        return self


RecipeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]


class FinetuneSettings(RecipeSettings):
    """The recipe of the study's runs, and further ones beside it."""

    pack: int | None = Field(
        None,
        ge=2,
        le=16,
        description="Trainings that one job does at once, each on a GPU of its own: as many as a "
        "node that is allocated whole has GPUs. null for a job for each. The adapters are the "
        "same.",
    )
    recipes: dict[RecipeName, RecipeSettings] = Field(
        {},
        description="Further recipes by name, which the labels of their runs hold. Each has the "
        "settings of `finetune` itself and stands alone: what it doesn't name has the default.",
    )

    def named(self) -> Iterator[tuple[str | None, RecipeSettings]]:
        """All recipes, that of the section itself first and without a name."""
        yield None, self
        yield from self.recipes.items()


@dataclass(frozen=True)
class Run:
    """One model of a study.

    Attributes
    ----------
    series
        What its label is without null adapter and seed: runs of one series differ in these alone.
    null
        The number of its permutation of the labels, from 1; None for a run on true labels.
    recipe
        Name of its recipe; None for that of the section itself, and for a base run.
    swept
        What it has in place of its recipe's own values, by the names of `SweepSettings`.
    training
        Settings of its method, swept values among them; None for a base run.
    pairs
        Settings of its training data; None for a base run.
    data
        What its training prompts hold.
    split
        Where its training essays come from.
    is_asked_quantised
        Whether it answers and writes in 4 bits whatever the study says.
    conditioning
        How it is told its target; a base run always by ``prompt``.
    """

    label: str
    model: str
    method: str
    seed: int
    series: str
    null: int | None = None
    recipe: str | None = None
    swept: tuple[tuple[str, Any], ...] = ()
    training: TrainingSettings | None = None
    pairs: PairsSettings | None = None
    data: Data = "essays"
    split: Split = "roles"
    is_asked_quantised: bool = False
    conditioning: Conditioning = "prompt"

    @property
    def judge(self) -> str:
        """The judge of its texts: ``reading``, or that of its published split, by its name."""
        if self.split == "roles":
            return "reading"
        return "published-sft" if self.method == "sft" else "published-preferences"

    @property
    def withholds_profiles(self) -> bool:
        """Whether eight profiles are never targets of its training.

        Published runs see all, and so do those whose prompts hold no target: an adapter for each
        profile, or none.
        """
        has_target = self.conditioning not in UNTOLD and not self.is_base
        return has_target and self.pairs_kind == "preferences" and self.split == "roles"

    @property
    def nodes(self) -> int:
        """Nodes that its training is spread over."""
        return 1 if self.training is None else nodes_of(self.training)

    @property
    def answers(self) -> str | None:
        """How answers in its training prompts are made; None where they hold no items."""
        return None if self.data == "essays" else self.data.removeprefix("essays-q-")

    @property
    def is_swept(self) -> bool:
        """Whether it tries values: it is compared on validation essays, and asked nothing."""
        return bool(self.swept)

    @property
    def is_base(self) -> bool:
        """Whether nothing was trained."""
        return self.method == "base"

    @property
    def pairs_kind(self) -> str:
        """What its method is trained on: ``conversations`` or ``preferences``."""
        return "conversations" if self.method == "sft" else "preferences"


class Runs(dict[str, Run]):
    """The runs of a study by label."""

    def __missing__(self, label: str) -> Run:
        """Say in words that there is no such run."""
        near = difflib.get_close_matches(label, self, n=1)
        words = f"; is {near[0]} meant?" if near else ""
        raise ValueError(f"no run of this study is called {label!r}{words}")


@dataclass(frozen=True)
class Series:
    """Runs that are trained alike but for the seed, and their null adapters.

    Attributes
    ----------
    label
        As `Run.series`.
    runs, nulls
        Labels of the runs, one for each seed, and of the null adapters.
    """

    label: str
    model: str
    method: str
    runs: tuple[str, ...]
    nulls: tuple[str, ...]

    @property
    def is_compared(self) -> bool:
        """Whether there is more to say of it than of its one run."""
        return len(self.runs) > 1 or bool(self.nulls)


def list_series(runs: Mapping[str, Run]) -> dict[str, Series]:
    """The series of trained runs by label, in the order of the runs."""
    found: dict[str, list[Run]] = {}
    for run in runs.values():
        if not run.is_base:
            found.setdefault(run.series, []).append(run)
    return {
        label: Series(
            label=label,
            model=own[0].model,
            method=own[0].method,
            runs=tuple(run.label for run in own if run.null is None),
            nulls=tuple(run.label for run in own if run.null is not None),
        )
        for label, own in found.items()
    }


def list_runs(
    finetune: FinetuneSettings,
    *,
    models: tuple[str, ...],
    pairs: PairsSettings,
    served: Collection[str] = (),
) -> Runs:
    """The runs of a study by label: each model untrained, then those of each recipe.

    Parameters
    ----------
    finetune, pairs
        Recipes, and the training data of those that name none.
    models
        The study's models.
    served
        Those of them that a provider serves. Nobody here can train them, and their runs stand last.

    Raises
    ------
    ValueError
        If two runs would have the same label.
    """
    runs = []
    for model in sorted(models, key=lambda model: model in served):
        runs.append(Run(f"{model}-base", model, "base", 0, series=f"{model}-base"))
        for name, recipe in finetune.named():
            if model not in served and (recipe.models is None or model in recipe.models):
                runs += _runs_of(recipe, name=name, model=model, pairs=recipe.pairs or pairs)
    labels = [run.label for run in runs]
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"two recipes make a run {label}; give one of them another name")
    return Runs(zip(labels, runs, strict=True))


def _runs_of(
    recipe: RecipeSettings, *, name: str | None, model: str, pairs: PairsSettings
) -> Iterator[Run]:
    for method in recipe.methods:
        training: TrainingSettings = getattr(recipe, method)
        combinations = _combinations(recipe.sweep, training)
        for swept, data, conditioning in itertools.product(
            combinations, recipe.data, recipe.conditioning
        ):
            marks = [_mark(key, value, recipe.sweep) for key, value in swept.items()]
            marks += [] if data == "essays" else [data.removeprefix("essays-")]
            marks += [] if conditioning == "prompt" else [conditioning]
            series = "-".join([model, method, *([name] if name else []), *marks])
            request = {key: value for key, value in swept.items() if key == "request"}
            for null, seed in _repetitions(recipe):
                yield Run(
                    label="-".join([series, *([f"null{null}"] if null else []), f"s{seed}"]),
                    model=model,
                    method=method,
                    seed=seed,
                    series=series,
                    null=null,
                    recipe=name,
                    swept=tuple(swept.items()),
                    training=_with_swept(training, swept),
                    pairs=pairs.model_copy(update=request),
                    data=data,
                    split=recipe.split,
                    is_asked_quantised=recipe.asked_as_trained and training.quantisation != "none",
                    conditioning=conditioning,
                )


def _repetitions(recipe: RecipeSettings) -> Iterator[tuple[int | None, int]]:
    """Null adapter and training seed of each run; null adapters take the seeds in turn."""
    for seed in recipe.seeds:
        yield None, seed
    for number in range(recipe.null_adapters):
        yield number + 1, recipe.seeds[number % len(recipe.seeds)]


def _combinations(sweep: SweepSettings, training: TrainingSettings) -> Iterator[dict[str, Any]]:
    """Each combination of the values that the method has a setting for; one of none at least."""
    swept = {
        key: values
        for key, values in sweep
        if values and (key in ("rank", "request") or hasattr(training, key))
    }
    for combination in itertools.product(*swept.values()):
        yield dict(zip(swept, combination, strict=True))


def _with_swept(training: TrainingSettings, swept: dict[str, Any]) -> TrainingSettings:
    update = {key: value for key, value in swept.items() if hasattr(training, key)}
    if "rank" in swept:
        update["lora"] = training.lora.model_copy(update={"rank": swept["rank"]})
    return training.model_copy(update=update)


def _mark(key: str, value: Any, sweep: SweepSettings) -> str:
    """What a label says of a swept value, such as ``lr3e-5``."""
    if key == "request":
        return f"request{sweep.request.index(value) + 1}"
    return {"learning_rate": "lr"}.get(key, key) + f"{value:g}".replace("e-0", "e-")


def recipe_key(name: str | None) -> str:
    """The key of a recipe in the settings; None for the section itself."""
    return "finetune" if name is None else f"finetune.recipes.{name}"
