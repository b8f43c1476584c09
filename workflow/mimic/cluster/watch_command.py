"""The command `mimic watch`: a cluster run in one place, in a terminal or for machines."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console, Group
from rich.text import Text

from mimic.cluster.site import Site, read_site
from mimic.cluster.watch import Facts, invocation_of, look, site_file_of
from mimic.cluster.watch_display import render
from mimic.cluster.watch_plan import HoursLeft, hours_left_of
from mimic.provenance.submission import FOLDER, read_submission
from mimic.study import DEFAULT_SETTINGS, Study, load_study, read_settings, submitted_study

# Slurm answers the commands of all users by one process.
EVERY_S = 10.0
# Where no terminal says how wide it is.
WIDTH = 120


def show_watch(
    configfile: Path | None, *, site_file: Path | None, once: bool, as_json: bool
) -> None:
    """Show what pends, runs, failed and is done of this folder's cluster run.

    Parameters
    ----------
    configfile, site_file
        The study's settings and the site; those of the last invocation if None.
    once
        Show it once, as where there is no terminal; else until it is interrupted.
    as_json
        Print it once, as JSON.

    Raises
    ------
    ValueError
        If nothing was submitted from here yet, a file that is named is wrong, or squeue doesn't
        answer.
    """
    watched = _watched(Path.cwd(), configfile, site_file)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    if as_json:
        print(json.dumps(asdict(watched.look()), indent=1, ensure_ascii=False, default=_plain))
    elif once or not console.is_terminal:
        console.print(render(watched.look()))
    else:
        _show_until_interrupted(console, watched)


@dataclass(frozen=True, kw_only=True)
class _Watched:
    """A folder that is looked at again and again, with what is found out once."""

    folder: Path
    site: Site | None
    hours_left: HoursLeft | None
    notes: tuple[str, ...]

    def look(self) -> Facts:
        return look(
            self.folder,
            invocation_of(self.folder),
            site=self.site,
            hours_left=self.hours_left,
            notes=self.notes,
        )


def _watched(folder: Path, configfile: Path | None, site_file: Path | None) -> _Watched:
    invocation, notes = invocation_of(folder), []
    site = None
    named = site_file or site_file_of(invocation, folder)
    try:
        site = None if named is None else read_site(named)
    except ValueError as error:
        if site_file is not None:
            raise
        notes.append(f"the site's limits can't be told: {error}")
    hours_left = None
    try:
        hours_left = hours_left_of(_study(configfile or invocation.configfile or DEFAULT_SETTINGS))
        if hours_left.unplanned:
            notes.append(f"of {hours_left.unplanned} jobs the plan has no hours (`mimic plan`)")
    except ValueError as error:
        if configfile is not None:
            raise
        notes.append(f"node-hours left can't be told: {error}")
    return _Watched(folder=folder, site=site, hours_left=hours_left, notes=tuple(notes))


def _study(source: Path) -> Study:
    """The study as it was submitted last; as its settings say where it never was."""
    study = load_study(read_settings(source), source=str(source))
    submissions = list(Path(study.settings.root, FOLDER).glob("*.json"))
    if not submissions:
        return study
    newest = max(submissions, key=lambda path: path.stat().st_mtime)
    return submitted_study(read_submission(newest)["settings"])


def _show_until_interrupted(console: Console, watched: _Watched) -> None:
    """Show it again and again; what doesn't fit the screen can be scrolled back to."""
    try:
        while True:
            try:
                shown = render(watched.look())
            except ValueError as error:
                # Slurm's controller is restarted now and then.
                shown = Group(Text(f"{error}; looking again"))
            console.clear()
            console.print(shown)
            time.sleep(EVERY_S)
    except KeyboardInterrupt:
        return


def _plain(value: datetime) -> str:
    return value.isoformat(timespec="seconds")
