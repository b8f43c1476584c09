"""What a job's ``params: spec`` holds."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mimic.files import sha256_file
from mimic.provenance import specs
from mimic.provenance.environment import group_digest
from mimic.provenance.specs import (
    code_digest,
    job_files,
    source_digest,
    spec,
    use_this_python,
)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "forms.yaml"
    path.write_text("version: 1\n")
    source_digest.cache_clear()
    yield path
    source_digest.cache_clear()


def forms_spec(source: Path, settings: dict[str, Any] | None = None) -> Any:
    text = spec("forms.build", group="data", settings=settings or {}, sources={"authored": source})
    return json.loads(text)


def test_what_it_holds(source: Path) -> None:
    found = forms_spec(source, {"seed": 1})
    assert set(found) == {"step", "code", "environment", "settings", "sources"}
    assert found["step"] == "forms.build"
    assert {"mimic.forms.build", "mimic.forms.settings", "mimic.step"} <= set(found["code"])
    assert found["environment"] == {"data": group_digest("data")}
    assert found["sources"] == {"authored": [sha256_file(source)]}


def test_what_outlives_a_job_counts_its_code_and_its_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = code_digest("forms.draw", group="data")
    assert before == code_digest("forms.draw", group="data")
    assert before != code_digest("forms.build", group="data")
    assert before != code_digest("forms.draw", group="train")
    code = specs.step_code("forms.draw")
    monkeypatch.setattr(specs, "step_code", lambda _: code | {"mimic.files": "0" * 16})
    assert before != code_digest("forms.draw", group="data")


def test_equal_specs_are_equal_strings(source: Path) -> None:
    def text(settings: dict[str, Any]) -> str:
        return spec("forms.build", group="data", settings=settings, sources={"authored": source})

    assert text({"a": 1, "b": {"c": 2, "d": 3}}) == text({"b": {"d": 3, "c": 2}, "a": 1})
    assert text({"a": 1}) != text({"a": 2})
    assert " " not in text({"a": 1})


def test_it_does_not_depend_on_where_a_source_lies(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "other.yaml"
    copy.parent.mkdir()
    copy.write_bytes(source.read_bytes())
    assert forms_spec(copy) == forms_spec(source)


def test_an_edit_with_the_old_time_is_seen(source: Path) -> None:
    before, status = forms_spec(source), source.stat()
    source.write_text("version: 12\n")
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert forms_spec(source)["sources"] != before["sources"]


def test_an_edit_with_the_old_time_and_size_is_seen_by_the_next_process(source: Path) -> None:
    before, status = forms_spec(source), source.stat()
    source.write_text("version: 2\n")
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    # One invocation of Snakemake reads each source once.
    source_digest.cache_clear()
    assert source.stat().st_size == status.st_size
    assert forms_spec(source)["sources"] != before["sources"]


def test_a_touched_source_changes_nothing(source: Path) -> None:
    before = forms_spec(source)
    os.utime(source, ns=(1, 1))
    assert forms_spec(source) == before


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"authored of forms\.build") as caught:
        forms_spec(tmp_path / "none.yaml")
    assert str(tmp_path / "none.yaml") in str(caught.value)
    assert "Mend the path" in str(caught.value)


def test_an_unknown_step_or_number_is_refused(source: Path) -> None:
    with pytest.raises(ValueError, match=r"no module mimic\.forms\.biuld"):
        spec("forms.biuld", group="data", settings={})
    with pytest.raises(ValueError, match="not JSON compliant"):
        forms_spec(source, {"rate": float("nan")})


def test_the_files_of_a_job() -> None:
    # Snakemake gives one file as text, several as a list.
    text = job_files(
        {"run": "smollm2-sft-s1"},
        {"model": "results/m/manifest.json", "answers": ["a", "b"], "adapter": []},
        ["results/x/manifest.json"],
        root="results",
        rule="questionnaire",
    )
    assert json.loads(text) == {
        "inputs": {"model": ["results/m/manifest.json"], "answers": ["a", "b"], "adapter": []},
        "outputs": ["results/x/manifest.json"],
        "root": "results",
        "rule": "questionnaire",
        "run": "smollm2-sft-s1",
    }
    # What a training is made from is the same behind a pack.
    packed = {"model": "results/m/manifest.json", "pack": ["results/finetune/.packs/a.tsv"]}
    behind = json.loads(job_files({}, packed, ["results/x"], root="results", rule="finetune"))
    assert behind["inputs"] == {"model": ["results/m/manifest.json"]}
    assert behind["pack"] == "results/finetune/.packs/a.tsv"
    # Snakemake's stand-in for large files is none of the job's.
    large = {"essays": "results/essays/essays.csv", "digests": ["results/essays/manifest.json"]}
    alone = json.loads(job_files({}, large, ["results/x"], root="results", rule="pairs"))
    assert alone["inputs"] == {"essays": ["results/essays/essays.csv"]}
    none = json.loads(job_files({}, {}, ["results/x"], root="results", rule="all"))
    assert none["run"] is None


def test_jobs_use_the_python_of_snakemake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin" / "python"))
    use_this_python()
    use_this_python()
    assert os.environ["PATH"] == f"{tmp_path / 'bin'}{os.pathsep}/usr/bin"
