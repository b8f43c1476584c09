import csv
import io
from pathlib import Path

import pandas as pd
import pytest

from mimic.essays.load import read_csv, read_hub
from mimic.traits import Profile

HEADER = ["#AUTHID", "TEXT", "cEXT", "cNEU", "cAGR", "cCON", "cOPN"]
REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "essays_real.csv"
HUB_ROWS = [
    {"O": "1", "C": "0", "E": "0", "A": "1", "N": "1", "ptype": "18", "text": "one day"},
    {"O": "0", "C": "1", "E": "1", "A": "0", "N": "0", "ptype": "12", "text": "two days"},
    {"O": "1", "C": "1", "E": "1", "A": "1", "N": "0", "ptype": "30", "text": "three days"},
]


def corpus(tmp_path: Path, rows: list[list[str]], *, encoding: str = "utf-8") -> Path:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    path = tmp_path / "essays.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def hub_copy(tmp_path: Path, rows: list[dict[str, str]], *, suffix: str) -> Path:
    folder = tmp_path / "copy"
    folder.mkdir()
    for split, row in zip(("train", "validation", "test"), rows, strict=True):
        table = pd.DataFrame([row])
        if suffix == "csv":
            table.to_csv(folder / f"{split}.csv", index=False)
        else:
            table.to_parquet(folder / f"{split}.parquet", index=False)
    return folder


@pytest.fixture
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def test_labels_go_to_their_traits_whatever_the_columns_order(tmp_path: Path) -> None:
    rows = [
        [*HEADER, "note"],
        ["a", "text", "y", "n", "HIGH", "Low", "1", "x"],
        ["b", "text", "0", "1", "n", "Y", "high", ""],
    ]
    first, second = read_csv(corpus(tmp_path, rows)).essays
    assert first.profile == Profile.parse("O+C-E+A+N-")
    assert second.profile == Profile.parse("O+C+E-A-N+")
    assert (first.row, second.row) == (2, 3)


@pytest.mark.parametrize(
    ("encoding", "found", "text"),
    [
        ("utf-8", "utf-8", "it’s “naïve” — 日本"),
        ("utf-8-sig", "utf-8", "it’s"),
        ("windows-1252", "windows-1252", "it’s “naïve” — fine"),
    ],
)
def test_auto_finds_the_encoding(tmp_path: Path, encoding: str, found: str, text: str) -> None:
    path = corpus(tmp_path, [HEADER, ["a", text, *"ynyny"]], encoding=encoding)
    result = read_csv(path)
    assert result.encoding == found
    assert result.essays[0].text == text
    assert result.essays[0].author == "a"


def test_auto_falls_back_to_iso_8859_1(tmp_path: Path) -> None:
    # 0x81 is nothing in windows-1252; 0x92 is an apostrophe there and a control character here.
    path = corpus(tmp_path, [HEADER, ["a", "it\x92s na\xefve \x81", *"ynyny"]], encoding="latin-1")
    result = read_csv(path)
    assert result.encoding == "iso-8859-1"
    assert result.essays[0].text == "it’s naïve  "


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_an_unknown_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    path = corpus(tmp_path, [HEADER, ["a", "text", *"ynyny"]], encoding=encoding)
    with pytest.raises(ValueError, match=r"essays\.csv: unknown encoding.*save it as UTF-8"):
        read_csv(path)


def test_binary_contents_are_no_essays(tmp_path: Path) -> None:
    path = tmp_path / "essays.csv"
    path.write_bytes(b"PK\x03\x04\x14\x00\x00\x00")
    with pytest.raises(ValueError, match="unknown encoding"):
        read_csv(path)


def test_the_wrong_encoding_is_named_with_the_byte(tmp_path: Path) -> None:
    path = corpus(tmp_path, [HEADER, ["a", "naïve", *"ynyny"]], encoding="latin-1")
    with pytest.raises(ValueError, match=r"not encoded as utf-8: byte 0xef at offset \d+"):
        read_csv(path, encoding="utf-8")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.csv: no such file"):
        read_csv(tmp_path / "nowhere.csv")


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = corpus(tmp_path, [[*HEADER[:5], "other", "cOPN"], ["a", "text", *"ynyny"]])
    with pytest.raises(ValueError, match=r"essays\.csv: no column cCON in the header.*other"):
        read_csv(path)


def test_an_empty_file_has_no_columns(tmp_path: Path) -> None:
    (tmp_path / "essays.csv").write_bytes(b"")
    with pytest.raises(ValueError, match="no column #AUTHID, TEXT"):
        read_csv(tmp_path / "essays.csv")


@pytest.mark.parametrize("label", ["", "maybe", "2", "yes"])
def test_a_bad_label_is_named_with_row_and_column(tmp_path: Path, label: str) -> None:
    rows = [HEADER, ["a", "text", *"ynyny"], ["b", "text", "y", label, "n", "y", "n"]]
    with pytest.raises(ValueError, match="is no label") as caught:
        read_csv(corpus(tmp_path, rows))
    for part in ("essays.csv: row 3, column cNEU (neuroticism)", repr(label), "y or n"):
        assert part in str(caught.value)


def test_an_unclosed_quotation_mark_is_named(tmp_path: Path) -> None:
    path = tmp_path / "essays.csv"
    path.write_text(",".join(HEADER) + '\na,"no end,y,n,y,n,y\nb,text,y,n,y,n,y\n')
    with pytest.raises(ValueError, match="row 2 has 2 fields, the header 7"):
        read_csv(path)


def test_a_very_long_essay_is_read(tmp_path: Path) -> None:
    path = corpus(tmp_path, [HEADER, ["a", "word " * 50_000, *"ynyny"]])
    assert len(read_csv(path).essays[0].text) == 250_000


@pytest.mark.parametrize("encoding", ["auto", "windows-1252", "iso-8859-1"])
def test_the_real_corpus_loads(encoding: str) -> None:
    if not REAL.is_file():
        pytest.skip("the sample of the real corpus lies outside of the repository")
    result = read_csv(REAL, encoding=encoding)
    assert len(result.essays) == 393
    assert result.essays == read_csv(REAL).essays
    for column, high in zip(range(5), (195, 205, 199, 210, 198), strict=True):
        assert sum(e.profile.levels[column] for e in result.essays) == high


@pytest.mark.usefixtures("_own_cache")
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_all_splits_of_a_copy_of_the_hub_layout_load(tmp_path: Path, suffix: str) -> None:
    folder = hub_copy(tmp_path, HUB_ROWS, suffix=suffix)
    result = read_hub(str(folder), revision="0123abc")
    assert {e.text: str(e.profile) for e in result.essays} == {
        "one day": "O+C-E-A+N+",
        "two days": "O-C+E+A-N-",
        "three days": "O+C+E+A+N-",
    }
    assert [e.row for e in result.essays] == [1, 2, 3]
    assert {e.author for e in result.essays} == {None}


@pytest.mark.usefixtures("_own_cache")
def test_a_hub_copy_without_a_label_is_named(tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if k != "A"} for row in HUB_ROWS]
    folder = hub_copy(tmp_path, rows, suffix="parquet")
    with pytest.raises(ValueError, match="at revision 0123abc: no column A in the header"):
        read_hub(str(folder), revision="0123abc")


@pytest.mark.usefixtures("_own_cache")
def test_a_bad_label_of_a_hub_copy_is_named(tmp_path: Path) -> None:
    rows = [*HUB_ROWS[:2], {**HUB_ROWS[2], "N": "5"}]
    folder = hub_copy(tmp_path, rows, suffix="parquet")
    with pytest.raises(ValueError, match=r"row 3, column N \(neuroticism\): '5' is no label"):
        read_hub(str(folder), revision="0123abc")


@pytest.mark.usefixtures("_own_cache")
def test_an_empty_folder_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with pytest.raises(ValueError, match=r"could not be loaded.*essays\.source\.name"):
        read_hub(str(tmp_path / "copy"), revision="0123abc")
