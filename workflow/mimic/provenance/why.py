"""Why jobs would run: what differs from the records of what is there, and what the store has.

Snakemake schedules all that lies below a change. Many of these jobs end as hits, because what they
depend on comes out with the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from mimic.files import sha256_file
from mimic.provenance.call import Call
from mimic.provenance.environment import group_versions
from mimic.provenance.notes import maker_of, read_note
from mimic.provenance.records import read_record, spec_of
from mimic.provenance.refusal import refusal
from mimic.provenance.store import RECORD, Store, identity_of


class Fate(Enum):
    """What a scheduled job will come to."""

    RUNS = "runs"
    HIT = "is a hit"
    MAY_BE_HIT = "may be a hit"


@dataclass(frozen=True)
class Reason:
    """Something that makes a job run.

    Attributes
    ----------
    kind
        code, settings, environment, source, input, missing, store or unknown.
    name
        The module, key, distribution, file or input.
    change
        Old and new value in words; empty where there are none.
    """

    kind: str
    name: str
    change: str = ""


@dataclass(frozen=True)
class Explained:
    """A scheduled job, what it will come to, and why it is scheduled."""

    call: Call
    fate: Fate
    reasons: tuple[Reason, ...]
    # Inputs that other jobs make first, and whose bytes nobody knows yet.
    waits_for: tuple[Path, ...] = ()


@dataclass
class _Known:
    """sha256 of the files that jobs read, as far as they can be known before the run."""

    made_by_jobs: set[Path]
    digests: dict[Path, str | None] = field(default_factory=dict)

    def of(self, path: Path) -> str | None:
        if path not in self.digests:
            there = path.is_file() and path not in self.made_by_jobs
            self.digests[path] = sha256_file(path) if there else None
        return self.digests[path]


def explain(calls: Iterable[Call], store: Store) -> list[Explained]:
    """Explain scheduled jobs, those first that others wait for.

    Parameters
    ----------
    calls
        The jobs that Snakemake would start, in any order.
    store
        The store that they would look into.
    """
    ordered = _in_order(list(calls))
    known = _Known({path for call in ordered for path in call.outputs})
    return [_explain(call, store, known) for call in ordered]


def _explain(call: Call, store: Store, known: _Known) -> Explained:
    found = {name: [known.of(path) for path in paths] for name, paths in call.inputs.items()}
    waits_for = tuple(
        path for paths in call.inputs.values() for path in paths if known.of(path) is None
    )
    fate = Fate.MAY_BE_HIT
    reasons = list(_reasons(call, store, found))
    if not waits_for:
        inputs = {name: [d for d in digests if d is not None] for name, digests in found.items()}
        identity = identity_of(spec=call.spec, inputs=inputs)
        fate = Fate.RUNS
        if store.has_folder(identity):
            wrong = _wrong_entry(store, identity)
            if wrong:
                reasons.append(Reason("store", str(store.entry(identity)), wrong))
            else:
                fate = Fate.HIT
                outputs = read_record(store.entry(identity) / RECORD)["identity"]["outputs"]
                known.digests |= {path: outputs.get(path.name) for path in call.outputs}
    return Explained(call, fate, tuple(reasons), waits_for)


def _wrong_entry(store: Store, identity: str) -> str:
    """What is wrong with an entry, so that it is no hit; empty if all is well."""
    try:
        wrong = refusal(store, identity)
    except OSError as error:
        return f"can't be read now ({error})"
    return f"is refused: {'; '.join(wrong)}" if wrong else ""


def _reasons(call: Call, store: Store, found: Mapping[str, list[str | None]]) -> Iterator[Reason]:
    missing = [path for path in call.outputs if not path.is_file()]
    record, told = None, False
    try:
        notes = [note for path in call.outputs if (note := read_note(call.root, path)) is not None]
        record = maker_of(store, notes[0]) if notes else None
    except ValueError as error:
        told = True
        yield Reason("unknown", str(call.outputs[0]), str(error))
    for path in missing:
        yield Reason("missing", str(path))
    if record is None:
        if not told and not missing:
            yield Reason("unknown", str(call.outputs[0]), "no note says where it comes from")
        return
    then, now = spec_of(record["identity"]), call.spec
    if then["step"] != now["step"]:
        yield Reason("code", "step", f"{then['step']} → {now['step']}")
    yield from _differences("code", then["code"], now["code"], values=False)
    yield from _differences("settings", dict(_flat(then["settings"])), dict(_flat(now["settings"])))
    if then["environment"] != now["environment"]:
        (group,) = now["environment"]
        versions = record["identity"]["environment"]["versions"]
        yield from _differences("environment", versions, group_versions(group))
    for name in sorted({*then["sources"], *now["sources"]}):
        if then["sources"].get(name) != now["sources"].get(name):
            paths = ", ".join(map(str, call.inputs.get(name, []))) or name
            yield Reason("source", paths, "other bytes")
    yield from _input_reasons(call, record["identity"]["inputs"], found)


def _input_reasons(
    call: Call, then: Mapping[str, list[str]], found: Mapping[str, list[str | None]]
) -> Iterator[Reason]:
    for name, paths in call.inputs.items():
        if name in call.spec["sources"]:
            continue
        former = then.get(name, [])
        if len(former) != len(paths):
            yield Reason("input", name, f"{len(former)} files → {len(paths)}")
            continue
        for path, digest, before in zip(paths, found[name], former, strict=True):
            if digest is None:
                yield Reason("input", str(path), "is made first")
            elif digest != before:
                yield Reason("input", str(path), "other bytes")
    for name in then.keys() - call.inputs.keys():
        yield Reason("input", name, "no input any more")


def _differences(
    kind: str, then: Mapping[str, Any], now: Mapping[str, Any], *, values: bool = True
) -> Iterator[Reason]:
    for name in sorted({*then, *now}):
        if name not in now:
            yield Reason(kind, name, f"was {then[name]!r}, is gone" if values else "is gone")
        elif name not in then:
            yield Reason(kind, name, f"is new, {now[name]!r}" if values else "is new")
        elif then[name] != now[name]:
            yield Reason(kind, name, f"{then[name]!r} → {now[name]!r}" if values else "was edited")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _in_order(calls: list[Call]) -> list[Call]:
    """The jobs, each after those that make its inputs; otherwise in the order given."""
    maker = {path: number for number, call in enumerate(calls) for path in call.outputs}
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for number, call in enumerate(calls):
        needed = {maker[p] for paths in call.inputs.values() for p in paths if p in maker}
        sorter.add(number, *sorted(needed))
    return [calls[number] for number in sorter.static_order()]
