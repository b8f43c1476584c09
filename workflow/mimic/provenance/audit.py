"""Following a result back to its sources, and checking every digest on the way.

An output's note names the store's entry that it is linked to. The entry's record names the job's
code, settings and environment, and its inputs by sha256; the note names the study's paths of these
inputs. What doesn't fit is named and ends the audit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mimic.files import canonical_json, read_json, sha256_file
from mimic.provenance.fingerprint import module_bytes
from mimic.provenance.notes import FOLDER, Note, all_notes, read_note
from mimic.provenance.records import (
    lasting_digest,
    read_record,
    recomputed_identity,
    seeds_in,
    utc,
)
from mimic.provenance.refusal import misfits
from mimic.provenance.store import MANIFEST, RECORD, Store

# Machines that share a store needn't have one clock.
CLOCKS_DIFFER = timedelta(hours=1)


class Misfit(ValueError):
    """Something that an audit found not to fit."""


@dataclass(frozen=True)
class Output:
    """An output of a study that was audited.

    Attributes
    ----------
    path
        In the project's folder.
    sha256
        Of its bytes.
    note, record
        Where it comes from.
    remarks
        What a reader should know, and what is no failure.
    """

    path: Path
    sha256: str
    note: Note
    record: Mapping[str, Any]
    remarks: tuple[str, ...]

    @property
    def inputs(self) -> list[tuple[str, Path]]:
        """Name and path of each input, in the order of the names."""
        return [(name, Path(p)) for name, paths in self.note.inputs.items() for p in paths]


@dataclass
class Audit:
    """What was audited so far.

    Attributes
    ----------
    root
        The study's folder.
    store
        The store that its outputs are linked to.
    outputs
        By path.
    sources
        sha256 of each source file that the outputs go back to, by path.
    """

    root: Path
    store: Store
    outputs: dict[Path, Output] = field(default_factory=dict)
    sources: dict[Path, str] = field(default_factory=dict)
    _digests: dict[tuple[int, int, int, int], str] = field(default_factory=dict)
    _entries: set[str] = field(default_factory=set)
    _records: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def follow(self, path: Path) -> Output:
        """Audit an output and all that it goes back to.

        Raises
        ------
        Misfit
            Naming the first thing that doesn't fit.
        """
        waiting = [path]
        while waiting:
            output = waiting.pop()
            if output in self.outputs:
                continue
            self.outputs[output] = found = self._check(output)
            for _, source in reversed(found.inputs):
                if source.is_relative_to(self.root):
                    waiting.append(source)
                else:
                    self.sources[source] = self._sha256(source)
        return self.outputs[path]

    def follow_all(self, paths: Iterable[Path]) -> None:
        """Audit several outputs. Raises `Misfit`."""
        for path in sorted(paths):
            self.follow(path)

    def behind(self, path: Path) -> list[Path]:
        """An audited output and the outputs that it goes back to, sorted."""
        found: set[Path] = set()
        waiting = [path]
        while waiting:
            output = waiting.pop()
            if output not in found and output in self.outputs:
                found.add(output)
                waiting.extend(source for _, source in self.outputs[output].inputs)
        return sorted(found)

    def _check(self, path: Path) -> Output:
        note = self._note(path)
        if note is None:
            there = "no note says where it comes from" if path.is_file() else "no such file"
            raise Misfit(f"{path}: {there}; run snakemake")
        record = self._record(path, note)
        identity = record["identity"]
        sha256 = self._sha256(path)
        if identity["outputs"].get(path.name) != sha256:
            raise Misfit(f"{path}: its bytes are not those that were recorded ({note.identity})")
        if path.name == MANIFEST:
            self._check_folder(path)
        self._check_inputs(path, note, identity)
        return Output(path, sha256, note, record, tuple(self._remarks(note, record)))

    def _note(self, path: Path) -> Note | None:
        try:
            return read_note(self.root, path)
        except ValueError as error:
            raise Misfit(str(error)) from None

    def _record(self, path: Path, note: Note) -> Mapping[str, Any]:
        place = self.store.entry(note.identity) / RECORD
        record = self._read(path, note.identity)
        identity = record["identity"]
        ended = record["circumstances"]["ended"]
        if ended > utc(datetime.now(UTC) + CLOCKS_DIFFER):
            raise Misfit(
                f"{path}: {place} says that it was made at {ended}, which is still to come"
            )
        if not _is_linked(note, record):
            self._check_made_again(path, place, note, record)
        if identity["seeds"] != seeds_in(identity["settings"]):
            raise Misfit(f"{path}: {place}: its seeds are not those of its settings")
        if recomputed_identity(identity) != note.identity:
            raise Misfit(f"{path}: {place}: its contents don't give the identity {note.identity}")
        environment = identity["environment"]
        digest = hashlib.sha256(canonical_json(environment["versions"]).encode()).hexdigest()
        if not digest.startswith(environment["digest"]):
            raise Misfit(f"{path}: {place}: its versions don't give its environment's digest")
        if note.identity not in self._entries:
            entry = self.store.entry(note.identity)
            try:
                wrong = misfits(self.store, note.identity, digest=self._sha256)
            except OSError as error:
                raise Misfit(f"{path}: {entry}: can't be read ({error.strerror})") from None
            if wrong:
                raise Misfit(f"{path}: {entry}: {'; '.join(wrong)}")
            self._entries.add(note.identity)
        return record

    def _check_made_again(
        self, path: Path, place: Path, note: Note, record: Mapping[str, Any]
    ) -> None:
        """Check that a record differs only as the record of the same, made again, may."""
        identity = record["identity"]
        words = f"{path}: {place} is not the record that it was linked with"
        if record["circumstances"]["ended"] <= note.linked:
            raise Misfit(words)
        if record["sha256"]["identity"] == note.record:
            return
        runs = {other.run for _, other in all_notes(self.root) if other.identity == note.identity}
        if lasting_digest(identity) != note.lasting or identity["run"] not in runs:
            raise Misfit(
                f"{words}, nor one of the same made again. If you trust what the store has, remove "
                f"{path} and run snakemake, which links it anew"
            )

    def _read(self, path: Path, identity: str) -> Mapping[str, Any]:
        if identity not in self._records:
            try:
                self._records[identity] = read_record(self.store.entry(identity) / RECORD)
            except ValueError as error:
                raise Misfit(f"{path}: {error}") from None
        return self._records[identity]

    def _check_folder(self, manifest: Path) -> None:
        folder, named = manifest.parent, read_json(manifest)
        for name, contents in named.items():
            if self._sha256(folder / name) != contents["sha256"]:
                raise Misfit(f"{folder / name}: its bytes are not those of its manifest")
        there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        if more := sorted(there - {*named, MANIFEST}):
            raise Misfit(f"{folder / more[0]}: its manifest doesn't name it")

    def _check_inputs(self, path: Path, note: Note, identity: Mapping[str, Any]) -> None:
        if note.inputs.keys() != identity["inputs"].keys():
            raise Misfit(f"{path}: its note and its record name different inputs")
        for name, paths in note.inputs.items():
            digests = identity["inputs"][name]
            if len(digests) != len(paths):
                raise Misfit(f"{path}: its note and its record differ in the input {name}")
            for source, digest in zip(paths, digests, strict=True):
                if self._sha256(Path(source)) != digest:
                    raise Misfit(
                        f"{source}: its bytes are not those that {path} was made from "
                        f"(input {name})"
                    )

    def _remarks(self, note: Note, record: Mapping[str, Any]) -> Iterable[str]:
        if note.hit:
            yield "a hit: it was made before and linked from the store"
        if not _is_linked(note, record):
            yield "made again since it was linked, with the same bytes"
        started = record["circumstances"]["started"]
        for paths in note.inputs.values():
            for source in map(Path, paths):
                maker = self._note(source) if source.is_relative_to(self.root) else None
                if maker is None:
                    continue
                if self._read(source, maker.identity)["circumstances"]["ended"] > started:
                    yield f"{source} was made again since, with the same bytes"
        changed = [
            name
            for name, module in record["identity"]["code"].items()
            if module_bytes(name) != module["sha256"]
        ]
        if changed:
            yield f"edited since: {', '.join(changed)}"

    def _sha256(self, path: Path) -> str:
        try:
            status = path.stat()
            key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if key not in self._digests:
                self._digests[key] = sha256_file(path)
            return self._digests[key]
        except OSError as error:
            raise Misfit(f"{path}: can't be read ({error.strerror})") from None


def _is_linked(note: Note, record: Mapping[str, Any]) -> bool:
    """Whether a record is the very one that an output was linked with."""
    digests = record["sha256"]
    known = (None, digests["circumstances"])
    return bool(digests["identity"] == note.record) and note.circumstances in known


def study_of(path: Path) -> Path:
    """The folder of the study that an output belongs to.

    Raises
    ------
    ValueError
        If no folder above it holds results of a study.
    """
    for folder in path.parents:
        if (folder / FOLDER).is_dir():
            return folder
    raise ValueError(
        f"{path}: no study has this result; name a file below results, such as "
        "results/metrics/study.json"
    )


def root_digest(audit: Audit, paths: Iterable[Path]) -> tuple[str, list[str]]:
    """One digest over the identity parts of the records of outputs.

    Returns
    -------
    digest
        sha256 of the lines.
    lines
        sha256 of the identity part and path below the study's folder, of each output, sorted.
    """
    lines = [
        f"{audit.outputs[path].record['sha256']['identity']}  "
        f"{path.relative_to(audit.root).as_posix()}"
        for path in sorted(paths)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest(), lines
