"""The command `mimic audit`: the chain of a result as a tree, or that of a whole study."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from mimic.provenance.audit import Audit, Misfit, Output, root_digest, study_of
from mimic.provenance.store import the_store

# Beside the report and outside of every rule.
ROOT_DIGEST = "audit.txt"
REPORT = Path("report", "manifest.json")
DIGITS = 12


def show_audit(path: Path, *, as_json: bool) -> bool:
    """Audit one output and print its chain back to the sources.

    Returns
    -------
    bool
        Whether all fits.

    Raises
    ------
    ValueError
        If the file is there and is no output of a study.
    """
    output = _in_project(path)
    try:
        root = study_of(output)
    except ValueError:
        if output.is_file():
            raise
        # Whatever study it was of is gone as well.
        root = output.parent
    audit = Audit(root, the_store())
    misfit = _misfit(lambda: audit.follow(output))
    if as_json:
        print(json.dumps(_plain(audit, misfit), indent=1, sort_keys=True, ensure_ascii=False))
    elif misfit is None:
        # Wider than any line: a terminal wraps by itself, and a file keeps whole lines.
        Console(width=1000, highlight=False).print(_tree(audit, output))
        print(_summary(audit))
    return _told(misfit, as_json=as_json)


def show_whole_audit(root: Path, outputs: Iterable[Path], *, as_json: bool) -> bool:
    """Audit all outputs of a study, print the root digest and write it beside the report.

    Parameters
    ----------
    root
        The study's folder.
    outputs
        The output files of its jobs; what lies there of former settings is left out.

    Returns
    -------
    bool
        Whether all fits. Nothing is written if not.

    """
    report = root / REPORT
    audit = Audit(root, the_store())

    def follow() -> None:
        if not report.is_file():
            raise Misfit(f"{report}: the study has no report yet; run snakemake")
        audit.follow_all(outputs)

    misfit = _misfit(follow)
    if misfit is not None:
        if as_json:
            print(json.dumps(_plain(audit, misfit), indent=1, sort_keys=True, ensure_ascii=False))
        return _told(misfit, as_json=as_json)
    behind = audit.behind(report)
    digest, lines = root_digest(audit, behind)
    place = root / ROOT_DIGEST
    text = "\n".join([f"{digest}  root digest", *lines]) + "\n"
    former = place.read_text(encoding="utf-8") if place.is_file() else text
    place.write_text(text, encoding="utf-8")
    if as_json:
        plain = _plain(audit, None) | {"root_digest": digest}
        print(json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False))
        return True
    print(_summary(audit))
    if more := len(audit.outputs) - len(behind):
        print(f"{more} outputs among them are not behind the report")
    print(f"root digest {digest}, written with one line for each output to {place}")
    if former != text:
        changed = sorted(
            {line.split("  ", 1)[1] for line in set(lines) ^ set(former.split("\n")[1:]) if line}
        )
        print(f"It differs from the one that stood there: {', '.join(changed)}")
    return True


def _misfit(audit: Any) -> str | None:
    try:
        audit()
    except Misfit as misfit:
        return str(misfit)
    return None


def _told(misfit: str | None, *, as_json: bool) -> bool:
    if misfit is not None and not as_json:
        print(f"does not fit: {misfit}")
    return misfit is None


def _in_project(path: Path) -> Path:
    here = Path.cwd()
    absolute = Path(here, path)
    # Not `resolve`: the results folder may be a link to another disk.
    if absolute.is_relative_to(here):
        return absolute.relative_to(here)
    raise ValueError(f"{path}: not below this folder; call mimic in the project's folder")


def _summary(audit: Audit) -> str:
    hits = sum(output.note.hit for output in audit.outputs.values())
    entries = {output.note.identity for output in audit.outputs.values()}
    remarks = {
        f"note: {path}: {remark}"
        for path, output in audit.outputs.items()
        for remark in output.remarks
        if not remark.startswith("a hit")
    }
    counted = (
        f"all fits: {len(audit.outputs)} outputs of {len(entries)} jobs ({hits} came as hits), "
        f"{len(audit.sources)} source files"
    )
    return "\n".join([*sorted(remarks), counted])


def _tree(audit: Audit, path: Path) -> Tree:
    shown: set[Path] = set()
    tree = Tree(_line(audit.outputs[path]))

    def grow(branch: Tree, output: Output) -> None:
        shown.add(output.path)
        for name, source in output.inputs:
            found = audit.outputs.get(source)
            if found is None:
                branch.add(
                    f"[dim]{name}:[/] {escape(str(source))} "
                    f"[dim]source, sha256 {audit.sources[source][:DIGITS]}[/]"
                )
            elif source in shown:
                branch.add(f"[dim]{name}:[/] {escape(str(source))} [dim](above)[/]")
            else:
                grow(branch.add(f"[dim]{name}:[/] {_line(found)}"), found)

    grow(tree, audit.outputs[path])
    return tree


def _line(output: Output) -> str:
    identity, how = output.record["identity"], output.record["circumstances"]
    commit = how["git"].get("commit", "")[:DIGITS]
    parts = [
        f"sha256 {output.sha256[:DIGITS]}",
        f"rule {identity['rule']}",
        f"made {how['ended'][:16].replace('T', ' ')} UTC on {how['host']}",
        *([f"commit {commit}{' + edits' if how['git']['dirty'] else ''}"] if commit else []),
        *(["came as a hit"] if output.note.hit else []),
        *_origin(identity),
    ]
    return f"[bold]{escape(str(output.path))}[/] [dim]{escape(', '.join(parts))}[/]"


def _origin(identity: Mapping[str, Any]) -> list[str]:
    """What a job brought in from outside, with its revision."""
    from_outside = [
        entry["source"]
        for entries in identity["origins"].values()
        for entry in entries
        if entry["sha256"] == identity["outputs"].get("manifest.json")
    ]
    return [
        " ".join(f"{key} {value}" for key, value in sorted(source.items()))
        for source in from_outside
    ]


def _plain(audit: Audit, misfit: str | None) -> dict[str, Any]:
    return {
        "fits": misfit is None,
        "misfit": misfit,
        "root": str(audit.root),
        "outputs": {
            str(path): {
                "sha256": output.sha256,
                "identity": output.note.identity,
                "hit": output.note.hit,
                "inputs": output.note.inputs,
                "remarks": list(output.remarks),
                "record": output.record,
            }
            for path, output in audit.outputs.items()
        },
        "sources": {str(path): digest for path, digest in audit.sources.items()},
    }
