"""What the submitting process found, and jobs that find something else."""

import functools
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from mimic.files import sha256_file
from mimic.provenance import environment, submission
from mimic.provenance.fingerprint import all_steps, step_code
from mimic.provenance.specs import spec
from mimic.provenance.submission import (
    VARIABLE,
    check_drift,
    check_rules,
    check_spec,
    read_submission,
    submitted,
)
from mimic.provenance.submit import describe, place_of, write


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "authored.yaml"
    path.write_text("version: 1\n")
    return path


@pytest.fixture
def values(source: Path) -> dict[str, Any]:
    return describe(settings={"study": {"root": "results"}}, sources=[source])


def spec_of(source: Path) -> Any:
    return json.loads(spec("forms.build", group="data", settings={}, sources={"authored": source}))


def test_it_holds_all_steps_groups_and_sources(values: dict[str, Any], source: Path) -> None:
    assert set(values["code"]) == {*all_steps(), "study", "provenance.specs"}
    assert {"finetune.dpo", "metrics.study", "report.build"} <= set(values["code"])
    assert values["code"]["forms.build"] == step_code("forms.build")
    assert set(values["environment"]) == {"data", "train", "measure", "report"}
    assert "matplotlib" in values["environment"]["report"]["versions"]
    assert values["sources"] == {str(source): sha256_file(source)}


def test_what_nobody_changed_passes(values: dict[str, Any], source: Path) -> None:
    digests = {str(source): sha256_file(source)}
    check_drift(values, spec=spec_of(source), sources=digests)


def test_what_changed_is_named(values: dict[str, Any], source: Path) -> None:
    good = spec_of(source)
    edited = good | {"code": good["code"] | {"mimic.forms.draw": "0" * 16}}
    digests = {str(source): sha256_file(source)}
    for check in (check_spec, check_drift):
        with pytest.raises(ValueError, match=r"^mimic\.forms\.draw changed since the work was sub"):
            check(values, spec=edited, sources=digests)
        with pytest.raises(ValueError, match="environment data changed"):
            check(values, spec=good | {"environment": {"data": "0" * 16}}, sources=digests)
        with pytest.raises(ValueError, match=r"authored\.yaml changed"):
            check(values, spec=good, sources={str(source): "0" * 64})
        with pytest.raises(ValueError, match=r"unknown\.yaml changed"):
            check(values, spec=good, sources={"unknown.yaml": "0" * 64})


def test_an_edit_after_the_submission_is_seen_and_a_comment_is_none(
    values: dict[str, Any], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, digests = spec_of(source), {str(source): sha256_file(source)}
    bytes_now = submission.fingerprint.module_bytes

    def other_bytes(module: str) -> str | None:
        return "0" * 64 if module == "mimic.forms.draw" else bytes_now(module)

    # Other bytes with the same syntax tree: a comment.
    monkeypatch.setattr(submission.fingerprint, "module_bytes", other_bytes)
    check_drift(values, spec=good, sources=digests)
    code = submission.fingerprint.step_code
    monkeypatch.setattr(
        submission.fingerprint,
        "step_code",
        functools.cache(lambda step: code(step) | {"mimic.forms.draw": "0" * 16}),
    )
    with pytest.raises(ValueError, match=r"mimic\.forms\.draw changed"):
        check_drift(values, spec=good, sources=digests)
    # A hit is what was submitted, whatever the files say by now.
    check_spec(values, spec=good, sources=digests)


def test_rules_and_what_computes_params_are_compared(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("workflow/mimic", "workflow/rules"):
        shutil.copytree(project / name, tmp_path / name)
    shutil.copy(project / "Snakefile", tmp_path)
    monkeypatch.setattr(submission.fingerprint, "PACKAGE_ROOT", tmp_path / "workflow")
    submission.fingerprint.forget()
    values = describe(settings={}, sources=[])
    check_rules(values)

    def stopped_by(name: str, more: str) -> str:
        path = tmp_path / name
        before = path.read_text() if path.exists() else None
        path.write_text((before or "") + more)
        with pytest.raises(ValueError, match="changed since the work was submitted") as caught:
            check_rules(values)
        path.unlink() if before is None else path.write_text(before)
        check_rules(values)
        return str(caught.value).split(" changed")[0]

    try:
        for name in ("Snakefile", "workflow/rules/essays.smk", "workflow/rules/further.smk"):
            assert stopped_by(name, "# A comment.\n") == name
        for name in ("study", "recipes", "essays.settings", "provenance.specs"):
            path = f"workflow/mimic/{name.replace('.', '/')}.py"
            assert stopped_by(path, "EDITED = True\n") == f"mimic.{name}"
        study = tmp_path / "workflow/mimic/study.py"
        study.write_text(study.read_text() + "# A comment.\n")
        check_rules(values)
        # A submission of a version that compared no rules.
        former = {key: value for key, value in values.items() if key != "rules"}
        with pytest.raises(ValueError, match=r"^Snakefile, workflow/rules/common\.smk"):
            check_rules(former)
    finally:
        monkeypatch.undo()
        submission.fingerprint.forget()


def test_a_source_that_is_gone_is_named(values: dict[str, Any], source: Path) -> None:
    check_rules(values)
    source.unlink()
    with pytest.raises(ValueError, match=r"authored\.yaml changed since the work was submitted"):
        check_rules(values)


def install(folder: Path, name: str, version: str) -> None:
    place = folder / f"{name}-{version}.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_what_is_installed_after_the_submission_counts_where_a_step_needs_it(
    values: dict[str, Any], source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    good, digests = spec_of(source), {str(source): sha256_file(source)}
    folder = tmp_path / "installed"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    assert "numpy" in values["environment"]["data"]["versions"]
    assert "matplotlib" not in values["environment"]["data"]["versions"]
    install(folder, "matplotlib", "99.0")
    try:
        check_drift(values, spec=good, sources=digests)
        install(folder, "numpy", "99.0")
        with pytest.raises(ValueError, match="^environment data changed since the work was sub"):
            check_drift(values, spec=good, sources=digests)
    finally:
        monkeypatch.undo()
        environment.forget()


def test_its_file_is_named_by_its_contents(values: dict[str, Any], tmp_path: Path) -> None:
    path = place_of(values, tmp_path / "results")
    write(path, values)
    before = path.stat()
    os.utime(path, (0, 0))
    write(path, values)
    assert path.stat().st_ino == before.st_ino
    # What was submitted last is the newest file.
    assert path.stat().st_mtime_ns >= before.st_mtime_ns
    assert read_submission(path) == values
    assert place_of(values | {"git": {}}, tmp_path / "results") != path
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_file_that_is_gone_or_edited_is_refused(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert submitted() is None
    path = place_of(values, tmp_path)
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(ValueError, match="is gone; start snakemake again"):
        submitted()
    write(path, values)
    path.write_text(path.read_text().replace("results", "result5"))
    with pytest.raises(ValueError, match="was edited"):
        submitted()


def test_a_source_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.csv: can't be read"):
        describe(settings={}, sources=[tmp_path / "none.csv"])
