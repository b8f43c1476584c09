"""What a crate tells of: the files behind a report, and the jobs that made them.

Some files are described by name, size and sha256, and are not copied: base models, which have a
place of their own to be had from, and texts of a corpus that nobody here may pass on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from mimic.files import canonical_json, read_json, sha256_file
from mimic.provenance.audit import Audit, Output
from mimic.provenance.records import ORIGINAL, ORIGINS
from mimic.provenance.store import MANIFEST

SNAKEFILE = Path("Snakefile")
RULES = Path("workflow/rules")
LICENSE = Path("LICENSE")
# Their files hold essays, or what was written after them.
TEXT_STAGES = ("essays", "pairs", "writing")
OF_A_MODEL = "Not in this crate: a file of a base model; the model's origin says where it is from."
OF_A_CORPUS = "Not in this crate: it holds texts of a corpus that may not be passed on."
ELSEWHERE = "Not in this crate: a file from outside of the project."


@dataclass(frozen=True)
class Content:
    """A file that a crate describes.

    Attributes
    ----------
    name
        Its path in the crate, which is that in the project.
    sha256, size
        Of its bytes; the size in bytes.
    source
        Where the bytes are, or the bytes.
    withheld
        Why it is not copied, in words; None if it is.
    """

    name: str
    sha256: str
    size: int
    source: Path | bytes
    withheld: str | None = None


@dataclass(frozen=True)
class Origin:
    """A model or a corpus that came from outside.

    Attributes
    ----------
    kind
        models or corpora.
    settings
        What the study says of it: of a model the licence and the title, too.
    source
        Where it is from.
    sha256
        Of its files, as far as they were files of the project.
    """

    kind: str
    settings: Mapping[str, Any]
    source: Mapping[str, Any]
    sha256: tuple[str, ...]


@dataclass(frozen=True)
class Work:
    """A job behind the report, with the names of the contents that it read and made."""

    identity: str
    rule: str
    run: str | None
    record: Mapping[str, Any]
    objects: tuple[str, ...]
    results: tuple[str, ...]
    origin: Origin | None

    @property
    def record_name(self) -> str:
        """Where the identity part of its record lies in the crate."""
        return f"records/{self.identity}.json"


@dataclass(frozen=True)
class Contents:
    """All that a crate tells of.

    Attributes
    ----------
    files
        By name, sorted.
    work
        The jobs, each after those that made its inputs.
    report
        The identity of the job that made the report.
    settings, workflow
        Names of the settings file, and of the Snakefile, the rules and the licence.
    sources
        Names of the source files that the jobs read.
    """

    files: Mapping[str, Content]
    work: tuple[Work, ...]
    report: str
    settings: str
    workflow: tuple[str, ...]
    sources: tuple[str, ...]


def crate_contents(audit: Audit, report: Path, *, settings: Path) -> Contents:
    """Collect what a crate tells of.

    Parameters
    ----------
    audit
        Of the whole study.
    report
        The report's manifest.
    settings
        The study's settings file.
    """
    outputs = [audit.outputs[path] for path in audit.behind(report)]
    origins = {output.note.identity: _origin(output.record["identity"]) for output in outputs}
    composed = _is_composed(origins.values())
    files: dict[str, Content] = {}
    made: dict[Path, tuple[str, ...]] = {}
    for output in outputs:
        reason = _reason(output, origins[output.note.identity], composed=composed)
        found = list(_output_files(output, reason))
        files |= {content.name: content for content in found}
        made[output.path] = tuple(content.name for content in found)
    sources: dict[Path, Content] = {}
    for output in outputs:
        origin = origins[output.note.identity]
        is_corpus = origin is not None and origin.kind == "corpora" and not composed
        for name, path in output.inputs:
            of_a_corpus = is_corpus and name == ORIGINAL
            if path not in audit.outputs and (of_a_corpus or path not in sources):
                sources[path] = _source(path, audit.sources[path], of_a_corpus=of_a_corpus)
    work = tuple(_in_order(_work(outputs, origins=origins, made=made, sources=sources)))
    workflow = [SNAKEFILE, *sorted(RULES.glob("*.smk")), *([LICENSE] if LICENSE.is_file() else [])]
    own_settings = settings_content(settings)
    own = [
        *sources.values(),
        *(_content(path.as_posix(), path) for path in workflow),
        own_settings,
        *(_content(job.record_name, identity_bytes(job.record)) for job in work),
    ]
    files |= {content.name: content for content in own}
    return Contents(
        files=dict(sorted(files.items())),
        work=work,
        report=audit.outputs[report].note.identity,
        settings=own_settings.name,
        workflow=tuple(path.as_posix() for path in workflow),
        sources=tuple(sorted(content.name for content in sources.values())),
    )


def identity_bytes(record: Mapping[str, Any]) -> bytes:
    """The identity part of a record as its digest was taken; their sha256 is that digest."""
    return canonical_json(record["identity"]).encode()


def settings_content(path: Path) -> Content:
    """A settings file for a crate: of an absolute path in it only the file's name is left."""
    text = path.read_text(encoding="utf-8")
    for value in _texts(yaml.safe_load(text)):
        if value.startswith(("/", "~/")) and (name := Path(value).name):
            text = re.sub(rf"(?<![\w./~-]){re.escape(value)}(?![\w./-])", lambda _: name, text)
    here = Path.cwd()
    inside = Path(here, path).is_relative_to(here) and ".." not in path.parts
    place = Path(here, path).relative_to(here) if inside else Path("config", path.name)
    return _content(place.as_posix(), text.encode())


def _texts(values: Any) -> Iterator[str]:
    if isinstance(values, str):
        yield values
    elif isinstance(values, Mapping):
        for value in values.values():
            yield from _texts(value)
    elif isinstance(values, list):
        for value in values:
            yield from _texts(value)


def _origin(identity: Mapping[str, Any]) -> Origin | None:
    if identity["step"] not in ORIGINS:
        return None
    kind, keys = ORIGINS[identity["step"]]
    source = identity["settings"]
    for key in keys:
        source = source.get(key, {})
    files = tuple(identity["sources"].get(ORIGINAL, ()))
    return Origin(kind, identity["settings"].get(keys[0], {}), source, files)


def _is_composed(origins: Iterable[Origin | None]) -> bool:
    """Whether all essays are those that come with the project; unknown ones aren't."""
    corpora = [origin for origin in origins if origin is not None and origin.kind == "corpora"]
    return bool(corpora) and all(origin.source.get("kind") == "embedded" for origin in corpora)


def _reason(output: Output, origin: Origin | None, *, composed: bool) -> str | None:
    if origin is not None and origin.kind == "models":
        return OF_A_MODEL
    stage = str(output.record["identity"]["step"]).split(".")[0]
    return OF_A_CORPUS if stage in TEXT_STAGES and not composed else None


def _output_files(output: Output, withheld: str | None) -> Iterator[Content]:
    path = output.path
    named = read_json(path) if path.name == MANIFEST else {}
    digests = {path.parent / name: str(entry["sha256"]) for name, entry in named.items()}
    for place, digest in sorted({**digests, path: output.sha256}.items()):
        yield Content(place.as_posix(), digest, place.stat().st_size, place, withheld)


def _source(path: Path, digest: str, *, of_a_corpus: bool) -> Content:
    inside = not path.is_absolute() and ".." not in path.parts
    # Two files from elsewhere may have the same name.
    name = path.as_posix() if inside else f"elsewhere/{digest[:12]}/{path.name}"
    withheld = OF_A_CORPUS if of_a_corpus else None if inside else ELSEWHERE
    return Content(name, digest, path.stat().st_size, path, withheld)


def _content(name: str, source: Path | bytes) -> Content:
    if isinstance(source, bytes):
        return Content(name, hashlib.sha256(source).hexdigest(), len(source), source)
    return Content(name, sha256_file(source), source.stat().st_size, source)


def _work(
    outputs: Iterable[Output],
    *,
    origins: Mapping[str, Origin | None],
    made: Mapping[Path, tuple[str, ...]],
    sources: Mapping[Path, Content],
) -> list[Work]:
    by_identity: dict[str, list[Output]] = {}
    for output in outputs:
        by_identity.setdefault(output.note.identity, []).append(output)
    return [
        Work(
            identity=identity,
            # Notes say these too, and no digest vouches for it.
            rule=some[0].record["identity"]["rule"],
            run=some[0].record["identity"]["run"],
            record=some[0].record,
            objects=tuple(
                sorted(
                    {
                        sources[path].name if path in sources else path.as_posix()
                        for output in some
                        for _, path in output.inputs
                    }
                )
            ),
            results=tuple(sorted({name for output in some for name in made[output.path]})),
            origin=origins[identity],
        )
        for identity, some in sorted(by_identity.items())
    ]


def _in_order(work: list[Work]) -> Iterator[Work]:
    """Each job after those that made its inputs."""
    by_identity = {job.identity: job for job in work}
    maker = {name: job.identity for job in work for name in job.results}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for job in work:
        sorter.add(job.identity, *sorted({maker[name] for name in job.objects if name in maker}))
    yield from (by_identity[identity] for identity in sorter.static_order())
