"""The command `mimic crate`: a study as one zip that others can read and check."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mimic.provenance.audit import Audit, Misfit
from mimic.provenance.audit_command import REPORT
from mimic.provenance.crate import METADATA, crate_metadata
from mimic.provenance.crate_contents import Content, crate_contents
from mimic.provenance.store import the_store
from mimic.sizes import size_in_words

# Of each file in the zip: the earliest that a zip can hold, so that only contents count.
_DATE = (1980, 1, 1, 0, 0, 0)
_CHUNK = 1 << 20


def write_crate(
    place: Path, *, root: Path, settings: Path, title: str, authors: Sequence[str]
) -> bool:
    """Audit a study and write it as a crate.

    Parameters
    ----------
    place
        The zip to write.
    root
        The study's folder.
    settings
        Its settings file.
    title, authors
        Of its report.

    Returns
    -------
    bool
        Whether all fits. Nothing is written if not.

    Raises
    ------
    ValueError
        If the file exists or is no zip, there is no report yet, or a file names a private folder.
    """
    report = root / REPORT
    _check_place(place)
    if not report.is_file():
        raise ValueError(f"{report}: the study has no report yet; run snakemake")
    audit = Audit(root, the_store())
    try:
        audit.follow(report)
        contents = crate_contents(audit, report, settings=settings)
        metadata = crate_metadata(contents, title=title, authors=authors)
        text = json.dumps(metadata, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        copied = [content for content in contents.files.values() if content.withheld is None]
        _check_privacy([*copied, _metadata_content(text)])
        _write(place, [_metadata_content(text), *copied])
    except Misfit as misfit:
        print(f"does not fit: {misfit}")
        return False
    withheld = len(contents.files) - len(copied)
    print(
        f"{place}: {size_in_words(place.stat().st_size)}, {len(contents.work)} jobs, "
        f"{len(copied)} files; {withheld} more are described and not copied"
    )
    return True


def _check_place(place: Path) -> None:
    if place.suffix != ".zip":
        raise ValueError(f"{place}: a crate is a zip; give it a name that ends in .zip")
    if place.exists():
        raise ValueError(f"{place}: there is such a file already; remove it or name another")
    if not place.parent.is_dir():
        raise ValueError(f"{place.parent}: no such folder; make it first")


def _metadata_content(text: str) -> Content:
    data = text.encode()
    return Content(METADATA, hashlib.sha256(data).hexdigest(), len(data), data)


def _check_privacy(contents: Iterable[Content]) -> None:
    """A crate goes to others: nothing in it may name a folder of this user."""
    folders = {str(path) for path in (Path.home(), Path.cwd()) if len(path.parts) > 1}
    for content in contents:
        for folder in sorted(folders):
            if _holds(content, f"{folder}/".encode()):
                raise ValueError(
                    f"{content.name}: it names the folder {folder}, and a crate is passed on; "
                    "name files by their paths in the project, run snakemake, and try again"
                )


def _holds(content: Content, words: bytes) -> bool:
    if isinstance(content.source, bytes):
        return words in content.source
    if content.size == 0:
        return False
    with (
        content.source.open("rb") as handle,
        mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        return data.find(words) != -1


def _write(place: Path, contents: Iterable[Content]) -> None:
    """Write the zip beside its place and rename it; without compression, whose bytes may vary."""
    temporary = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for content in contents:
                info = zipfile.ZipInfo(content.name, _DATE)
                info.external_attr = 0o644 << 16
                info.file_size = content.size
                digest = hashlib.sha256()
                with archive.open(info, "w") as target:
                    for chunk in _chunks(content):
                        digest.update(chunk)
                        target.write(chunk)
                if digest.hexdigest() != content.sha256:
                    raise Misfit(f"{content.name}: it changed while the crate was written")
        temporary.rename(place)
    finally:
        temporary.unlink(missing_ok=True)


def _chunks(content: Content) -> Iterator[bytes]:
    if isinstance(content.source, bytes):
        yield content.source
        return
    with content.source.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            yield chunk
