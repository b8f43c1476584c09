import csv
import json
import os
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mimic.essays.prepare import main
from mimic.step import Job

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "workflow" / "resources" / "composed_essays.csv"
PATTERNS = CORPUS.with_name("moderation.yaml")
REAL = ROOT / ".." / "shared" / "data" / "essays_real.csv"
ROLES_OF_FOUR = {"G": 0.5, "R": 0.15, "E": 0.25, "T": 0.1}


def prepare(out: Path, path: Path | None = CORPUS, **settings: Any) -> Path:
    out.mkdir(exist_ok=True)
    inputs = {"moderation": [PATTERNS], **({} if path is None else {"corpus": [path]})}
    main(Job(name="essays", settings={"essays": settings}, inputs=inputs, out=out))
    return out


def composed_rows() -> list[list[str]]:
    with CORPUS.open(encoding="utf-8", newline="") as handle:
        return list(csv.reader(handle))


def write_rows(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows(rows)
    return path


def csv_source(path: Path) -> dict[str, Any]:
    return {"kind": "csv", "path": str(path), "composed": True}


def summary(out: Path) -> Any:
    return json.loads((out / "summary.json").read_text(encoding="utf-8"))


def test_the_composed_corpus(tmp_path: Path) -> None:
    out = prepare(tmp_path)
    table = pd.read_csv(out / "essays.csv")
    assert list(table) == [
        *("id", "text", "openness", "conscientiousness", "extraversion", "agreeableness"),
        *("neuroticism", "profile", "words", "cluster", "role", "validation"),
    ]
    assert table["role"].value_counts().to_dict() == {"G": 48, "E": 32, "T": 16}
    assert set(table.loc[table["validation"] == 1, "role"]) == {"G"}
    assert (out / "rejected.csv").read_text() == "row,id,reason\n"
    by_id = {row[0]: row for row in composed_rows()[1:]}
    for row in table.itertuples():
        assert by_id[str(row.id)][1] == row.text
        assert [row.extraversion, row.openness] == [
            int(by_id[str(row.id)][k] == "y") for k in (2, 6)
        ]

    found = summary(out)
    assert (found["kind"], found["essays"], found["clusters"]) == ("composed", 96, 96)
    assert found["roles"]["G"]["validation"] == 10
    assert found["roles"]["E"]["missing_profiles"] == []
    assert len(found["roles"]["T"]["missing_profiles"]) == 16
    assert found["roles"]["E"]["high"]["openness"] + found["roles"]["E"]["low"]["openness"] == 32


def test_the_same_essays_in_another_order_give_the_same_bytes(tmp_path: Path) -> None:
    header, *rows = composed_rows()
    random.Random(5).shuffle(rows)
    moved = write_rows(tmp_path / "moved.csv", [header, *rows])
    first = prepare(tmp_path / "a")
    second = prepare(tmp_path / "b", moved, source=csv_source(moved))
    assert (first / "essays.csv").read_bytes() == (second / "essays.csv").read_bytes()


def test_no_cluster_stands_in_two_roles(tmp_path: Path) -> None:
    rows = composed_rows()
    for i in range(1, 21):  # a copy with another ending and, for some, another author's essay
        text = " ".join(rows[i][1].split()[:-10]) + " and that was that"
        author = rows[i + 40][0] if i % 4 == 0 else f"again_{i}"
        rows.append([author, text, *rows[i][2:]])
    path = write_rows(tmp_path / "corpus.csv", rows)
    table = pd.read_csv(prepare(tmp_path / "out", path, source=csv_source(path)) / "essays.csv")
    assert len(table) == 116
    assert table["cluster"].nunique() == 116 - 20 - 5
    assert (table.groupby("cluster")["role"].nunique() == 1).all()
    assert (table.groupby("cluster")["validation"].nunique() == 1).all()
    assert table["id"].is_unique
    assert table["role"].value_counts().to_dict() == {"G": 58, "E": 39, "T": 19}


def test_unusable_rows_are_rejected_with_reasons(tmp_path: Path) -> None:
    rows = composed_rows()
    flipped = ["n" if label == "y" else "y" for label in rows[1][2:]]
    rows += [
        ["empty", "  ", *"ynyny"],
        ["short", "Word", *"ynyny"],
        ["other", rows[1][1], *flipped],
        ["twice", rows[2][1], *rows[2][2:]],
    ]
    path = write_rows(tmp_path / "corpus.csv", rows)
    out = prepare(tmp_path / "out", path, source=csv_source(path))
    assert (out / "rejected.csv").read_text().splitlines() == [
        "row,id,reason",
        "2,composed_00,same text with different labels",
        "98,empty,empty",
        "99,short,too few words",
        "100,other,same text with different labels",
        "101,twice,same text and labels as another row",
    ]
    found = summary(out)
    assert (found["rows"], found["essays"]) == (100, 95)
    assert found["rejected"]["same text with different labels"] == 2


def test_a_corpus_without_usable_essays_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none of the 96 rows.*'too few words': 96"):
        prepare(tmp_path, min_words=1000)


def test_a_role_that_lacks_a_class_is_refused(tmp_path: Path) -> None:
    header, *rows = composed_rows()
    path = write_rows(tmp_path / "corpus.csv", [header, *([*row[:6], "y"] for row in rows)])
    with pytest.raises(ValueError, match="has no essay with low openness"):
        prepare(tmp_path / "out", path, source=csv_source(path))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.csv"
    with pytest.raises(ValueError, match=r"nowhere\.csv: no such file"):
        prepare(tmp_path, path, source=csv_source(path))


def test_the_real_corpus(tmp_path: Path) -> None:
    if not REAL.is_file():
        pytest.skip("the sample of the real corpus lies outside of the repository")
    source = {"kind": "csv", "path": str(REAL), "name": "essays"}
    unfiltered: dict[str, Any] = {"moderation": {"kind": "none"}}
    out = prepare(tmp_path / "all", REAL, source=source, roles=ROLES_OF_FOUR, **unfiltered)
    found = summary(out)
    assert (found["corpus"], found["kind"]) == ("essays", "human")
    assert (found["essays"], found["encoding"]) == (393, "windows-1252")
    assert {role: part["essays"] for role, part in found["roles"].items()} == {
        **{"G": 197, "R": 59, "E": 98, "T": 39}
    }
    # docs/moderation.md has these figures.
    moderated = summary(prepare(tmp_path / "kept", REAL, source=source, roles=ROLES_OF_FOUR))
    assert moderated["essays"] == 363
    assert moderated["moderation"]["categories"] == {
        **{"sexual": 12, "self-harm": 6, "violence": 11, "hate": 1, "harassment": 4}
    }


def test_a_copy_of_the_hub_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    _, *rows = composed_rows()
    columns = ["O", "C", "E", "A", "N", "ptype", "text"]
    table = pd.DataFrame(
        [["01"[row[k] == "y"] for k in (6, 5, 2, 4, 3)] + ["0", row[1]] for row in rows],
        columns=columns,
    )
    folder = tmp_path / "copy"
    folder.mkdir()
    parts = {"train": table[:60], "validation": table[60:70], "test": table[70:]}
    for split, part in parts.items():
        part.to_parquet(folder / f"{split}.parquet", index=False)
    source = {
        "kind": "hub",
        "name": os.path.relpath(folder),
        "revision": "0123abc",
        "composed": True,
    }
    out = prepare(tmp_path / "out", None, source=source)
    found = summary(out)
    assert (found["revision"], found["essays"]) == ("0123abc", 96)
    ours = pd.read_csv(prepare(tmp_path / "embedded") / "essays.csv").set_index("text")
    theirs = pd.read_csv(out / "essays.csv").set_index("text")
    same = ["profile", "role", "validation", "cluster"]
    pd.testing.assert_frame_equal(ours[same].sort_index(), theirs[same].sort_index())
