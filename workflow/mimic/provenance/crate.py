"""The metadata of a crate: a study as a Provenance Run Crate 0.5 on RO-Crate 1.1.

The Snakefile is the main workflow. Each rule is a `HowToStep`, each step of the package in the
state in which it ran a `SoftwareApplication`, each job a `CreateAction`. All dates are those of the
records, so that the same study gives the same metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from rocrate.rocrate import ROCrate

from mimic.provenance.crate_contents import SNAKEFILE, Contents, Work
from mimic.provenance.crate_entities import (
    APACHE,
    COMPLETED,
    DIGITS,
    Graph,
    Reference,
    each_once,
    title_of,
)

METADATA = "ro-crate-metadata.json"
# RO-Crate 1.1 has no term for it; this is the one of the run crates' own vocabulary.
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
ENGINE = "https://snakemake.github.io"


def crate_metadata(contents: Contents, *, title: str, authors: Sequence[str]) -> dict[str, Any]:
    """The metadata of a crate, as JSON-LD.

    Parameters
    ----------
    contents
        What the crate tells of.
    title, authors
        Of the report.
    """
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(TERMS)
    graph = Graph(crate)
    graph.licence("Apache-2.0")
    people = [graph.add(f"#author-{quote(n)}", "Person", name=n) for n in authors]
    origins = [graph.origin(job.origin) for job in contents.work if job.origin is not None]
    for content in contents.files.values():
        if content.name != SNAKEFILE.as_posix():
            graph.file(content, contents)
    tools = {job.identity: graph.tool(job) for job in contents.work}
    steps = _steps(graph, contents.work, tools)
    started, ended = _span(contents.work)
    graph.workflow(contents, steps=steps, tools=tools.values())
    actions = [graph.job(job, contents, tool=tools[job.identity]) for job in contents.work]
    controls = [
        graph.add(
            f"#control-{job.identity[:DIGITS]}",
            "ControlAction",
            name=f"Orchestrating {title_of(job)}",
            instrument={"@id": f"#rule-{job.rule}"},
            object={"@id": f"#job-{job.identity[:DIGITS]}"},
        )
        for job in contents.work
    ]
    run = graph.add(
        "#run",
        "CreateAction",
        name=f"Run of the workflow: {title}",
        description="All jobs behind the report. Some may have been made for another study.",
        startTime=started,
        endTime=ended,
        actionStatus={"@id": COMPLETED},
        instrument={"@id": SNAKEFILE.as_posix()},
        object=[graph.of(contents.files[n]) for n in (contents.settings, *contents.sources)],
        result=[
            graph.of(contents.files[name])
            for job in contents.work
            if job.identity == contents.report
            for name in job.results
        ],
    )
    graph.add(ENGINE, "SoftwareApplication", name="Snakemake", url={"@id": ENGINE})
    organised = graph.add(
        "#organise",
        "OrganizeAction",
        name="Run of Snakemake",
        startTime=started,
        endTime=ended,
        instrument={"@id": ENGINE},
        object=controls,
        result=run,
    )
    root = crate.root_dataset
    root["name"] = title
    root["description"] = (
        f"Results of a study with Mimic and what made them: {len(contents.work)} jobs of "
        f"{len(steps)} rules."
    )
    root["license"] = {"@id": APACHE}
    root["datePublished"] = ended
    root["conformsTo"] = [
        graph.add(url, "CreativeWork", name=name, version=url.rsplit("/", 1)[1])
        for url, name in PROFILES.items()
    ]
    root["mentions"] = [run, *actions, organised]
    if people:
        root["author"] = people
    if origins:
        root["isBasedOn"] = each_once(origins)
    return _in_order(crate.metadata.generate())


def _steps(graph: Graph, work: Iterable[Work], tools: Mapping[str, Reference]) -> list[Reference]:
    used: dict[str, list[Reference]] = {}
    for job in work:
        used.setdefault(job.rule, []).append(tools[job.identity])
    return [
        graph.add(
            f"#rule-{rule}",
            "HowToStep",
            name=rule,
            position=str(position),
            workExample=each_once(some),
        )
        for position, (rule, some) in enumerate(used.items(), start=1)
    ]


def _span(work: Iterable[Work]) -> tuple[str, str]:
    """When the first of the jobs began and the last ended."""
    spans = [job.record["circumstances"] for job in work]
    return min(how["started"] for how in spans), max(how["ended"] for how in spans)


def _in_order(metadata: dict[str, Any]) -> dict[str, Any]:
    """The descriptor and the root first, then all others by their names; parts sorted, too."""
    first = (METADATA, "./")
    for entity in metadata["@graph"]:
        if entity["@id"] == "./":
            entity["hasPart"] = each_once(entity["hasPart"])
        for key, value in entity.items():
            # As RO-Crate recommends.
            if isinstance(value, list) and len(value) == 1:
                entity[key] = value[0]
    metadata["@graph"].sort(
        key=lambda entity: (
            first.index(entity["@id"]) if entity["@id"] in first else len(first),
            entity["@id"],
        )
    )
    return metadata
