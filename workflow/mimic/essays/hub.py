"""The files of a data set of the Hugging Face hub; in words, what keeps one from getting them."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import constants, get_token, snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError


def data_set_folder(name: str, *, revision: str, local_only: bool = False) -> Path:
    """The folder of the hub's cache with a data set's files; what it lacks is fetched first.

    Parameters
    ----------
    local_only
        Nothing is fetched, and a file that the cache lacks is refused.

    Raises
    ------
    ValueError
        In words, whatever the hub refuses.
    """
    try:
        folder = snapshot_download(
            name,
            repo_type="dataset",
            revision=revision,
            # Code of a data set is never run.
            ignore_patterns=["*.py"],
            local_files_only=local_only,
        )
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise ValueError(_in_words(error, name, revision)) from error
    return Path(folder)


def _in_words(error: Exception, name: str, revision: str) -> str:
    """What a refusal of the hub means for whoever named the data set, and how to mend it."""
    page = f"{constants.ENDPOINT}/datasets/{name}"
    # A refusal may come wrapped as a failed look-up in the cache.
    asked = error.__cause__ if isinstance(error, LocalEntryNotFoundError) else error
    status = asked.response.status_code if isinstance(asked, HfHubHTTPError) else None
    if isinstance(asked, GatedRepoError) or status == 403:
        mend = "set HF_TOKEN to a token of" if get_token() is None else "HF_TOKEN must be one of"
        return (
            f"{name} is gated: ask for access on its page, {page}, and {mend} the account that "
            "was given it"
        )
    if constants.is_offline_mode():
        return (
            f"{name} isn't complete in the cache, {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE is "
            "set; run `mimic download` on a machine with network, with HF_HOME set as here"
        )
    return f"the hub said of {name} at revision {revision}: {asked or error}"
