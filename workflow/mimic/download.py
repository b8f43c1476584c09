"""The command `mimic download`: what a study takes from the Hugging Face hub, into its cache."""

from __future__ import annotations

from pathlib import Path

import httpx2
from huggingface_hub import constants

from mimic.hub_contents import hub_contents
from mimic.sizes import size_in_words
from mimic.study import load_study, read_settings


def download(configfile: Path) -> bool:
    """Fetch the models and the corpus of a study at their revisions; what is there stays.

    Returns
    -------
    bool
        Whether all is there; what kept one from getting the rest was printed.

    Raises
    ------
    ValueError
        If the settings can't be read, or HF_HUB_OFFLINE is set.
    """
    study = load_study(read_settings(configfile), source=str(configfile))
    wanted = hub_contents(study)
    if not wanted:
        print(f"{configfile} takes nothing from the hub")
        return True
    if constants.is_offline_mode():
        raise ValueError("HF_HUB_OFFLINE is set; for this command: HF_HUB_OFFLINE=0 mimic download")
    print(f"into {constants.HF_HUB_CACHE} (HF_HOME names the folder that it lies in)")
    refused = []
    for number, content in enumerate(wanted, start=1):
        size = f", {size_in_words(content.bytes)}" if content.bytes else ""
        head = f"{number} of {len(wanted)}: {content.id} at {content.revision[:12]}"
        if content.is_cached():
            print(f"{head}: there", flush=True)
            continue
        print(f"{head}{size}", flush=True)
        try:
            content.fetch()
        except (OSError, ValueError, httpx2.HTTPError) as error:
            # The others needn't wait for a consent, or for a connection that broke.
            refused.append(content)
            print(f"  not fetched: {error}", flush=True)
    if refused:
        print(
            f"{len(refused)} of {len(wanted)} are missing. When that is mended, the same command "
            "fetches these alone"
        )
    return not refused
