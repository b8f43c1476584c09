"""What a study has its models do: its trainings, texts and answers, as the plan sees them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from mimic.compute import ComputeSettings
from mimic.models.settings import ModelSettings
from mimic.plan.architecture import Architecture
from mimic.plan.corpus import PROMPT_TOKENS, Lengths
from mimic.plan.study_training import training_of
from mimic.plan.workload import Answering, Training, Writing
from mimic.questionnaire.instruments import load_instrument
from mimic.recipes import Run
from mimic.settings import parse_settings
from mimic.study import Study
from mimic.study_checks import INSTRUMENTS
from mimic.writing.settings import WritingSettings

SKETCHES = Path("config/forms/sketches.yaml")
# A form's instruction, a target, an item with its options: what a questionnaire's prompts are made
# of, in tokens of SmolLM2's tokenizer.
FORM_TOKENS, TARGET_TOKENS, ENDING_TOKENS = 70, 40, 20
# Formats of answers in words, which are the published ones, and both orders of options.
RELEASED_FORMATS, ORDERS = 3, 2


@dataclass(frozen=True, kw_only=True)
class Work:
    """One job of a study that runs a model.

    Attributes
    ----------
    section
        The section of the settings that says how.
    context
        Of answers: what a prompt holds besides.
    method
        What its figures are calibrated by: the method of a training, else the stage.
    pack
        The pack that it is set to run in.
    """

    name: str
    stage: str
    section: str
    model: str
    method: str
    task: Training | Writing | Answering
    context: str = ""
    pack: str | None = None


def work_of(study: Study, lengths: Lengths, *, pack_of: Mapping[str, str]) -> Iterator[Work]:
    """The jobs of a study that run models that it has the weights of.

    Parameters
    ----------
    lengths
        Of its essays.
    pack_of
        The pack of each training that is in one, by the run's label.
    """
    items = count_items(study)
    for label, run in study.runs.items():
        if study.is_served(label):
            continue
        if run.training is not None:
            section = "finetune" if run.recipe is None else f"finetune.recipes.{run.recipe}"
            yield Work(
                name=label,
                stage="finetune",
                section=f"{section}.{run.method}",
                model=run.model,
                method=run.method,
                task=training_of(study, run, lengths, items=items),
                pack=pack_of.get(label),
            )
        if not run.is_swept:
            yield from uses_of(study, run, items=items)


def uses_of(study: Study, run: Run, *, items: int) -> Iterator[Work]:
    """The writing and the answers of a run whose model it has the weights of.

    Answers in forms come before the fewer in training wordings.
    """
    yield _writing(study, run)
    yield from _answers(study, run, items=items)


def architecture_of(model: ModelSettings) -> Architecture:
    """The shape of a model whose weights are to be had.

    Its config.json doesn't tell how many norms a block has: the number of its parameters does.
    """
    # A model of an API runs nowhere here.
    assert model.architecture is not None and model.parameters is not None
    published, values = model.parameters * 1e6, model.architecture.model_dump()
    either = [Architecture(**values, norms_per_layer=norms) for norms in (2, 4)]
    return min(either, key=lambda shape: abs(shape.parameters - published))


def count_items(study: Study) -> int:
    """Items of the study's questionnaire."""
    path = INSTRUMENTS / f"{study.settings.questionnaire.instrument}.yaml"
    return len(load_instrument(path).items)


def _writing(study: Study, run: Run) -> Work:
    return Work(
        name=run.label,
        stage="writing",
        section="writing",
        model=run.model,
        method="writing",
        task=replace(
            writing_of(study.settings.writing, compute_of(study, run)),
            devices=study.devices_of(run.label),
        ),
    )


def compute_of(study: Study, run: Run) -> ComputeSettings:
    """How a run's model is run when it writes and answers."""
    values = study.compute_of(run.label)
    return parse_settings(ComputeSettings, values, source="the study")


def writing_of(settings: WritingSettings, compute: ComputeSettings) -> Writing:
    """The writing of a run's texts."""
    texts = settings.profiles * len(settings.situations) * settings.samples
    return Writing(
        texts=texts,
        prompt_length=PROMPT_TOKENS,
        new_tokens=settings.max_new_tokens,
        batch_size=min(settings.batch_size, texts),
        precision=compute.precision,
        quantisation=compute.quantisation,
    )


def _answers(study: Study, run: Run, *, items: int) -> Iterator[Work]:
    settings, asked_in = study.settings.questionnaire, study.settings.forms
    compute, devices = compute_of(study, run), study.devices_of(run.label)
    forms = len(asked_in.formats) * asked_in.wordings * ORDERS
    in_words = {"released", "corrected"} & set(settings.protocols)
    seen_in = study.seen_in(run.label) if run.answers else None
    for context in study.contexts_of(run.label):
        task = _answering(study, run, context=context, forms=forms, items=items)
        yield _asked(run.label, run, context=context, task=task)
        if run.null is None and context in ("none", "own") and in_words:
            generation = settings.generation
            texts = generation.profiles * RELEASED_FORMATS * items
            length = generation.text_tokens if context == "own" else TARGET_TOKENS
            yield Work(
                name=f"{run.label}, in words, context {context}",
                stage="questionnaire",
                section="questionnaire.generation",
                model=run.model,
                method="generation",
                context=context,
                task=Writing(
                    texts=texts,
                    prompt_length=FORM_TOKENS + ENDING_TOKENS + length,
                    new_tokens=generation.max_tokens,
                    batch_size=min(generation.batch_size, texts),
                    precision=compute.precision,
                    quantisation=compute.quantisation,
                    devices=devices,
                ),
            )
    if seen_in is not None:
        # In one training wording, in the formats that are held out.
        again = len(set(asked_in.formats) - set(asked_in.trained_formats)) * ORDERS
        task = _answering(study, run, context=seen_in, forms=again, items=items)
        yield _asked(f"{run.label}, training wording", run, context=seen_in, task=task)


def _asked(name: str, run: Run, *, context: str, task: Answering) -> Work:
    return Work(
        name=f"{name}, context {context}",
        stage="questionnaire",
        section="questionnaire",
        model=run.model,
        method="questionnaire",
        context=context,
        task=task,
    )


def _answering(study: Study, run: Run, *, context: str, forms: int, items: int) -> Answering:
    """The answers of a run in one context, in so many forms."""
    settings, compute = study.settings.questionnaire, compute_of(study, run)
    subjects = settings.human_essays if context == "human" else settings.profiles
    if context == "sketches":
        subjects *= _count_sketches()
    about = settings.text_tokens if context in ("own", "human") else TARGET_TOKENS
    shared = settings.engine == "shared_prefix"
    return Answering(
        # Of a form the instruction is computed once for all subjects; that is left out.
        prefixes=subjects * forms if shared else 0,
        prefix_length=about if shared else 0,
        endings=subjects * forms * items,
        ending_length=ENDING_TOKENS + (0 if shared else FORM_TOKENS + about),
        batch_tokens=settings.batch_tokens if shared else FORM_TOKENS + about,
        precision=compute.precision,
        quantisation=compute.quantisation,
        devices=study.devices_of(run.label),
    )


@functools.cache
def _count_sketches() -> int:
    return len(yaml.safe_load(SKETCHES.read_text(encoding="utf-8"))["sketches"])
