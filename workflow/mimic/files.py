"""Reading and writing the files that travel between steps; the same values give the same bytes."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def sha256_file(path: Path) -> str:
    """The sha256 of a file's contents, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal strings.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    ValueError
        If it is no JSON; the message names the file.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not valid JSON ({error})") from None


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with sorted keys. Raises ValueError if a number is not finite."""
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_digests(path: Path, files: Iterable[Path]) -> None:
    """Write the sha256 of files as ``sha256sum`` does, for rules to depend on in their place.

    Snakemake goes by the modification time alone of a file of more than 1 MB.
    """
    lines = [f"{sha256_file(file)}  {file.name}\n" for file in files]
    path.write_text("".join(lines), encoding="utf-8")


def make_shared_folder(folder: Path) -> None:
    """Make a folder with the rights of the one that it lies in.

    So whoever may write to a store that several people share may write below it as well.

    Raises
    ------
    OSError
        If it can't be made, or a file stands in the way.
    """
    if folder.is_dir():
        return
    make_shared_folder(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        # Another process was faster, or a file stands in the way.
        if not folder.is_dir():
            raise
        return
    folder.chmod(stat.S_IMODE(folder.parent.stat().st_mode))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Read a file with one JSON object on each line."""
    with path.open(encoding="utf-8") as handle:
        return [json.loads(line) for line in handle]


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object on each line."""
    with path.open("w", encoding="utf-8") as handle:
        for row in rows:
            handle.write(canonical_json(row) + "\n")
