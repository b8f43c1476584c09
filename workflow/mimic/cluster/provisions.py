"""What jobs need besides nodes: models and a corpus in the hub's cache, keys of APIs."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from huggingface_hub import constants

from mimic.api import read_key
from mimic.essays.settings import ApiModeration
from mimic.hub_contents import hub_contents
from mimic.respondents.api_settings import ApiSettings
from mimic.study import Study


def uncached(
    study: Study,
    *,
    models: Collection[str],
    corpus: bool,
    environment: Mapping[str, str],
    source: str,
) -> list[str]:
    """What jobs will look for in the hub's cache in vain, where they may take from it alone.

    Parameters
    ----------
    models
        The names of those that are to be made.
    corpus
        Whether the essays are to be made.
    environment
        Of the jobs.
    source
        The study's settings, for messages.
    """
    offline = environment.get("HF_HUB_OFFLINE", "")
    if offline.upper() not in constants.ENV_VARS_TRUE_VALUES:
        return []
    wanted = [study.models[name] for name in models]
    return [
        f"{content.id} isn't complete in {constants.HF_HUB_CACHE} at {content.revision[:12]}, and "
        f"jobs have no network (HF_HUB_OFFLINE is {offline}); on a login node: HF_HUB_OFFLINE=0 "
        f"mimic download --configfile {source}"
        for content in hub_contents(study)
        if (corpus if content.entry is None else content.entry in wanted)
        and not content.is_cached()
    ]


def keys_of(study: Study) -> dict[str, str]:
    """The environment variables with a key that a study needs, by what needs it.

    That is the name of a model that a provider serves, or ``essays`` for their moderation.
    """
    found = {
        name: model.source.key_variable
        for name, model in study.models.items()
        if isinstance(model.source, ApiSettings)
    }
    moderation = study.settings.essays.moderation
    if isinstance(moderation, ApiModeration):
        found["essays"] = moderation.key_variable
    return found


def why_no_key(variable: str, *, needs: str) -> str | None:
    """Why there is no key in an environment variable of this process; None if there is one.

    Parameters
    ----------
    needs
        What needs it, as `keys_of` names it.
    """
    what = (
        "the moderation of the essays"
        if needs == "essays"
        else f"model {needs}, which its provider serves,"
    )
    try:
        read_key(variable, needed=f"{what} needs a key there")
    except ValueError as error:
        return str(error)
    return None


def keyless(study: Study, *, needing: Collection[str]) -> list[str]:
    """What jobs will fail for, since this process has no key of an API that they ask.

    Parameters
    ----------
    needing
        The models whose runs write or answer, and ``essays`` if these are to be made.
    """
    found = (
        why_no_key(variable, needs=name)
        for name, variable in keys_of(study).items()
        if name in needing
    )
    return [why for why in found if why is not None]
