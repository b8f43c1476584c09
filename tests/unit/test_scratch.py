"""A folder on a node's own disk for a step's temporary files."""

from pathlib import Path

import pytest

from mimic.provenance.scratch import VARIABLE, scratch_folder


def test_it_lies_where_the_job_s_variable_says_and_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("DISK", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "$DISK")
    with scratch_folder() as variables:
        folder = Path(variables["TMPDIR"])
        assert folder.parent == tmp_path
        (folder / "left").write_text("x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", [None, "", "$NOT_SET", "/nowhere/at/all"])
def test_without_one_nothing_changes(named, monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    monkeypatch.delenv(VARIABLE, raising=False)
    if named is not None:
        monkeypatch.setenv(VARIABLE, named)
    with scratch_folder() as variables:
        assert variables == {}
