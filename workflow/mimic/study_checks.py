"""What a study's settings name that isn't there, or that an API can't do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from mimic.forms.splits import check_formats
from mimic.recipes import recipe_key

if TYPE_CHECKING:
    from mimic.study import StudySettings

MODELS_FILE = Path("config/models.yaml")
INSTRUMENTS = Path("config/instruments")
AUTHORED_FORMS = Path("config/forms/authored.yaml")


def check_names(settings: StudySettings, *, models: Iterable[str], source: str) -> None:
    """Refuse models, an instrument or formats that no file describes.

    Parameters
    ----------
    settings
        Of the study.
    models
        The names in config/models.yaml.
    source
        Where the settings come from, for messages.

    Raises
    ------
    ValueError
        Naming the key, the name, the nearest one and all that there are; or if no format of the
        study is held out of training.
    """
    instruments = [path.stem for path in INSTRUMENTS.glob("*.yaml")]
    formats = yaml.safe_load(AUTHORED_FORMS.read_text(encoding="utf-8"))["formats"]
    forms, instrument = settings.forms, settings.questionnaire.instrument
    for key, named, known, place in (
        ("models", settings.models, models, MODELS_FILE),
        ("questionnaire.instrument", (instrument,), instruments, INSTRUMENTS),
        ("forms.formats", forms.formats, formats, AUTHORED_FORMS),
        ("forms.trained_formats", forms.trained_formats, formats, AUTHORED_FORMS),
    ):
        for name in named:
            _check_name(name, known, key=key, place=place, source=source)
    try:
        check_formats(formats, asked=forms.formats, trained=forms.trained_formats)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def _check_name(name: str, known: Iterable[str], *, key: str, place: Path, source: str) -> None:
    known = sorted(known)
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    raise ValueError(f"{source}: {key}: no {name!r} in {place}{hint} there are {', '.join(known)}")


def check_situations(settings: StudySettings, *, source: str) -> None:
    """Refuse a situation of writing that training prompts ask for: texts are to be held out.

    Raises
    ------
    ValueError
        Naming the situation and the key of the training data.
    """
    situations = {_plain(text): name for name, text in settings.writing.situations.items()}
    for name, recipe in settings.finetune.named():
        key = recipe_key(name)
        pairs_key = "pairs" if recipe.pairs is None else f"{key}.pairs"
        asked = [(f"{pairs_key}.request", (recipe.pairs or settings.pairs).request)]
        asked += [(f"{key}.sweep.request", request) for request in recipe.sweep.request]
        for where, request in asked:
            if _plain(request) in situations:
                raise ValueError(
                    f"{source}: writing.situations.{situations[_plain(request)]} = {request!r}: "
                    f"{where} trains on the same request, and situations are those that no run is "
                    "trained on; write another one in either place"
                )


def _plain(request: str) -> str:
    return " ".join(request.casefold().split())


def check_served(settings: StudySettings, served: list[str], *, source: str) -> None:
    """Refuse what a model of an API can't do.

    Parameters
    ----------
    settings
        Of the study.
    served
        Those of its models that an API serves.
    source
        Where the settings come from, for messages.

    Raises
    ------
    ValueError
        Naming the key, its value and what is possible.
    """
    if len(served) == len(settings.models):
        raise ValueError(
            f"{source}: models: {', '.join(served)} can be had by an API alone, which gives no "
            "likelihoods, and a study rests on them; add a model with weights"
        )
    for name, recipe in settings.finetune.named():
        for model in set(recipe.models or ()) & set(served):
            raise ValueError(
                f"{source}: {recipe_key(name)}.models names {model!r}, which an API serves, so "
                "that nobody here can train it; leave it out there"
            )
    proposals = settings.forms.proposals
    if proposals is not None and proposals.model in served:
        raise ValueError(
            f"{source}: forms.proposals.model = {proposals.model!r}: an API serves it; name a "
            "model with weights"
        )
    questionnaire, written = settings.questionnaire, settings.writing.max_new_tokens
    in_words = {"released", "corrected"} & set(questionnaire.protocols)
    taken = questionnaire.generation.text_tokens
    if in_words and "own" in questionnaire.contexts and taken < written:
        raise ValueError(
            f"{source}: questionnaire.generation.text_tokens = {taken}: texts have up to {written} "
            f"tokens (writing.max_new_tokens), and nobody here can cut those of {served[0]}, whose "
            f"tokens its provider counts; set it to at least {written}"
        )
