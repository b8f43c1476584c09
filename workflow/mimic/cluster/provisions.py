"""What jobs need besides nodes: models and a corpus in the hub's cache."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from huggingface_hub import constants

from mimic.hub_contents import hub_contents
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
