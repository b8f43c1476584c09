"""The command `mimic store`: what takes how much, who uses it, and removing what nobody needs."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.table import Table

from mimic.provenance.contents import contents, needed_by, remove, unneeded
from mimic.provenance.store import the_store
from mimic.provenance.uses import forget_use, read_uses
from mimic.sizes import agreed, size_in_words


def show_store() -> None:
    """List what the store holds, the largest first, and the studies that use it.

    Raises
    ------
    ValueError
        If there is no store yet.
    """
    store = the_store()
    if not store.root.is_dir():
        raise ValueError(f"{store.root}: no store yet; snakemake makes it")
    found, now = contents(store), time.time()
    table = Table("size", "what", "identity", "unused", "needed by", box=None)
    for content in found:
        users = ", ".join(map(str, content.users)) or ("a running job" if content.held else "–")
        table.add_row(
            size_in_words(content.size),
            content.what,
            content.path.name[:12],
            f"{content.days_unused(now):.0f} days",
            users,
        )
    # Wider than any line: a terminal wraps by itself, and a file keeps whole lines.
    console = Console(width=1000, highlight=False)
    console.print(table)
    console.print(
        f"{size_in_words(sum(content.size for content in found))} in {store.root}; "
        "what a study has linked takes its room once"
    )
    for use in read_uses(store.root / "studies"):
        console.print(f"used by {use.root} ({use.user} on {use.host})")


def remove_unneeded(*, days: float, yes: bool) -> None:
    """Remove what no study needs, no job holds, and nobody has used for so many days.

    Removes after a question, or at once with `yes`; without a terminal to ask in and without `yes`
    it only lists.
    """
    store = the_store()
    going = unneeded(contents(store), days=days)
    if not going:
        print(f"nothing in {store.root} is unneeded and unused for {days:g} days")
        return
    for content in going:
        print(f"{size_in_words(content.size):>10}  {content.what}  {content.path.name}")
    print(f"{size_in_words(sum(content.size for content in going)):>10}  together")
    if not yes and not (sys.stdin.isatty() and agreed()):
        print("nothing was removed" + ("" if sys.stdin.isatty() else "; --yes removes"))
        return
    held = [content for content in going if not remove(store, content)]
    for content in held:
        print(f"left, a job holds it now: {content.what}  {content.path.name}")
    for use in read_uses(store.root / "studies"):
        if not use.root.exists() and not needed_by(use):
            forget_use(store.root / "studies", use.root)
    print("removed")
