"""`mimic audit`: what fits, and each kind of tampering."""

import errno
import json
import shutil
from collections.abc import Callable
from dataclasses import replace as replace_call
from datetime import UTC, datetime
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
from tampering import edit_record, replace

from mimic.files import read_json, write_json
from mimic.provenance import audit as audit_module
from mimic.provenance.audit import Audit, Misfit
from mimic.provenance.notes import note_file
from mimic.provenance.records import utc
from mimic.provenance.store import RECORD, Store


def audit(store: Store, path: str = METRICS) -> Audit:
    found = Audit(ROOT, store)
    found.follow(Path(path))
    return found


def test_all_fits(store: Store, made: dict[str, str]) -> None:
    found = audit(store)
    assert list(map(str, found.outputs)) == [METRICS, ADAPTER, ESSAYS]
    assert list(map(str, found.sources)) == ["corpus.csv"]
    assert found.outputs[Path(METRICS)].remarks == ()
    assert found.behind(Path(ADAPTER)) == [Path(ESSAYS), Path(ADAPTER)]


def test_it_passes_where_the_folder_was_moved_and_copied(
    store: Store, made: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path.with_name(f"{tmp_path.name}-copy")
    shutil.copytree(tmp_path, copy)
    monkeypatch.chdir(copy)
    assert len(audit(store).outputs) == 3
    assert len(audit(store, REPORT).outputs) == 4


def test_a_changed_metric(store: Store, made: dict[str, str]) -> None:
    replace(METRICS, '{"value": 2}\n')
    with pytest.raises(Misfit, match=rf"^{METRICS}: its bytes are not those that were recorded"):
        audit(store)


def test_a_metric_changed_through_its_link(store: Store, made: dict[str, str]) -> None:
    Path(METRICS).chmod(0o644)
    Path(METRICS).write_text('{"value": 2}\n')
    with pytest.raises(Misfit, match=rf"^{METRICS}: "):
        audit(store)


def test_a_swapped_adapter(store: Store, made: dict[str, str]) -> None:
    swapped = "results/finetune/sft/adapter.safetensors"
    replace(swapped, "other weights")
    with pytest.raises(Misfit, match=rf"^{swapped}: its bytes are not those of its manifest"):
        audit(store)


def test_an_adapter_swapped_with_its_manifest(store: Store, made: dict[str, str]) -> None:
    replace("results/finetune/sft/adapter.safetensors", "other weights")
    manifest = read_json(Path(ADAPTER))
    manifest["adapter.safetensors"] = {"sha256": "0" * 64, "bytes": 13}
    replace(ADAPTER, json.dumps(manifest))
    with pytest.raises(Misfit, match=f"^{ADAPTER}: its bytes are not those that {METRICS} was"):
        audit(store)


def test_a_file_that_no_manifest_names(store: Store, made: dict[str, str]) -> None:
    Path("results/finetune/sft/more.txt").write_text("x")
    with pytest.raises(Misfit, match=r"more\.txt: its manifest doesn't name it"):
        audit(store)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["identity"]["settings"]["sft"].update(rate=0.2),
        lambda record: record["identity"]["outputs"].update({"log.csv": "0" * 64}),
        lambda record: record["circumstances"].update(host="elsewhere"),
        lambda record: record["sha256"].update(identity="0" * 64),
    ],
)
def test_an_edited_record(
    store: Store, made: dict[str, str], change: Callable[[Any], None]
) -> None:
    edit_record(store, made["finetune"], change, mend=False)
    with pytest.raises(Misfit, match=rf"{made['finetune']}/record\.json: its \w+ part was edited"):
        audit(store)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda record: record["identity"]["settings"]["sft"].update(rate=0.2),
            "not the record that it was linked with",
        ),
        (
            lambda record: record["identity"].update(rule="other"),
            "not the record that it was linked with",
        ),
    ],
)
def test_an_edited_record_with_mended_digests(
    store: Store, made: dict[str, str], change: Callable[[Any], None], words: str
) -> None:
    edit_record(store, made["finetune"], change, mend=True)
    with pytest.raises(Misfit, match=words):
        audit(store)


@pytest.mark.parametrize(
    "change",
    [
        lambda how: how.update(host="elsewhere"),
        lambda how: how.update(attempts=7),
        lambda how: how["git"].update(commit="0" * 40, dirty=False),
        lambda how: how.update(started="2020-01-01T00:00:00.000000Z"),
    ],
)
def test_edited_circumstances_with_mended_digests(
    store: Store, made: dict[str, str], change: Callable[[Any], None]
) -> None:
    edit_record(store, made["finetune"], lambda record: change(record["circumstances"]), mend=True)
    with pytest.raises(Misfit, match=f"^{ADAPTER}: .* is not the record that it was linked with"):
        audit(store)


def test_circumstances_of_a_later_time_are_those_of_the_same_made_again(
    store: Store, made: dict[str, str]
) -> None:
    adapter = Path(ADAPTER)
    assert audit(store).outputs[adapter].remarks == ()
    former = read_json(note_file(ROOT, adapter))
    shutil.rmtree(store.entry(made["finetune"]))
    run(store, calls()["finetune"], FILES["finetune"])
    write_json(note_file(ROOT, adapter), former)
    remark = "made again since it was linked, with the same bytes"
    assert audit(store).outputs[adapter].remarks == (remark,)
    # A note of a former version knows nothing of them.
    del former["circumstances"]
    write_json(note_file(ROOT, adapter), former)
    assert audit(store).outputs[adapter].remarks == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda identity: identity.update(rule="other"),
        lambda identity: identity.update(run="sft-s2"),
        lambda identity: identity["seeds"].update(seed=2),
        lambda identity: identity["origins"].update(models=[]),
        lambda identity: identity["outputs"].update({"log.csv": "0" * 64}),
    ],
)
def test_an_edited_record_that_passes_for_one_made_again(
    store: Store, made: dict[str, str], change: Callable[[Any], None]
) -> None:
    def edit(record: Any) -> None:
        change(record["identity"])
        record["circumstances"]["ended"] = utc(datetime.now(UTC))

    edit_record(store, made["finetune"], edit, mend=True)
    with pytest.raises(Misfit, match="nor one of the same made again"):
        audit(store)


def test_a_note_of_a_former_version_vouches_for_its_own_record_alone(
    store: Store, made: dict[str, str]
) -> None:
    place = note_file(ROOT, Path(ADAPTER))
    former = {key: value for key, value in read_json(place).items() if key != "lasting"}
    write_json(place, former)
    audit(store)
    shutil.rmtree(store.entry(made["finetune"]))
    run(store, calls()["finetune"], FILES["finetune"])
    write_json(place, former | {"record": "0" * 64})
    with pytest.raises(Misfit, match=f"remove {ADAPTER} and run snakemake"):
        audit(store)


def test_a_record_of_a_time_to_come(store: Store, made: dict[str, str]) -> None:
    def change(record: Any) -> None:
        record["circumstances"]["ended"] = "9999-01-01T00:00:00.000000Z"

    edit_record(store, made["finetune"], change, mend=True)
    with pytest.raises(Misfit, match=r"made at 9999-01-01T00:00:00.000000Z, which is still to"):
        audit(store)


def test_comments_and_the_run_may_differ_where_the_same_was_made_again(
    store: Store, made: dict[str, str]
) -> None:
    """Another run with the same identity made it again, after an edit of comments."""
    call = call_of("pairs", ["results/pairs/a/manifest.json"], inputs={}, code={"mimic.a": "1"})
    call = replace_call(call, run="a")
    other = replace_call(call, run="b", outputs=[Path("results/pairs/b/manifest.json")])
    identity = run(store, call, {"train.jsonl": "1"})
    former = read_json(note_file(ROOT, call.outputs[0]))
    shutil.rmtree(store.entry(identity))
    assert run(store, other, {"train.jsonl": "1"}, file_sha256="1" * 64) == identity
    write_json(note_file(ROOT, call.outputs[0]), former)
    remarks = audit(store, str(call.outputs[0])).outputs[call.outputs[0]].remarks
    assert "made again since it was linked, with the same bytes" in remarks


def test_seeds_that_are_not_those_of_the_settings(store: Store, made: dict[str, str]) -> None:
    edit_record(
        store, made["finetune"], lambda r: r["identity"].update(seeds={"seed": 2}), mend=True
    )
    place = note_file(ROOT, Path(ADAPTER))
    digest = read_json(store.entry(made["finetune"]) / RECORD)["sha256"]["identity"]
    write_json(place, read_json(place) | {"record": digest})
    with pytest.raises(Misfit, match="its seeds are not those of its settings"):
        audit(store)


def test_a_record_and_its_note_changed_together_do_not_give_the_identity(
    store: Store, made: dict[str, str]
) -> None:
    def change(record: Any) -> None:
        record["identity"]["settings"]["sft"].update(rate=0.2)

    edit_record(store, made["finetune"], change, mend=True)
    place = note_file(ROOT, Path(ADAPTER))
    digest = read_json(store.entry(made["finetune"]) / RECORD)["sha256"]["identity"]
    write_json(place, read_json(place) | {"record": digest})
    with pytest.raises(Misfit, match="its contents don't give the identity"):
        audit(store)


def test_versions_that_do_not_give_the_environments_digest(
    store: Store, made: dict[str, str]
) -> None:
    def change(record: Any) -> None:
        record["identity"]["environment"]["versions"]["numpy"] = "9.9"

    edit_record(store, made["finetune"], change, mend=True)
    place = note_file(ROOT, Path(ADAPTER))
    digest = read_json(store.entry(made["finetune"]) / RECORD)["sha256"]["identity"]
    write_json(place, read_json(place) | {"record": digest})
    with pytest.raises(Misfit, match="its versions don't give its environment's digest"):
        audit(store)


def test_a_source_whose_bytes_differ(store: Store, made: dict[str, str]) -> None:
    Path("corpus.csv").write_text("id\n2\n")
    with pytest.raises(Misfit, match=rf"^corpus\.csv: its bytes are not those that {ESSAYS} was"):
        audit(store)


@pytest.mark.parametrize(
    "gone",
    ["corpus.csv", ESSAYS, METRICS, "results/finetune/sft/log.csv", "record", "entry"],
)
def test_a_missing_file(store: Store, made: dict[str, str], gone: str) -> None:
    entry = store.entry(made["finetune"])
    if gone == "record":
        (entry / RECORD).unlink()
    elif gone == "entry":
        shutil.rmtree(entry)
    else:
        Path(gone).unlink()
    words = "the record is missing" if gone in ("record", "entry") else "can't be read"
    with pytest.raises(Misfit, match=words) as caught:
        audit(store)
    assert (made["finetune"] if gone in ("record", "entry") else gone) in str(caught.value)


def test_an_entry_that_cannot_be_read_now(
    store: Store, made: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> list[str]:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(audit_module, "misfits", fail)
    with pytest.raises(Misfit, match=r"can't be read \(Stale file handle\)"):
        audit(store)


def test_an_entry_of_the_store_that_was_changed(store: Store, made: dict[str, str]) -> None:
    replace(store.entry(made["finetune"]) / "log.csv", "x")
    with pytest.raises(Misfit, match=r"log\.csv has other bytes than its manifest says"):
        audit(store)


def test_a_result_without_a_note(store: Store, made: dict[str, str]) -> None:
    note_file(ROOT, Path(ESSAYS)).unlink()
    with pytest.raises(Misfit, match=f"^{ESSAYS}: no note says where it comes from"):
        audit(store)


def test_a_hit_says_so(store: Store, made: dict[str, str]) -> None:
    build(store)
    assert audit(store).outputs[Path(METRICS)].remarks == (
        "a hit: it was made before and linked from the store",
    )


def test_what_was_made_again_with_the_same_bytes_is_a_remark(
    store: Store, made: dict[str, str]
) -> None:
    # The same adapter under other settings: its record is newer, the metrics stay true.
    run(store, calls(rate=0.2)["finetune"], FILES["finetune"])
    found = audit(store)
    assert found.outputs[Path(METRICS)].remarks == (
        f"{ADAPTER} was made again since, with the same bytes",
    )
    # The same identity again, after the store lost it.
    shutil.rmtree(store.entry(made["essays"]))
    former = read_json(note_file(ROOT, Path(ESSAYS)))
    run(store, calls()["essays"], FILES["essays"])
    write_json(note_file(ROOT, Path(ESSAYS)), former)
    assert f"{ESSAYS} was made again since, with the same bytes" in str(audit(store).outputs)
