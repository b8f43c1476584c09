"""The outermost process of a job: looks into the store, starts the step, seals, records, links.

``python -m mimic.provenance.runner --name … --spec … --files … --log …`` is what every
rule calls.
"""

from __future__ import annotations

import os
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mimic.files import read_json, write_json
from mimic.provenance import fingerprint
from mimic.provenance.call import Call, parse_call
from mimic.provenance.drift import check_submitted, check_unchanged
from mimic.provenance.lock import Lock
from mimic.provenance.measured import forget_measured, read_measured
from mimic.provenance.notes import Note, maker_of, read_note, write_notes
from mimic.provenance.pack_table import read_log, read_row
from mimic.provenance.placing import write_json_whole
from mimic.provenance.process import Starters, run_in_group
from mimic.provenance.records import (
    circumstances_part,
    identity_part,
    joined_origins,
    lasting_digest,
    make_record,
    read_record,
    utc,
)
from mimic.provenance.refusal import refusal
from mimic.provenance.scratch import scratch_folder
from mimic.provenance.store import RECORD, Store, identity_of, the_store
from mimic.provenance.submission import submitted

# Lines of a log that are shown where the log may lie on another machine.
TAIL = 20


def main(argv: list[str] | None = None) -> int:
    """Run one job; the exit status is 0, or the step's own."""
    works_for = Starters.of_this_process()
    call = parse_call(argv)
    try:
        store = the_store()
        _suit_rights(store)
        return _run(call, store, works_for)
    except (OSError, ValueError) as error:
        _tell_and_log(call, f"failed: {error}")
        return 1


def _suit_rights(store: Store) -> None:
    """In a store that a group writes to, let the group go on with what this job leaves."""
    if store.is_shared:
        os.umask(os.umask(0) & ~stat.S_IRWXG)


def _run(call: Call, store: Store, works_for: Starters) -> int:
    check_submitted(call)
    identity = identity_of(spec=call.spec, inputs=call.started_from)
    with store.lock(
        identity, waiting=lambda owner: _tell_waiting(call, owner), check=works_for.check
    ) as lock:
        works_for.check()
        hit = _is_hit(call, store, identity)
        if not hit:
            if call.pack is not None:
                return _not_packed(call, call.pack, identity)
            status = _work(call, store, identity, lock, works_for)
            if status != 0:
                return status
        if call.store_only:
            return 0
        # A snakemake that is gone may have been started again, and its results are that one's now.
        works_for.check()
        store.link(identity, call.outputs)
        # Under the lock, so that nobody removes what has just been linked.
        store.register(call.root, identity)
        _note(call, store, identity, hit=hit)
    if hit:
        packed = read_log(call.pack, call.run) if call.pack else ""
        _write_log(call, f"{packed}hit: {store.entry(identity)}\n")
        call.tell(f"was made before, linked from the store ({identity[:12]})")
    return 0


def _note(call: Call, store: Store, identity: str, *, hit: bool) -> None:
    """Note which entry the outputs are linked to."""
    record = read_record(store.entry(identity) / RECORD)
    note = Note(
        identity=identity,
        record=record["sha256"]["identity"],
        lasting=lasting_digest(record["identity"]),
        circumstances=record["sha256"]["circumstances"],
        rule=call.rule,
        run=call.run,
        hit=hit,
        linked=utc(datetime.now(UTC)),
        inputs={name: [p.as_posix() for p in paths] for name, paths in call.inputs.items()},
    )
    write_notes(call.root, call.outputs, note)


def _tell_waiting(call: Call, owner: dict[str, Any]) -> None:
    who = f" (process {owner['pid']} on {owner['host']})" if "pid" in owner else ""
    call.tell(f"waiting: another job{who} makes the same")


def _is_hit(call: Call, store: Store, identity: str) -> bool:
    """Whether the store has the job's outputs, whole."""
    # Not `has`: what lost its manifest would be in the way of what is made anew.
    if not store.has_folder(identity):
        return False
    wrong = refusal(store, identity)
    if wrong:
        place = store.set_aside(identity)
        call.tell(
            f"the store's entry {identity} is refused and lies in {place}: {'; '.join(wrong)}"
        )
        return False
    return True


def _not_packed(call: Call, table: Path, identity: str) -> int:
    """Say why the store lacks what a pack was to make."""
    check_unchanged(call)
    row = read_row(table, call.run)
    if row is None or row.identity != identity or row.state != "failed":
        _tell_and_log(call, f"{table} doesn't say what became of {identity}; start snakemake again")
        return 1
    log = read_log(table, call.run)
    _write_log(call, log)
    for line in log.splitlines()[-TAIL:]:
        call.tell(line)
    _tell_and_log(call, f"failed in its pack after {row.seconds} s: {row.said}")
    return 1


def _tell_and_log(call: Call, words: str, more: str = "") -> None:
    """Say why the job failed, in its log too; `more` isn't for the log.

    That is what Snakemake shows of a job on another machine, and where there is no log, or an empty
    one, it shows none of the logs.
    """
    call.tell(words + more)
    try:
        call.log.parent.mkdir(parents=True, exist_ok=True)
        with call.log.open("a", encoding="utf-8") as log:
            log.write(f"{words}\n")
    except OSError:
        # A full disk, perhaps what the words are about.
        return


def _write_log(call: Call, text: str) -> None:
    call.log.parent.mkdir(parents=True, exist_ok=True)
    call.log.write_text(text, encoding="utf-8")


def _work(call: Call, store: Store, identity: str, lock: Lock, works_for: Starters) -> int:
    check_unchanged(call)
    # Before the step works, perhaps for days: it may be that nobody can say.
    origins = _origins(call, store)
    with store.fresh_out(identity) as out:
        work = store.work(identity)
        attempts = _count_attempt(work / "attempts.json")
        measured = work / "measured"
        forget_measured(measured)
        write_json(
            work / "job.json",
            {
                "name": call.name,
                "settings": call.spec["settings"],
                "inputs": {name: [str(p) for p in paths] for name, paths in call.inputs.items()},
                "out": str(out),
                "answers": str(store.answers),
                "unfinished": str(store.unfinished(identity)),
                "log": str(call.log),
                "measured": str(measured),
            },
        )
        started = datetime.now(UTC)
        try:
            with scratch_folder() as variables:
                status = run_in_group(
                    _command(call, work / "job.json"),
                    threads=call.spec["settings"].get("compute", {}).get("threads", 1),
                    log=call.log,
                    tell=call.tell,
                    works_for=works_for,
                    is_lost=lock.is_lost,
                    variables=variables,
                )
        finally:
            if lock.is_own():
                (work / "job.json").unlink(missing_ok=True)
        if lock.is_lost():
            # Says why the step was killed.
            lock.check()
        if status != 0:
            _tell_and_log(call, f"failed with exit status {status}", f"; its log is {call.log}")
            return status
        undone = [p.name for p in call.outputs if not (out / p.name).is_file()]
        undone = [name for name in undone if name != "manifest.json"]
        if undone:
            _tell_and_log(call, f"wrote no {', '.join(undone)}")
            return 1
        # An edit while the step ran: what it made may be of either code.
        check_unchanged(call)
        if call.digests() != call.started_from:
            raise ValueError("an input changed while the step ran; run it again")
        ended = datetime.now(UTC)
        circumstances = circumstances_part(
            started=utc(started),
            ended=utc(ended),
            attempts=attempts,
            git=(submitted() or {"git": {}})["git"],
            measured=read_measured(measured),
        )

        def record(outputs: dict[str, str]) -> dict[str, Any]:
            identity = _identity_part(call, outputs, origins)
            return make_record(identity=identity, circumstances=circumstances)

        lock.check()
        store.seal(identity, out, lock=lock, record=record)
        call.tell(f"done in {(ended - started).total_seconds():.0f} s")
    return 0


def _command(call: Call, job: Path) -> list[str]:
    """What starts the step: itself, or what starts it in a process for each device."""
    step = [f"mimic.{call.spec['step']}", str(job)]
    launch = call.spec["settings"].get("launch", {})
    devices, nodes = launch.get("devices", call.devices), launch.get("nodes", 1)
    if devices == 1:
        return [sys.executable, "-m", *step]
    options = ["--processes", str(devices)]
    for config in call.inputs.get("accelerate", []):
        options += ["--config", str(config)]
    if nodes == 1:
        return [sys.executable, "-m", "mimic.provenance.launch", *options, *step]
    return [sys.executable, "-m", "mimic.cluster.training", "--nodes", str(nodes), *options, *step]


def _count_attempt(path: Path) -> int:
    """Count how often the work was begun, kills included; anew where the count can't be read."""
    try:
        former = int(read_json(path)["attempts"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        former = 0
    write_json_whole(path, {"attempts": former + 1})
    return former + 1


def _origins(call: Call, store: Store) -> dict[str, list[dict[str, Any]]]:
    """The models and corpora that a job's inputs go back to, by the records of these."""
    makers = []
    for path in (path for paths in call.inputs.values() for path in paths):
        if path.is_relative_to(call.root):
            try:
                makers.append(maker_of(store, read_note(call.root, path)))
            except ValueError as error:
                raise ValueError(
                    f"{path}: what it was made from isn't known ({error}); remove it and start "
                    "snakemake again, which links it anew or makes it again"
                ) from None
    return joined_origins(maker for maker in makers if maker is not None)


def _identity_part(
    call: Call, outputs: dict[str, str], origins: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    (group,) = call.spec["environment"]
    submission = submitted()
    if submission is None:
        from mimic.provenance.environment import group_versions

        files, versions = fingerprint.step_files(call.spec["step"]), group_versions(group)
    else:
        files, versions = submission["files"], submission["environment"][group]["versions"]
    return identity_part(
        rule=call.rule,
        run=call.run,
        spec=call.spec,
        files=files,
        versions=versions,
        inputs=call.started_from,
        outputs=outputs,
        origins=origins,
    )


if __name__ == "__main__":
    sys.exit(main())
