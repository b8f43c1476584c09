"""A made-up study whose results, records and notes are what the runner would have left."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mimic.files import canonical_json, sha256_file
from mimic.provenance.call import Call
from mimic.provenance.notes import Note, maker_of, read_note, write_notes
from mimic.provenance.records import (
    circumstances_part,
    identity_part,
    joined_origins,
    lasting_digest,
    make_record,
    read_record,
    utc,
)
from mimic.provenance.store import RECORD, Store, identity_of

VERSIONS = {"numpy": "2.2.0"}
GROUP = {"data": hashlib.sha256(canonical_json(VERSIONS).encode()).hexdigest()[:16]}
ROOT = Path("results")


def call_of(
    rule: str,
    outputs: list[str],
    *,
    inputs: dict[str, list[str]],
    settings: dict[str, Any] | None = None,
    step: str | None = None,
    code: dict[str, str] | None = None,
    sources: tuple[str, ...] = (),
) -> Call:
    """A job of the made-up study."""
    spec = {
        "step": step or f"{rule}.step",
        "code": code or {},
        "environment": GROUP,
        "settings": settings or {},
        "sources": {name: [sha256_file(Path(p)) for p in inputs[name]] for name in sources},
    }
    return Call(
        rule=rule,
        name=" ".join([rule, *outputs]),
        spec=spec,
        inputs={name: [Path(p) for p in paths] for name, paths in inputs.items()},
        outputs=[Path(p) for p in outputs],
        root=ROOT,
        run=None,
        log=Path("results/logs/x.log"),
    )


def run(
    store: Store,
    call: Call,
    files: dict[str, str],
    *,
    file_sha256: str = "0" * 64,
    measured: dict[str, Any] | None = None,
) -> str:
    """Do what the runner does for a job that writes `files`; returns the identity.

    `file_sha256` is that of the files of its code, `measured` what its step says of itself.
    """
    began = utc(datetime.now(UTC))
    digests = {name: [sha256_file(p) for p in paths] for name, paths in call.inputs.items()}
    identity = identity_of(spec=call.spec, inputs=digests)
    hit = store.has(identity)
    if not hit:
        makers = [
            maker_of(store, read_note(ROOT, path))
            for paths in call.inputs.values()
            for path in paths
            if path.is_relative_to(ROOT)
        ]

        def record(outputs: dict[str, str]) -> dict[str, Any]:
            part = identity_part(
                rule=call.rule,
                run=call.run,
                spec=call.spec,
                files={name: {"file": "x.py", "sha256": file_sha256} for name in call.spec["code"]},
                versions=VERSIONS,
                inputs=digests,
                outputs=outputs,
                origins=joined_origins(maker for maker in makers if maker is not None),
            )
            how = circumstances_part(
                started=began,
                ended=utc(datetime.now(UTC)),
                attempts=1,
                git={},
                measured=measured or {},
            )
            return make_record(identity=part, circumstances=how)

        with store.lock(identity) as lock, store.fresh_out(identity) as out:
            for name, text in files.items():
                (out / name).parent.mkdir(parents=True, exist_ok=True)
                (out / name).write_text(text)
            store.seal(identity, out, lock=lock, record=record)
    store.link(identity, call.outputs)
    kept = read_record(store.entry(identity) / RECORD)
    note = Note(
        identity=identity,
        record=kept["sha256"]["identity"],
        lasting=lasting_digest(kept["identity"]),
        circumstances=kept["sha256"]["circumstances"],
        rule=call.rule,
        run=call.run,
        hit=hit,
        linked=utc(datetime.now(UTC)),
        inputs={name: [str(p) for p in paths] for name, paths in call.inputs.items()},
    )
    write_notes(ROOT, call.outputs, note)
    store.register(ROOT, identity)
    return identity


ESSAYS = "results/essays/essays.csv"
ADAPTER = "results/finetune/sft/manifest.json"
METRICS = "results/metrics/sft.json"
REPORT = "results/report/manifest.json"


def calls(*, rate: float = 0.1) -> dict[str, Call]:
    """The jobs of the study, which read the source corpus.csv."""
    corpus = {"corpus": ["corpus.csv"]}
    return {
        "essays": call_of("essays", [ESSAYS], inputs=corpus, sources=("corpus",)),
        "finetune": call_of(
            "finetune", [ADAPTER], inputs={"essays": [ESSAYS]}, settings={"sft": {"rate": rate}}
        ),
        "metrics": call_of("metrics", [METRICS], inputs={"adapter": [ADAPTER], "essays": [ESSAYS]}),
        "report": call_of("report", [REPORT], inputs={"metrics": [METRICS]}),
    }


FILES = {
    "essays": {"essays.csv": "id\n1\n"},
    "finetune": {"adapter.safetensors": "weights", "log.csv": "loss\n"},
    "metrics": {"sft.json": '{"value": 1}\n'},
    "report": {"index.html": "<html>", "figures/a.svg": "<svg/>"},
}


def build(store: Store, **options: Any) -> dict[str, str]:
    """Run the whole study; returns the identities by rule."""
    Path("corpus.csv").write_text("id\n1\n")
    Path("Snakefile").touch()
    return {rule: run(store, calls(**options)[rule], files) for rule, files in FILES.items()}
