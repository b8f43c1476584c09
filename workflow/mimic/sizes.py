"""What commands that remove things share: sizes in words, and a question."""

from __future__ import annotations

from pathlib import Path


def bytes_below(path: Path) -> int:
    """The bytes of a file, or of all files below a folder; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(bytes_below(child) for child in path.iterdir())


def size_in_words(size: int) -> str:
    """A size in decimal units."""
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= least:
            return f"{size / least:.1f} {unit}"
    return f"{size} B"


def agreed() -> bool:
    """Whether whoever sits at the terminal says yes to removing."""
    try:
        return input("Remove them? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
