"""Removing results of a study that no setting names any more."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from mimic.provenance.notes import FOLDER as IDENTITIES
from mimic.provenance.notes import note_file
from mimic.sizes import agreed, bytes_below, size_in_words
from mimic.study import DEFAULT_SETTINGS, load_study, read_settings


def clean_stale(configfile: Path | None, *, yes: bool) -> None:
    """List the results of a study that no setting names any more, and remove them.

    Removes after a question, or at once with `yes`. Without a terminal to ask in and without
    `yes` it only lists.

    Parameters
    ----------
    configfile
        The study's settings; None for the default study.

    Raises
    ------
    ValueError
        If the settings are wrong, the study has no results, or Snakemake is at work here.
    """
    source = configfile or DEFAULT_SETTINGS
    root = Path(load_study(read_settings(source), source=str(source)).settings.root)
    if not (root / IDENTITIES).is_dir():
        raise ValueError(f"{root}: holds no results of a study; {source} names it as its root")
    stale = stale_results(root, named_outputs(configfile))
    if not stale:
        print(f"nothing in {root} is stale")
        return
    sizes = [bytes_below(path) for path in stale]
    print(f"In {root}, named by no setting of {source}:")
    for path, size in zip(stale, sizes, strict=True):
        print(f"{size_in_words(size):>10}  {path}{'/' if path.is_dir() else ''}")
    print(f"{size_in_words(sum(sizes)):>10}  together; what the result store has of it stays there")
    if not yes and not (sys.stdin.isatty() and agreed()):
        print("nothing was removed" + ("" if sys.stdin.isatty() else "; --yes removes"))
        return
    if any(Path(".snakemake/locks").glob("*.lock")):
        raise ValueError(
            "Snakemake is at work in this folder; wait for its end. If it was killed, "
            "`snakemake --unlock` removes its lock"
        )
    for path in stale:
        _remove(path)
    print("removed")


def named_outputs(configfile: Path | None) -> set[Path]:
    """The output files of a study's jobs, whether they exist or not, as Snakemake lists them.

    Raises
    ------
    ValueError
        With Snakemake's own words, if it can't list them.
    """
    command = [sys.executable, "-m", "snakemake", "--summary"]
    if configfile is not None:
        command += ["--configfile", str(configfile)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    header, *rows = done.stdout.splitlines() or [""]
    if done.returncode != 0 or not header.startswith("output_file\t") or not rows:
        raise ValueError(f"`snakemake --summary` failed:\n{done.stderr.strip()}")
    return {Path(row.split("\t")[0]) for row in rows}


def stale_results(root: Path, named: set[Path]) -> list[Path]:
    """What lies in a study's stage folders and no job of it writes.

    Logs, benchmarks and the notes in ``.identities`` of such jobs are among it. The result store,
    other studies' roots below this one, and what a link points to are left alone.

    Parameters
    ----------
    root
        The study's root.
    named
        The output files of its jobs. The folder of a ``manifest.json`` belongs to its job whole.

    Returns
    -------
    list of Path
        Files and, where nothing in them is named, folders.
    """
    # A stage is one word: its rules, its folder, its logs.
    stages = {
        path.stem
        for path in Path("workflow/rules").glob("*.smk")
        if not path.stem.startswith("common")
    }
    owned = {path.parent for path in named if path.name == "manifest.json"}
    stale: list[Path] = []
    for stage in sorted(stages):
        stale += _unnamed(root / stage, named | owned)
    # finetune/x/manifest.json and metrics/x.json come with logs/finetune/x.log, logs/metrics/x.log.
    jobs = {path.parent.relative_to(root) for path in named}
    jobs |= {path.relative_to(root).with_suffix("") for path in named}
    for kind, suffix in (("logs", ".log"), ("benchmarks", ".tsv")):
        files = {root / kind / job.with_name(job.name + suffix) for job in jobs if job.name}
        # logs/finetune/x holds what TensorBoard reads of it.
        files |= {root / kind / folder.relative_to(root) for folder in owned}
        for stage in sorted(stages):
            stale += _unnamed(root / kind / stage, files)
            stale += _unnamed_file(root / kind / f"{stage}{suffix}", files)
    notes = {note_file(root, path) for path in named}
    for path in sorted((root / IDENTITIES).glob("*.json")):
        if path.name.split("__")[0] in stages:
            stale += _unnamed_file(path, notes)
    return stale


def _unnamed_file(path: Path, named: set[Path]) -> list[Path]:
    return [path] if path.is_file() and path not in named else []


def _unnamed(folder: Path, named: set[Path]) -> list[Path]:
    """The topmost paths in `folder`, or itself, that hold nothing of `named`."""
    holding = {parent for path in named for parent in path.parents}
    store = Path(os.environ.get("MIMIC_STORE") or "results/.store").resolve()

    def walk(path: Path) -> list[Path]:
        if path in named or path.resolve() == store:
            return []
        if path.is_symlink() or not path.is_dir():
            return [path]
        if (path / IDENTITIES).exists():
            # The root of another study.
            return []
        children = sorted(path.iterdir())
        below = [walk(child) for child in children]
        whole = all(found == [child] for found, child in zip(below, children, strict=True))
        if whole and path not in holding:
            return [path]
        return [found for some in below for found in some]

    return walk(folder) if folder.is_dir() and not folder.is_symlink() else []


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)
