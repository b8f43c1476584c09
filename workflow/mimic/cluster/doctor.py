"""The command `mimic doctor`: what a study lacks on a cluster, and how to get it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import constants, get_token
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mimic.cluster.disk_findings import disk_findings, existing
from mimic.cluster.environment_findings import environment_findings
from mimic.cluster.finding import MISSING, OK, Finding
from mimic.cluster.provisions import keys_of, why_no_key
from mimic.cluster.site import DEFAULT_SITE, Site, read_site
from mimic.cluster.slurm_findings import slurm_findings
from mimic.essays.settings import CsvSource
from mimic.hub_contents import HubContent, hub_contents, weight_bytes
from mimic.provenance.store import the_store
from mimic.sizes import size_in_words
from mimic.study import DEFAULT_SETTINGS, Study, load_study, read_settings

LINK = Path("meluxina")


def show_doctor(site_file: Path, configfile: Path | None) -> bool:
    """Print for each thing that a study needs on a cluster whether it is there.

    Parameters
    ----------
    configfile
        The study's settings; None for those that the profile names.

    Returns
    -------
    bool
        Whether nothing is missing, of what could be checked.

    Raises
    ------
    ValueError
        If the site's file or the settings can't be read.
    """
    site = read_site(site_file)
    profile = _read_profile(site_file.with_name("config.yaml"))
    source = configfile or Path(profile.get("configfile", DEFAULT_SETTINGS))
    study = load_study(read_settings(source), source=str(source))
    table = Table("what", "state", "what there is, and how to mend it", box=None)
    findings = list(_findings(site, profile, study, site_file=site_file, configfile=source))
    for one in findings:
        words = f"{one.found}; mend: {one.mend}" if one.mend else one.found
        # One line each, also of what Slurm says in several.
        table.add_row(one.what, one.state, escape(" ".join(words.split())))
    # Wider than any line: a terminal wraps by itself, and a file keeps whole lines.
    console = Console(width=1000, highlight=False)
    console.print(f"{source} on the machine of {site_file}")
    console.print(table)
    lacking = sum(one.state == MISSING for one in findings)
    console.print(f"{lacking} missing" if lacking else "nothing is missing")
    return not lacking


def _findings(
    site: Site, profile: Mapping[str, Any], study: Study, *, site_file: Path, configfile: Path
) -> Iterator[Finding]:
    yield from slurm_findings(site, profile, os.environ, source=site_file)
    if site_file == DEFAULT_SITE:
        yield _link(LINK, site_file.parent)
    yield from environment_findings(study.as_values())
    contents = [(content, content.is_cached()) for content in hub_contents(study)]
    for content, cached in contents:
        yield _content(content, cached, configfile)
    source = study.settings.essays.source
    if isinstance(source, CsvSource):
        yield _essays(Path(source.path))
    for name, variable in keys_of(study).items():
        yield _key(name, variable)
    lacking = [content for content, cached in contents if not cached]
    yield from disk_findings(_needs(study, lacking))


def _needs(study: Study, lacking: list[HubContent]) -> dict[Path, tuple[str, int]]:
    """What disks must have room for: the folder, what it is called, bytes."""
    cache, store = Path(constants.HF_HUB_CACHE), the_store().root
    linked = existing(cache).stat().st_dev == existing(store).stat().st_dev
    weights = sum(
        weight_bytes(model)
        for name, model in study.models.items()
        if not Path(study.settings.root, "models", name, "manifest.json").is_file()
        # Files of the cache get a second name in a store that is on the same file system.
        and not (linked and model.source.kind == "hub")
    )
    return {
        Path(): ("the project", 0),
        store: ("the store", weights),
        cache: ("the hub's cache", sum(content.bytes for content in lacking)),
    }


def _read_profile(path: Path) -> dict[str, Any]:
    """The profile beside a site's file.

    Raises
    ------
    ValueError
        If there is none.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(
            f"{path}: can't be read ({error}); a site's file lies beside its profile"
        ) from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected keys and values")
    return values


def _link(link: Path, profile: Path) -> Finding:
    """Whether ``snakemake --profile meluxina`` finds the profile: it looks in this folder."""
    what = f"link {link}"
    if link.is_dir() and link.resolve() == profile.resolve():
        return Finding(what=what, state=OK, found=str(profile))
    found = "points elsewhere" if link.is_symlink() or link.exists() else "not there"
    return Finding(what=what, state=MISSING, found=found, mend=f"ln -sfn {profile} {link}")


def _content(content: HubContent, cached: bool, configfile: Path) -> Finding:
    what = f"{'data set' if content.entry is None else 'model'} {content.id}"
    if cached:
        found = f"in {constants.HF_HUB_CACHE} at {content.revision[:12]}"
        return Finding(what=what, state=OK, found=found)
    size = f", {size_in_words(content.bytes)}" if content.bytes else ""
    found = f"not complete in {constants.HF_HUB_CACHE} at {content.revision[:12]}{size}"
    mend = f"mimic download --configfile {configfile}"
    if content.entry is not None and content.entry.gated:
        token = "a token is set" if get_token() else "HF_TOKEN must hold a token"
        mend += f"; it is gated: ask at {constants.ENDPOINT}/{content.id} ({token})"
    return Finding(what=what, state=MISSING, found=found, mend=mend)


def _essays(path: Path) -> Finding:
    what = "essays"
    if path.is_file():
        return Finding(what=what, state=OK, found=str(path))
    mend = "put the corpus there, or name another by essays.source in the settings"
    return Finding(what=what, state=MISSING, found=f"no {path}", mend=mend)


def _key(name: str, variable: str) -> Finding:
    """Whether there is a key of an API, which is never shown."""
    what = f"key for {name}"
    why = why_no_key(variable, needs=name)
    if why is None:
        return Finding(what=what, state=OK, found=f"{variable} holds one")
    mend = "" if name == "essays" else f"or leave {name} out of the study's models"
    return Finding(what=what, state=MISSING, found=why, mend=mend)
