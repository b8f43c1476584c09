"""The command `mimic store`: what takes how much, who uses it, and removing what nobody needs."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mimic.provenance.contents import Content, contents, is_gone, remove, unneeded
from mimic.provenance.notes import FOLDER
from mimic.provenance.store import Store, the_store
from mimic.provenance.uses import forget_use, read_uses
from mimic.sizes import agreed, size_in_words


def show_store() -> None:
    """List what the store holds, the largest first, and the studies that use it.

    Raises
    ------
    ValueError
        If there is no store yet, or part of it can't be looked at.
    """
    store = the_store()
    if not store.root.is_dir():
        raise ValueError(f"{store.root}: no store yet; snakemake makes it")
    found, now = _contents(store), time.time()
    table = Table("size", "what", "identity", "unused", "needed by", box=None)
    for content in found:
        users = ", ".join(map(str, content.users))
        others = "in use" if content.held else "links to it" if content.linked else "–"
        table.add_row(
            size_in_words(content.size),
            content.what,
            content.path.name[:12],
            f"{content.days_unused(now):.0f} days",
            users or others,
        )
    # Wider than any line: a terminal wraps by itself, and a file keeps whole lines.
    console = Console(width=1000, highlight=False)
    console.print(table)
    console.print(
        f"{size_in_words(sum(content.size for content in found))} in {store.root}; "
        "what a study has linked takes its room once"
    )
    for use in read_uses(store.root / "studies"):
        if use.wrong:
            console.print(
                f"used by a study that nobody knows the place of, so all that it used is kept: "
                f"{use.wrong}. Its next snakemake mends that; if it is gone, remove {use.root}"
            )
        else:
            console.print(f"used by {use.root} ({use.user} on {use.host})")


def remove_unneeded(*, days: float, yes: bool) -> None:
    """Remove what no study needs, no job holds, and nobody has used for so many days.

    Removes after a question, or at once with `yes`; without a terminal to ask in and without `yes`
    it only lists. What can't be removed, such as another person's files, is named and left.

    Raises
    ------
    ValueError
        If part of the store can't be looked at.
    """
    store = the_store()
    going = unneeded(_contents(store), days=days)
    if not going:
        print(f"nothing in {store.root} is unneeded and unused for {days:g} days")
        return
    for content in going:
        print(f"{size_in_words(content.size):>10}  {content.what}  {content.path.name}")
    print(f"{size_in_words(sum(content.size for content in going)):>10}  together")
    if not yes and not (sys.stdin.isatty() and agreed()):
        print("nothing was removed" + ("" if sys.stdin.isatty() else "; --yes removes"))
        return
    removed = [content for content in going if _is_removed(store, content)]
    for use in read_uses(store.root / "studies"):
        with contextlib.suppress(OSError):
            if is_gone(use):
                forget_use(store.root / "studies", use.root)
    print("removed" if removed else "nothing was removed")


def _contents(store: Store) -> list[Content]:
    try:
        return contents(store)
    except OSError as error:
        place = error.filename or store.root
        raise ValueError(f"{place}: can't be looked at ({error.strerror})") from None


def _is_removed(store: Store, content: Content) -> bool:
    """Remove something, or say why not."""
    try:
        if remove(store, content):
            return True
        why = "left, it is used now"
    except OSError as error:
        why = f"can't be removed ({error})"
    print(f"{why}: {content.what}  {content.path.name}")
    return False


def forget_study(place: Path) -> None:
    """Forget a study of which nothing is left where one could look, so that it needs nothing.

    Parameters
    ----------
    place
        The folder of its results, as `mimic store` names it.

    Raises
    ------
    ValueError
        If no study has used the store from there, or its results are at hand.
    """
    studies = the_store().root / "studies"
    known = {str(use.root) for use in read_uses(studies) if not use.wrong}
    if str(place) not in known:
        raise ValueError(
            f"{place}: no study has used this store from there; those that have: "
            f"{', '.join(known) or 'none'}"
        )
    if os.path.isdir(place / FOLDER):
        raise ValueError(f"{place}: its results are there; remove them first")
    try:
        forget_use(studies, place)
    except OSError as error:
        raise ValueError(f"{place}: can't be forgotten ({error})") from None
    print(f"forgot {place}; what it alone needed goes with --remove-unused")
