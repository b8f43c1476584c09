"""Files that appear whole, by one rename."""

import errno
from pathlib import Path
from typing import Any

import pytest

from mimic.files import read_json, write_json
from mimic.provenance import placing
from mimic.provenance.placing import write_json_whole


def test_a_full_disk_leaves_the_former_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "attempts.json"
    write_json_whole(path, {"attempts": 1})

    def full(place: Path, _value: Any) -> None:
        place.write_text("{")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(placing, "write_json", full)
    with pytest.raises(OSError, match="No space left"):
        write_json_whole(path, {"attempts": 2})
    assert read_json(path) == {"attempts": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_two_that_write_one_file_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "note.json"

    def meanwhile(place: Path, value: Any) -> None:
        write_json(place, value)
        if value == "first":
            write_json_whole(path, "second")
            assert read_json(path) == "second"

    monkeypatch.setattr(placing, "write_json", meanwhile)
    write_json_whole(path, "first")
    assert read_json(path) == "first"
    assert list(tmp_path.iterdir()) == [path]
