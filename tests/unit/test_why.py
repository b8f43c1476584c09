"""`mimic why`: what makes a job run, and what it will come to."""

import errno
import json
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up_study import (
    ADAPTER,
    ESSAYS,
    FILES,
    METRICS,
    REPORT,
    ROOT,
    build,
    call_of,
    calls,
    run,
)

from mimic import cli
from mimic.files import read_json, write_json
from mimic.provenance import refusal, why_command
from mimic.provenance.call import Call
from mimic.provenance.notes import note_file
from mimic.provenance.records import part_digest
from mimic.provenance.store import RECORD, Store
from mimic.provenance.why import Explained, Fate, Reason, explain


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MIMIC_STORE", raising=False)
    store = Store(Path("results/.store"))
    build(store)
    return store


def explained(store: Store, *some: Call) -> dict[str, Explained]:
    return {job.call.rule: job for job in explain(some, store)}


def test_a_changed_setting_is_named_and_what_follows_may_be_hits(store: Store) -> None:
    now = calls(rate=0.2)
    # Snakemake names jobs in any order.
    found = explained(store, now["report"], now["metrics"], now["finetune"])
    assert list(found) == ["finetune", "metrics", "report"]
    assert found["finetune"].fate is Fate.RUNS
    assert found["finetune"].reasons == (Reason("settings", "sft.rate", "0.1 → 0.2"),)
    assert found["metrics"].fate is Fate.MAY_BE_HIT
    assert found["metrics"].reasons == (Reason("input", ADAPTER, "is made first"),)
    assert found["metrics"].waits_for == (Path(ADAPTER),)
    assert found["report"].waits_for == (Path(METRICS),)


def test_what_the_store_has_is_a_hit_and_so_is_what_follows(store: Store) -> None:
    run(store, calls(rate=0.2)["finetune"], FILES["finetune"] | {"log.csv": "other"})
    # Back to the former rate: the adapter's hit gives the bytes that the metrics were made from.
    now = calls()
    found = explained(store, *now.values())
    assert {job.fate for job in found.values()} == {Fate.HIT}
    assert found["finetune"].reasons == (Reason("settings", "sft.rate", "0.2 → 0.1"),)


def test_code_sources_environment_and_inputs_are_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = call_of(
        "judge",
        ["results/judge/x.csv"],
        inputs={"corpus": ["corpus.csv"], "essays": [ESSAYS]},
        code={"mimic.a": "1", "mimic.b": "1"},
        sources=("corpus",),
        settings={"c": 1, "old": 2},
    )
    run(store, then, {"x.csv": "1\n"})
    Path("corpus.csv").write_text("id\n2\n")
    Path(ESSAYS).unlink()
    Path(ESSAYS).write_text("id\n2\n")
    now = call_of(
        "judge",
        ["results/judge/x.csv"],
        inputs={"corpus": ["corpus.csv"], "essays": [ESSAYS]},
        code={"mimic.a": "2", "mimic.c": "1"},
        sources=("corpus",),
        settings={"c": 1, "new": 3},
    )
    now = replace(now, spec=now.spec | {"environment": {"data": "0" * 16}})
    monkeypatch.setattr(
        "mimic.provenance.why.group_versions", lambda _group: {"numpy": "2.3.0", "scipy": "1.0"}
    )
    job = explained(store, now)["judge"]
    assert job.fate is Fate.RUNS
    assert set(job.reasons) == {
        Reason("code", "mimic.a", "was edited"),
        Reason("code", "mimic.b", "is gone"),
        Reason("code", "mimic.c", "is new"),
        Reason("settings", "old", "was 2, is gone"),
        Reason("settings", "new", "is new, 3"),
        Reason("environment", "numpy", "'2.2.0' → '2.3.0'"),
        Reason("environment", "scipy", "is new, '1.0'"),
        Reason("source", "corpus.csv", "other bytes"),
        Reason("input", ESSAYS, "other bytes"),
    }


def test_another_step_other_inputs_and_settings_without_keys_are_named(store: Store) -> None:
    output = "results/judge/x.csv"
    then = call_of(
        "judge",
        [output],
        inputs={"corpus": ["corpus.csv"], "essays": [ESSAYS], "adapter": [ADAPTER]},
        sources=("corpus",),
        settings={"told": {"by": "words"}},
    )
    run(store, then, {"x.csv": "1\n"})
    now = call_of(
        "judge",
        [output],
        inputs={"essays": [ESSAYS, METRICS], "metrics": [METRICS]},
        step="judge.other",
        settings={"told": {}},
    )
    job = explained(store, now)["judge"]
    assert job.fate is Fate.RUNS
    assert set(job.reasons) == {
        Reason("code", "step", "judge.step → judge.other"),
        Reason("settings", "told", "is new, {}"),
        Reason("settings", "told.by", "was 'words', is gone"),
        Reason("source", "corpus", "other bytes"),
        Reason("input", "essays", "1 files → 2"),
        Reason("input", "metrics", "0 files → 1"),
        Reason("input", "adapter", "no input any more"),
        Reason("input", "corpus", "no input any more"),
    }


def test_a_missing_output_that_the_store_has(store: Store) -> None:
    Path(METRICS).unlink()
    job = explained(store, calls()["metrics"])["metrics"]
    assert job.fate is Fate.HIT
    assert job.reasons == (Reason("missing", METRICS),)


def test_what_was_never_made(store: Store) -> None:
    new = call_of("judge", ["results/judge/x.csv"], inputs={"essays": [ESSAYS]})
    job = explained(store, new)["judge"]
    assert job.fate is Fate.RUNS
    assert job.reasons == (Reason("missing", "results/judge/x.csv"),)


def test_a_lost_record_is_said(store: Store) -> None:
    import shutil

    shutil.rmtree("results/.store")
    (reason,) = explained(store, calls()["metrics"])["metrics"].reasons
    assert reason.kind == "unknown"
    assert "the record is missing" in reason.change


def test_an_entry_that_will_be_refused_is_no_hit(store: Store) -> None:
    identity = run(store, calls()["finetune"], FILES["finetune"])
    weights = store.entry(identity) / "adapter.safetensors"
    weights.unlink()
    weights.write_text("other")
    found = explained(store, calls()["finetune"], calls()["metrics"])
    assert found["finetune"].fate is Fate.RUNS
    (reason,) = found["finetune"].reasons
    assert (reason.kind, reason.name) == ("store", str(store.entry(identity)))
    assert "adapter.safetensors has other bytes than its manifest says" in reason.change
    # What it will be made anew nobody knows.
    assert found["metrics"].fate is Fate.MAY_BE_HIT


def test_an_entry_that_cannot_be_read_now_is_said(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_store: Store, _identity: str) -> list[str]:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(refusal, "misfits", fail)
    job = explained(store, calls()["metrics"])["metrics"]
    assert job.fate is Fate.RUNS
    assert "can't be read now" in job.reasons[-1].change


def edit_record(store: Store, identity: str, change: Callable[[Any], None]) -> None:
    path = store.entry(identity) / RECORD
    record = read_json(path)
    change(record)
    path.chmod(0o644)
    write_json(path, record)


def test_an_edited_record_is_said_and_all_else_explained(store: Store) -> None:
    identity = run(store, calls()["finetune"], FILES["finetune"])
    edit_record(store, identity, lambda record: record["identity"].update(rule="other"))
    found = explained(store, *calls().values())
    assert found["essays"].fate is Fate.HIT
    assert found["finetune"].fate is Fate.RUNS
    assert [reason.kind for reason in found["finetune"].reasons] == ["unknown", "store"]
    assert "the identity part of record.json was edited" in found["finetune"].reasons[1].change


def test_a_record_that_lacks_a_part_and_a_broken_note_are_said(store: Store) -> None:
    def lack(record: Any) -> None:
        del record["identity"]["settings"]
        record["sha256"]["identity"] = part_digest(record["identity"])

    edit_record(store, run(store, calls()["finetune"], FILES["finetune"]), lack)
    note_file(ROOT, Path(METRICS)).write_text("half")
    found = explained(store, *calls().values())
    assert found["finetune"].fate is Fate.RUNS
    assert "settings is missing" in found["finetune"].reasons[-1].change
    reason = found["metrics"].reasons[0]
    assert reason.kind == "unknown"
    assert "not valid JSON" in reason.change


def test_touched_files_are_no_reason(store: Store) -> None:
    job = explained(store, calls()["metrics"])["metrics"]
    assert job.fate is Fate.HIT
    assert job.reasons == ()


class Dry:
    """Stands for a dry run of Snakemake."""

    returncode = 0
    stderr = ""

    def __init__(self, some: list[Call]) -> None:
        lines = ["Building DAG of jobs...", "Job 1: x", "Reason: Params have changed"]
        for call in some:
            files = {
                "inputs": {n: [str(p) for p in paths] for n, paths in call.inputs.items()},
                "outputs": [str(p) for p in call.outputs],
                "root": "results",
                "rule": call.rule,
                "run": None,
            }
            words = ["--name", call.name, "--spec", json.dumps(call.spec)]
            words += ["--files", json.dumps(files), "--log", str(call.log)]
            lines.append(f"Shell command: python -m mimic.provenance.runner {shlex.join(words)}")
        self.stdout = "\n".join(lines)


def test_the_command(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    now = calls(rate=0.2)

    def dry(command: list[str], **_options: Any) -> Dry:
        asked.append(command)
        return Dry([now["finetune"], now["metrics"]] if len(asked) == 1 else [])

    monkeypatch.setattr(why_command.subprocess, "run", dry)
    assert cli.main(["why", METRICS, "--configfile", "mine.yaml"]) == 0
    assert asked[0][:4] == [sys.executable, "-m", "snakemake", METRICS]
    assert asked[0][-2:] == ["--configfile", "mine.yaml"]
    # After a kill, and while a snakemake works, it answers all the same; it starts nothing.
    wanted = {"--dry-run", "--printshellcmds", "--nolock", "--rerun-incomplete"}
    assert wanted <= set(asked[0])
    assert capsys.readouterr().out.splitlines() == [
        f"finetune {ADAPTER}: runs",
        "  settings    sft.rate: 0.1 → 0.2",
        f"metrics {METRICS}: may be a hit",
        f"  input       {ADAPTER}: is made first",
        "  a hit if the store has it for the bytes to come",
        "1 would run, 1 wait for others and may be hits",
    ]
    assert cli.main(["why"]) == 0
    assert "Nothing would run" in capsys.readouterr().out


def test_words_of_a_command_are_those_that_were_quoted() -> None:
    words = [
        "--name",
        "a b",
        "",
        "it's",
        '{"a": "x\'y", "b": "\\\\"}',
        "'\"'",
        "é\tü",
        "a=b;$c `d`",
        "'",
    ]
    assert why_command.words_of(shlex.join(words)) == words == shlex.split(shlex.join(words))


def test_snakemakes_own_words(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = Path("failing")
    tool.write_text("#!/bin/sh\necho 'MissingRuleException: none' >&2\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setattr(why_command.sys, "executable", os.path.abspath(tool))
    assert cli.main(["why", "none"]) == 2
    assert "MissingRuleException: none" in capsys.readouterr().err


def test_the_report_waits_for_the_metrics(store: Store) -> None:
    now = calls(rate=0.2)
    found = explained(store, now["finetune"], now["metrics"], now["report"])
    assert found["report"].reasons == (Reason("input", METRICS, "is made first"),)
    assert str(found["report"].call.outputs[0]) == REPORT
