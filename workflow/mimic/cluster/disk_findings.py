"""What `mimic doctor` finds of disks: free space, free files, quotas."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from mimic.cluster.finding import MISSING, OK, UNCHECKED, Finding
from mimic.sizes import size_in_words

# Adapters, checkpoints, texts and answers of a study, beside its models' weights: a guess.
SPARE_BYTES = 20 * 10**9
# The environment has about 60,000 files; a study's results have thousands.
FILES = 100_000
QUOTA_S = 60
NO_LIMIT = math.inf


def disk_findings(needs: Mapping[Path, tuple[str, int]]) -> Iterator[Finding]:
    """Whether there is room.

    Parameters
    ----------
    needs
        For each folder, made or to be made, what it is called and the bytes that it will take.
    """
    together: dict[int, tuple[Path, list[str], int]] = {}
    for folder, (name, size) in needs.items():
        there = existing(folder)
        path, names, total = together.setdefault(there.stat().st_dev, (there, [], SPARE_BYTES))
        together[there.stat().st_dev] = (path, [*names, name], total + size)
    for path, names, size in together.values():
        yield _room(path, " and ".join(names), size)
        yield from _quotas(path, " and ".join(names), size)


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    folder = folder.expanduser().absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _room(path: Path, names: str, size: int) -> Finding:
    free = shutil.disk_usage(path).free
    status = os.statvfs(path)
    # A file system that makes room for files as they come counts none.
    files = status.f_favail if status.f_files else NO_LIMIT
    return _compared(f"room for {names}", path, size, free, files, "free")


def _quotas(path: Path, names: str, size: int) -> Iterator[Finding]:
    """What is left of each quota that holds for the folder."""
    what = f"quota of {names}"
    if shutil.which("lfs") is None:
        found = "there is no lfs here, which tells the quotas of Lustre"
        yield Finding(what=what, state=UNCHECKED, found=found, mend="`myquota` on MeluXina")
        return
    told = False
    for of, options in _owners(path):
        try:
            left = _left(_lfs("quota", "-q", *options, str(path)))
        except ValueError as error:
            yield Finding(what=f"{what} ({of})", state=UNCHECKED, found=str(error))
            told = True
            continue
        if left != (NO_LIMIT, NO_LIMIT):
            yield _compared(f"{what} ({of})", path, size, *left, "left")
            told = True
    if not told:
        yield Finding(what=what, state=OK, found=f"none for {path}")


def _owners(path: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Whose quotas hold for a folder: the user's, its group's, its project's."""
    yield "user", ("-u", str(os.getuid()))
    yield "group", ("-g", str(path.stat().st_gid))
    try:
        words = _lfs("project", "-d", str(path)).split()
    except ValueError:
        return
    if words and words[0].isdigit() and words[0] != "0":
        yield "project", ("-p", words[0])


def _left(answer: str) -> tuple[float, float]:
    """Bytes and files that are left, of what ``lfs quota -q`` prints.

    The file system, then for kB and for files: used, quota, limit, time of grace. What is over its
    quota has a star; a limit of 0 is none.

    Raises
    ------
    ValueError
        If it prints something else.
    """
    numbers = [word.strip("*[]") for word in answer.split()[1:9]]
    counted = [numbers[place] for place in (0, 1, 2, 4, 5, 6)] if len(numbers) == 8 else []
    if not counted or not all(re.fullmatch(r"\d+", number) for number in counted):
        raise ValueError(f"`lfs quota` said {answer.strip()!r}")
    kilobytes, soft_kb, hard_kb, files, soft_files, hard_files = map(int, counted)
    return (
        1024 * (_limit(soft_kb, hard_kb) - kilobytes),
        _limit(soft_files, hard_files) - files,
    )


def _limit(soft: int, hard: int) -> float:
    return min((limit for limit in (soft, hard) if limit), default=NO_LIMIT)


def _compared(what: str, path: Path, size: int, free: float, files: float, where: str) -> Finding:
    """Whether bytes and files suffice."""
    there = []
    if free < NO_LIMIT:
        there.append(f"{size_in_words(max(0, int(free)))} {where}, {size_in_words(size)} wanted")
    if files < NO_LIMIT:
        there.append(f"{max(0, int(files)):,} files {where}, {FILES:,} wanted")
    found = f"{path}: {'; '.join(there)}"
    if free >= size and files >= FILES:
        return Finding(what=what, state=OK, found=found)
    mend = (
        "`mimic store --remove-unused DAYS` removes results that no study needs; MIMIC_STORE and "
        "HF_HOME can name folders elsewhere"
    )
    return Finding(what=what, state=MISSING, found=found, mend=mend)


def _lfs(*words: str) -> str:
    try:
        done = subprocess.run(
            ["lfs", *words], capture_output=True, text=True, timeout=QUOTA_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        raise ValueError(f"`lfs {' '.join(words)}` failed: {said}") from None
    return done.stdout
