"""Whether a job's code and sources are still those that it was made from, while it runs."""

from __future__ import annotations

from mimic.files import sha256_file
from mimic.provenance import fingerprint
from mimic.provenance.call import Call
from mimic.provenance.submission import check_drift, check_spec, submitted


def check_submitted(call: Call) -> None:
    """Check that a job is what was submitted; a hit would be filed under another's params.

    Raises
    ------
    ValueError
        Naming what differs.
    """
    if (submission := submitted()) is None:
        return
    sources = {
        path.as_posix(): digest
        for name in call.spec["sources"]
        if name in call.inputs
        for path, digest in zip(call.inputs[name], call.started_from[name], strict=True)
    }
    check_spec(submission, spec=call.spec, sources=sources)


def check_unchanged(call: Call) -> None:
    """Check that code and source files are those that the job was made from.

    Raises
    ------
    ValueError
        Naming the modules or source files that differ.
    """
    if (submission := submitted()) is not None:
        names = [name for name in call.spec["sources"] if name in call.inputs]
        sources = {p.as_posix(): sha256_file(p) for name in names for p in call.inputs[name]}
        check_drift(submission, spec=call.spec, sources=sources)
        return
    fingerprint.forget()
    now, then = fingerprint.step_code(call.spec["step"]), call.spec["code"]
    changed = {name for name in {*now, *then} if now.get(name) != then.get(name)}
    digests = call.digests()
    changed |= {name for name, found in call.spec["sources"].items() if digests[name] != found}
    if changed:
        raise ValueError(
            f"{', '.join(sorted(changed))} changed since the workflow was read; "
            "start snakemake again"
        )
