"""`mimic audit`: notes that don't fit their records, and what it remarks of sources and code."""

from pathlib import Path

import pytest
from made_up_study import ADAPTER, ESSAYS, METRICS, ROOT, call_of, run

from mimic.files import read_json, sha256_file, write_json
from mimic.provenance.audit import Audit, Misfit
from mimic.provenance.fingerprint import module_bytes
from mimic.provenance.notes import note_file
from mimic.provenance.store import Store


def audit(store: Store, path: str = METRICS) -> Audit:
    found = Audit(ROOT, store)
    found.follow(Path(path))
    return found


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"adapter": [ADAPTER]}, "its note and its record name different inputs"),
        (
            {"adapter": [ADAPTER], "essays": [ESSAYS], "more": [ESSAYS]},
            "its note and its record name different inputs",
        ),
        (
            {"adapter": [ADAPTER], "essays": [ESSAYS, ESSAYS]},
            "its note and its record differ in the input essays",
        ),
        (
            {"adapter": [ADAPTER], "essays": []},
            "its note and its record differ in the input essays",
        ),
        ({"adapter": [ADAPTER], "essays": [ADAPTER]}, f"not those that {METRICS} was made from"),
    ],
)
def test_a_note_that_names_other_inputs(
    store: Store, made: dict[str, str], inputs: dict[str, list[str]], words: str
) -> None:
    place = note_file(ROOT, Path(METRICS))
    write_json(place, read_json(place) | {"inputs": inputs})
    with pytest.raises(Misfit, match=words):
        audit(store)


def test_a_file_that_its_record_does_not_name(store: Store, made: dict[str, str]) -> None:
    other = Path("results/metrics/other.json")
    other.write_bytes(Path(METRICS).read_bytes())
    values = read_json(note_file(ROOT, Path(METRICS)))
    write_json(note_file(ROOT, other), values | {"output": "metrics/other.json"})
    with pytest.raises(Misfit, match=rf"^{other}: its bytes are not those that were recorded"):
        audit(store, str(other))


def test_sources_are_named_by_their_bytes(store: Store, made: dict[str, str]) -> None:
    corpus = Path("corpus.csv")
    assert audit(store).sources == {corpus: sha256_file(corpus)}


def test_code_that_was_edited_since_is_a_remark(store: Store, made: dict[str, str]) -> None:
    code = {"mimic.files": "1"}
    for name, sha256 in (("a", str(module_bytes("mimic.files"))), ("b", "0" * 64)):
        call = call_of("judge", [f"results/judge/{name}.csv"], inputs={}, code=code)
        call.spec["settings"]["name"] = name
        run(store, call, {f"{name}.csv": name}, file_sha256=sha256)
    found = audit(store, "results/judge/a.csv")
    found.follow(Path("results/judge/b.csv"))
    remarks = {path.name: output.remarks for path, output in found.outputs.items()}
    assert remarks == {"a.csv": (), "b.csv": ("edited since: mimic.files",)}
