"""A study: the settings of all stages together, and the runs that they make.

Only the Snakefile and the command line read this; a step is given its own slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, field_validator, model_validator

from mimic.compute import ComputeSettings
from mimic.conditioning_checks import NOT_ASKED
from mimic.essays.settings import EssaysSettings
from mimic.forms.settings import FormsSettings
from mimic.gates.settings import GatesSettings
from mimic.judge.settings import JudgeSettings
from mimic.metrics.settings import MetricsSettings
from mimic.models.settings import ModelSettings, check_models
from mimic.pairs.settings import PairsSettings
from mimic.questionnaire.settings import QuestionnaireSettings
from mimic.recipes import (
    FinetuneSettings,
    Run,
    Runs,
    Series,
    list_runs,
    list_series,
    recipe_key,
)
from mimic.report.settings import ReportSettings
from mimic.settings import Settings, parse_settings
from mimic.study_checks import MODELS_FILE, check_names, check_served, check_situations
from mimic.writing.settings import WritingSettings

DEFAULT_SETTINGS = Path("config/config.yaml")


class StudySettings(Settings):
    """The settings of a study; each stage has a section of its own."""

    root: str = Field(
        "results",
        pattern=r"^results(/[\w.-]+)*$",
        description="Folder of the results, results or below it; studies don't share one.",
    )
    models: tuple[str, ...] = Field(
        ("smollm2",), min_length=1, description="Models, by their names in config/models.yaml."
    )
    compute: ComputeSettings = Field(ComputeSettings(), description="How models are run.")
    essays: EssaysSettings = Field(EssaysSettings(), description="Corpus and roles.")
    pairs: PairsSettings = Field(PairsSettings(), description="Training data.")
    finetune: FinetuneSettings = Field(FinetuneSettings(), description="Training.")
    writing: WritingSettings = Field(WritingSettings(), description="Texts of the runs.")
    forms: FormsSettings = Field(FormsSettings(), description="Ways of putting items.")
    questionnaire: QuestionnaireSettings = Field(
        QuestionnaireSettings(), description="Instrument, targets and contexts."
    )
    judge: JudgeSettings = Field(JudgeSettings(), description="The reading judge.")
    gates: GatesSettings = Field(GatesSettings(), description="Checks of the measuring itself.")
    metrics: MetricsSettings = Field(MetricsSettings(), description="Figures and uncertainty.")
    report: ReportSettings = Field(ReportSettings(), description="The page.")

    @field_validator("root")
    @classmethod
    def _is_no_stage(cls, value: str) -> str:
        # A job's folder is its own: what another study put there would be removed.
        taken = {*cls.model_fields, "logs", "benchmarks", ".store", ".identities", ".."}
        wrong = taken & set(value.split("/")[1:])
        if wrong:
            raise ValueError(f"{sorted(wrong)[0]!r} can't be part of it; name it results/mine, say")
        return value

    @model_validator(mode="after")
    def _nothing_twice(self) -> StudySettings:
        listed: dict[str, tuple[Any, ...]] = {
            "models": self.models,
            "forms.formats": self.forms.formats,
            "forms.trained_formats": self.forms.trained_formats,
            "questionnaire.contexts": self.questionnaire.contexts,
            "questionnaire.protocols": self.questionnaire.protocols,
        }
        for name, recipe in self.finetune.named():
            prefix = recipe_key(name)
            lists = {
                "methods": recipe.methods,
                "models": recipe.models or (),
                "seeds": recipe.seeds,
                "data": recipe.data,
                "conditioning": recipe.conditioning,
            }
            listed |= {f"{prefix}.{key}": values for key, values in lists.items()}
            listed |= {f"{prefix}.sweep.{key}": values for key, values in recipe.sweep}
        for key, values in listed.items():
            twice = [value for value in values if values.count(value) > 1]
            if twice:
                raise ValueError(f"{key} names {twice[0]} more than once; leave out the second")
        return self

    @model_validator(mode="after")
    def _recipes_are_for_models(self) -> StudySettings:
        for name, recipe in self.finetune.named():
            for model in set(recipe.models or ()) - set(self.models):
                raise ValueError(
                    f"{recipe_key(name)}.models names {model!r}, which is none of the study's "
                    f"models ({', '.join(self.models)}); name one of them, or add it to models"
                )
        return self

    @model_validator(mode="after")
    def _null_adapters_are_asked(self) -> StudySettings:
        contexts = self.questionnaire.contexts
        for name, recipe in self.finetune.named():
            if recipe.null_adapters and not {"none", "own"} & set(contexts):
                raise ValueError(
                    f"{recipe_key(name)}.null_adapters is {recipe.null_adapters}, but no context "
                    f"of questionnaire.contexts ({', '.join(contexts)}) tells a target, in which "
                    "they could be compared; add none"
                )
        return self

    @model_validator(mode="after")
    def _published_runs_are_asked(self) -> StudySettings:
        contexts = self.questionnaire.contexts
        for name, recipe in self.finetune.named():
            if recipe.split == "published" and set(contexts) == {"human"}:
                raise ValueError(
                    f"{recipe_key(name)}.split is published, but questionnaire.contexts holds "
                    "human alone, in which such runs aren't asked: essays that others are asked "
                    "about can be in their training; add none"
                )
        return self

    @model_validator(mode="after")
    def _conditioned_runs_are_asked(self) -> StudySettings:
        contexts = set(self.questionnaire.contexts)
        for name, recipe in self.finetune.named():
            for conditioning in recipe.conditioning:
                if not contexts - NOT_ASKED.get(conditioning, set()):
                    raise ValueError(
                        f"{recipe_key(name)}.conditioning has {conditioning}, whose runs aren't "
                        "asked in any of questionnaire.contexts "
                        f"({', '.join(self.questionnaire.contexts)}); add none to these"
                    )
        return self

    @model_validator(mode="after")
    def _parts_of_a_model_are_on_gpus(self) -> StudySettings:
        for name, recipe in self.finetune.named():
            for method in recipe.methods:
                config = getattr(recipe, method).launch.config
                # accelerate would train a whole copy on each, and say nothing.
                if config.startswith("fsdp") and self.compute.device == "cpu":
                    raise ValueError(
                        f"{recipe_key(name)}.{method}.launch.config is {config}, but on CPUs "
                        "accelerate gives no device a part of a model; set it to ddp, or "
                        "compute.device to cuda"
                    )
        return self

    @model_validator(mode="after")
    def _own_texts_exist(self) -> StudySettings:
        if "own" not in self.questionnaire.contexts:
            return self
        asked: dict[str, int] = {"questionnaire.profiles": self.questionnaire.profiles}
        if {"released", "corrected"} & set(self.questionnaire.protocols):
            asked["questionnaire.generation.profiles"] = self.questionnaire.generation.profiles
        written = self.writing.profiles
        for key, count in asked.items():
            if written < count:
                raise ValueError(
                    f"questionnaire.contexts has own, which needs a text for each of the {count} "
                    f"profiles of {key}; set writing.profiles (now {written}) to {count}"
                )
        return self

    @model_validator(mode="after")
    def _proposals_are_of_a_model(self) -> StudySettings:
        proposals = self.forms.proposals
        if proposals is not None and proposals.model not in self.models:
            raise ValueError(
                f"forms.proposals.model = {proposals.model!r} is none of the study's models "
                f"({', '.join(self.models)}); name one of them, or add it to models"
            )
        return self


@dataclass(frozen=True)
class Study:
    """Checked settings, the models that they name, and the runs."""

    settings: StudySettings
    models: dict[str, ModelSettings]
    runs: Runs

    def base_of(self, run: str) -> str:
        """Label of the run of the same model that nothing was trained for."""
        return f"{self.runs[run].model}-base"

    def is_served(self, run: str) -> bool:
        """Whether a provider serves the run's model: it answers in words alone."""
        return self.models[self.runs[run].model].is_served

    @cached_property
    def measured(self) -> dict[str, Run]:
        """The runs that write and answer: all but those that try values."""
        return {label: run for label, run in self.runs.items() if not run.is_swept}

    @cached_property
    def series(self) -> dict[str, Series]:
        """The measured runs that were trained, by series."""
        return list_series(self.measured)

    @property
    def published_splits(self) -> list[str]:
        """The published splits that runs train on, by the names of their judges."""
        return sorted({run.judge for run in self.measured.values()} - {"reading"})

    def contexts_of(self, run: str) -> tuple[str, ...]:
        """The contexts that a run is asked in by likelihood; none of a model that an API serves.

        A null adapter only in the one that it is compared in; a run of a published split not about
        essays, for those that are held out from others can be in its training; others as
        `NOT_ASKED` says.
        """
        if self.is_served(run):
            return ()
        out = NOT_ASKED.get(self.runs[run].conditioning, set())
        contexts = tuple(c for c in self.settings.questionnaire.contexts if c not in out)
        if self.runs[run].split == "published":
            contexts = tuple(context for context in contexts if context != "human")
        if self.runs[run].null is None:
            return contexts
        return ("none",) if "none" in contexts else ("own",)

    def seen_in(self, run: str) -> str | None:
        """The context of a run's table of what its training held: the first with a target."""
        asked = () if self.runs[run].null else self.contexts_of(run)
        return next((context for context in ("none", "own") if context in asked), None)

    @property
    def adapted_profiles(self) -> int:
        """How many profiles a run of the conditioning ``adapter`` has an adapter for.

        Those that it answers or writes for; the smaller balanced sets lie in the larger.
        """
        questionnaire = self.settings.questionnaire
        in_words = {"released", "corrected"} & set(questionnaire.protocols)
        return max(
            questionnaire.profiles,
            self.settings.writing.profiles,
            questionnaire.generation.profiles if in_words else 0,
        )

    @property
    def corpus_kind(self) -> str:
        """Whether the essays were ``composed`` or are ``human``; reports must not mix them up."""
        source = self.settings.essays.source
        composed = source.kind == "embedded" or source.composed
        return "composed" if composed else "human"

    def as_values(self) -> dict[str, Any]:
        """All that the study was made from, as plain values; see `submitted_study`."""
        return {
            "study": self.settings.model_dump(mode="json"),
            "models": {name: model.model_dump(mode="json") for name, model in self.models.items()},
        }

    def slice(self, *sections: str) -> dict[str, Any]:
        """The named sections of the settings as plain values.

        Without the number of devices that share a job, which changes nothing that it makes.
        """
        values = self.settings.model_dump(mode="json", include=set(sections))
        values.get("compute", {}).pop("devices", None)
        return values

    def compute_of(self, label: str) -> dict[str, Any]:
        """The section `compute` as plain values, as it holds when a run answers and writes."""
        quantised = {"quantisation": "nf4"} if self.runs[label].is_asked_quantised else {}
        return self.slice("compute")["compute"] | quantised

    def devices_of(self, label: str) -> int:
        """Devices that share what a run is asked or writes; a model of an API needs one process."""
        return 1 if self.is_served(label) else self.settings.compute.devices


def load_study(values: dict[str, Any] | None, *, source: str) -> Study:
    """Check the settings of a study and list its runs.

    Parameters
    ----------
    values
        What the settings file (and ``--config``) gave.
    source
        Where they come from, for messages.

    Raises
    ------
    ValueError
        Naming file, key, value, what is allowed and the nearest valid key.
    """
    settings = parse_settings(StudySettings, values, source=source)
    known = load_models(MODELS_FILE)
    check_names(settings, models=known, source=source)
    check_situations(settings, source=source)
    models = {name: known[name] for name in settings.models}
    served = [name for name, model in models.items() if model.is_served]
    if served:
        check_served(settings, served, source=source)
    return _study(settings, models)


def submitted_study(values: dict[str, Any]) -> Study:
    """The study that `Study.as_values` gave when it was submitted."""
    settings = parse_settings(StudySettings, values["study"], source="what was submitted")
    models = {
        name: parse_settings(ModelSettings, entry, source="what was submitted")
        for name, entry in values["models"].items()
    }
    return _study(settings, models)


def _study(settings: StudySettings, models: dict[str, ModelSettings]) -> Study:
    served = {name for name, model in models.items() if model.is_served}
    runs = list_runs(settings.finetune, models=settings.models, pairs=settings.pairs, served=served)
    return Study(settings, models, runs)


def load_models(path: Path) -> dict[str, ModelSettings]:
    """Read the models that studies can name. Raises ValueError naming the file and the key."""
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    models = {
        name: parse_settings(ModelSettings, entry, source=f"{path}: {name}")
        for name, entry in values.items()
    }
    check_models(models, source=str(path))
    return models


def read_settings(path: Path) -> dict[str, Any]:
    """A settings file's content.

    Raises
    ------
    ValueError
        If the file is missing, no YAML, or doesn't hold keys and values.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such settings file") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not valid YAML ({error})") from None
    if values is not None and not isinstance(values, dict):
        raise ValueError(f"{path}: expected keys and values, found {type(values).__name__}")
    return values or {}
