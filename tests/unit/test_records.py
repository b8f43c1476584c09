"""Records: what they hold, and what they must not hold."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mimic.files import write_json
from mimic.provenance import records
from mimic.provenance.measured import read_measured
from mimic.provenance.records import (
    circumstances_part,
    identity_part,
    joined_origins,
    make_record,
    read_record,
    recomputed_identity,
    spec_of,
)
from mimic.provenance.store import identity_of

SPEC = {
    "step": "finetune.sft",
    "code": {"mimic.finetune.sft": "0123456789abcdef"},
    "environment": {"train": "fedcba9876543210"},
    "settings": {"run": {"model": "smollm2", "seed": 3}, "sft": {"steps": 2}, "lora": {"seed": 4}},
    "sources": {},
}
FILES = {"mimic.finetune.sft": {"file": "workflow/mimic/finetune/sft.py", "sha256": "1" * 64}}
INPUTS = {"model": ["2" * 64], "pairs": ["3" * 64]}
ORIGIN = {"source": {"id": "owner/model", "revision": "4" * 40}, "sha256": "2" * 64}


def identity(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "rule": "finetune",
        "run": "smollm2-sft-s3",
        "spec": SPEC,
        "files": FILES,
        "versions": {"torch": "2.13.0"},
        "inputs": INPUTS,
        "outputs": {"adapter_model.safetensors": "5" * 64, "manifest.json": "6" * 64},
        "origins": {"models": [ORIGIN]},
    }
    return identity_part(**(given | changes))


def circumstances() -> dict[str, Any]:
    return circumstances_part(
        started="2026-01-01T00:00:00.000000Z",
        ended="2026-01-01T00:01:00.000000Z",
        attempts=2,
        git={"commit": "7" * 40, "dirty": False},
        measured={"peak_gpu_memory_mb": [1024]},
    )


def test_the_identity_part_names_all_that_a_result_follows_from() -> None:
    part = identity()
    assert part["seeds"] == {"run.seed": 3, "lora.seed": 4}
    assert part["code"]["mimic.finetune.sft"] == {
        "digest": "0123456789abcdef",
        "file": "workflow/mimic/finetune/sft.py",
        "sha256": "1" * 64,
    }
    assert part["environment"] == {
        "group": "train",
        "digest": "fedcba9876543210",
        "versions": {"torch": "2.13.0"},
    }
    assert part["origins"] == {"models": [ORIGIN]}
    assert spec_of(part) == SPEC
    assert recomputed_identity(part) == identity_of(spec=SPEC, inputs=INPUTS)


def test_what_comes_from_outside_is_an_origin() -> None:
    source = {"kind": "csv", "name": "Essays", "path": "essays.csv"}
    spec = SPEC | {
        "step": "essays.prepare",
        "settings": {"essays": {"source": source}},
        "sources": {"corpus": ["8" * 64], "moderation": ["9" * 64]},
    }
    part = identity(spec=spec, origins={})
    expected = {"source": source, "sha256": "6" * 64, "files": {"corpus": ["8" * 64]}}
    assert part["origins"] == {"corpora": [expected]}
    two = joined_origins([{"identity": part}, {"identity": identity()}, {"identity": part}])
    assert two == {"corpora": [expected], "models": [ORIGIN]}


def test_an_origin_stands_beside_those_of_its_inputs() -> None:
    source = {"kind": "hub", "id": "owner/other", "revision": "1" * 40}
    spec = SPEC | {"step": "models.fetch", "settings": {"model": {"source": source}}}
    assert identity(spec=spec)["origins"] == {
        "models": [ORIGIN, {"source": source, "sha256": "6" * 64}]
    }


def test_seeds_are_named_by_all_their_keys() -> None:
    settings = {"a": {"b": {"seed": 1}, "seed": 2}, "c": {"b": {"seed": 3}}, "seed": "none"}
    assert records.seeds_in(settings) == {"a.b.seed": 1, "a.seed": 2, "c.b.seed": 3}


def test_what_processes_measured_stands_in_their_order(tmp_path: Path) -> None:
    assert read_measured(tmp_path) == {}
    for rank in range(11):
        values = {"peak_gpu_memory_mb": [rank], "answers": ["common", f"of-{rank % 2}"]}
        write_json(tmp_path / f"{rank}.json", values)
    assert read_measured(tmp_path) == {
        "peak_gpu_memory_mb": list(range(11)),
        "answers": ["common", "of-0", "of-1"],
    }


def test_circumstances_say_when_where_and_how() -> None:
    part = circumstances()
    assert part["attempts"] == 2
    assert part["peak_gpu_memory_mb"] == [1024]
    assert part["device"]["cpu"]
    assert part["peak_memory_mb"] > 0
    assert part["slurm"] is None or "job" in part["slurm"]


def test_a_slurm_job_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    monkeypatch.setenv("SLURM_JOB_PARTITION", "gpu")
    assert circumstances()["slurm"] == {"job": "42", "partition": "gpu"}


def test_gpus_are_asked_of_their_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\necho "$@" > "$0.log"\necho "NVIDIA A100, 40960 MiB, 550.1"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    records.gpus.cache_clear()
    try:
        found = circumstances()["device"]["gpus"]
    finally:
        records.gpus.cache_clear()
    assert found == [{"name": "NVIDIA A100", "memory": "40960 MiB", "driver": "550.1"}]
    assert "--id=2" in (tmp_path / "nvidia-smi.log").read_text()


def test_no_secret_and_no_home_stand_in_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_verysecret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-verysecret")
    text = json.dumps(make_record(identity=identity(), circumstances=circumstances()))
    assert "verysecret" not in text
    assert str(Path.home()) not in text.replace('"/root"', "")


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("identity", "rule", "metrics"),
        ("identity", "inputs", {"model": ["0" * 64]}),
        ("circumstances", "host", "elsewhere"),
    ],
)
def test_an_edited_record_is_found(tmp_path: Path, part: str, key: str, value: Any) -> None:
    record = make_record(identity=identity(), circumstances=circumstances())
    path = tmp_path / "record.json"
    write_json(path, record)
    assert read_record(path) == record
    record[part][key] = value
    write_json(path, record)
    with pytest.raises(ValueError, match=rf"record\.json: its {part} part was edited"):
        read_record(path)


def test_what_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    with pytest.raises(ValueError, match="the record is missing"):
        read_record(path)
    path.write_text("[]")
    with pytest.raises(ValueError, match="not a record"):
        read_record(path)
