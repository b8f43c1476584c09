"""The files of a model of the Hugging Face hub; in words, what keeps one from getting them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import constants, get_token, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from mimic.files import read_json
from mimic.models.settings import HubSettings

# What a model is loaded from. Weights in other formats than safetensors can run code, and
# repositories hold the same weights in several formats.
KEPT = ("*.json", "*.safetensors", "*.model", "*.jinja", "*.txt")
LEFT_OUT = ("*/*", "consolidated*")
INDEX = "model.safetensors.index.json"


def config_folder(source: HubSettings) -> Path:
    """A folder with the model's config.json, fetched before anything larger.

    Raises
    ------
    ValueError
        In words, whatever the hub refuses.
    """
    with _refusals_in_words(source):
        return Path(hf_hub_download(source.id, "config.json", revision=source.revision)).parent


def snapshot_folder(source: HubSettings, *, local_only: bool = False) -> Path:
    """The folder of the hub's cache with the model's files; what it lacks is fetched first.

    Parameters
    ----------
    local_only
        Nothing is fetched, and a file that the cache lacks is refused.

    Raises
    ------
    ValueError
        In words, whatever the hub refuses; if there are no weights in safetensors, or a part of
        them is missing.
    """
    with _refusals_in_words(source):
        snapshot = snapshot_download(
            source.id,
            revision=source.revision,
            allow_patterns=list(KEPT),
            ignore_patterns=list(LEFT_OUT),
            local_files_only=local_only,
        )
    _check_complete(Path(snapshot), source)
    return Path(snapshot)


def place_files(source: HubSettings, out: Path) -> None:
    """Put the model's files into a folder, as they were published.

    Raises
    ------
    ValueError
        As `snapshot_folder` does.
    """
    for path in sorted(snapshot_folder(source).iterdir()):
        if path.is_file() and _is_kept(path.name):
            _place(path.resolve(), out / path.name)


def in_words(error: Exception, source: HubSettings) -> str:
    """What a refusal of the hub means for whoever named the model, and how to mend it."""
    page = f"{constants.ENDPOINT}/{source.id}"
    # A refusal may come wrapped as a failed look-up in the cache.
    asked = error.__cause__ if isinstance(error, LocalEntryNotFoundError) else error
    status = asked.response.status_code if isinstance(asked, HfHubHTTPError) else None
    if isinstance(error, RevisionNotFoundError):
        return (
            f"the hub has no revision {source.revision} of {source.id}, which config/models.yaml "
            f"names; put a commit there that {page}/commits/main lists, all 40 digits of it"
        )
    if isinstance(asked, GatedRepoError) or status == 403:
        if get_token() is None:
            return (
                f"{source.id} is gated: ask for access on its page, {page}, then set HF_TOKEN to a "
                "token of the account that was given it"
            )
        return (
            f"{source.id} is gated, and your token has no access to it: ask for access on its "
            f"page, {page}, with the account of HF_TOKEN; a fine-grained token needs the right to "
            "read gated repositories, too"
        )
    if isinstance(asked, RepositoryNotFoundError):
        return (
            f"the hub has no model {source.id} that you can see; check its id in "
            "config/models.yaml, and for a private model set HF_TOKEN"
        )
    if status == 401:
        return "the hub refuses the token in HF_TOKEN; make another, or unset it for open models"
    if isinstance(error, RemoteEntryNotFoundError):
        return (
            f"{source.id} at revision {source.revision} has no config.json, so transformers can't "
            "load it; name another revision or model in config/models.yaml"
        )
    if constants.is_offline_mode():
        return (
            f"{source.id} at revision {source.revision} isn't complete in the cache, "
            f"{constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE is set; run `mimic download` on a "
            "machine with network (and with HF_TOKEN for a gated model), with HF_HOME set as here"
        )
    return (
        f"the hub could not be asked for {source.id}: {asked or error}; try again later, or where "
        "there is no network set HF_HUB_OFFLINE=1 and run `mimic download` where there is one, "
        "with HF_HOME set as here"
    )


@contextlib.contextmanager
def _refusals_in_words(source: HubSettings) -> Iterator[None]:
    try:
        yield
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise ValueError(in_words(error, source)) from error


def _is_kept(name: str) -> bool:
    return any(fnmatch(name, kept) for kept in KEPT) and not any(
        fnmatch(name, left) for left in LEFT_OUT
    )


def _place(path: Path, target: Path) -> None:
    """A second name for one's own file, which is made read-only later; else a copy."""
    if path.stat().st_uid == os.getuid():
        try:
            os.link(path, target)
            return
        except OSError:
            # The cache is on another file system.
            pass
    shutil.copyfile(path, target)


def _check_complete(folder: Path, source: HubSettings) -> None:
    index = folder / INDEX
    if index.is_file():
        needed = sorted(set(read_json(index)["weight_map"].values()))
    else:
        needed = ["model.safetensors"]
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"{source.id} at revision {source.revision}: no {', '.join(missing)}; weights are "
            "loaded from safetensors alone, because other formats can run code; name a revision or "
            "a model in config/models.yaml that has them"
        )
