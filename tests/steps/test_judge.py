import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mimic.judge import read, train
from mimic.pairs.published import Split, with_published_roles
from mimic.step import Job
from mimic.traits import ALL_PROFILES, TRAITS

TRAIT_WORDS = Path(__file__).parents[2] / "workflow" / "resources" / "trait_words.yaml"
SIGNALS = dict(zip(TRAITS, ["river", "timetable", "party", "gift", "thunder"], strict=True))
WORDS = [
    "the",
    "a",
    "cat",
    "house",
    "street",
    "went",
    "came",
    "then",
    "there",
    "some",
    "bread",
    "water",
    "green",
    "walked",
]
SETTINGS = {"judge": {"features": ["tfidf"], "c_values": [1.0, 100.0]}}
HUMAN = {"corpus_kind": "human"}
COMPUTE = {"compute": {"threads": 1}, "corpus_kind": "composed", "reference": "T"}


def essays_table(copies: int = 4) -> pd.DataFrame:
    """Each profile `copies` times; a trait's word stands in the texts that are high in it."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for copy in range(copies):
        for profile in ALL_PROFILES:
            levels = dict(zip(TRAITS, profile.levels, strict=True))
            words = [*rng.choice(WORDS, 20), *(SIGNALS[t] for t in TRAITS * 3 if levels[t])]
            rng.shuffle(words)
            index = len(rows)
            rows.append(
                {
                    "id": f"e{index}",
                    "text": " ".join(words),
                    **{trait: int(level) for trait, level in levels.items()},
                    "profile": str(profile),
                    "words": len(words),
                    "cluster": index,
                    "role": {0: "G", copies - 1: "T"}.get(copy, "E"),
                    "validation": 0,
                }
            )
    return pd.DataFrame(rows)


def write_essays(folder: Path, table: pd.DataFrame) -> Path:
    folder.mkdir()
    table.to_csv(folder / "essays.csv", index=False)
    return folder / "essays.csv"


def run_train(out: Path, essays: Path, settings: dict[str, Any] = SETTINGS) -> dict[str, Any]:
    out.mkdir()
    inputs = {"essays": [essays], "trait_words": [TRAIT_WORDS]}
    train.main(Job(name="judge", settings={**COMPUTE, **settings}, inputs=inputs, out=out))
    (out / "manifest.json").write_text("{}")
    figure: dict[str, Any] = json.loads((out / "figure.json").read_text())
    return figure


def run_read(out: Path, judge: Path, texts: list[str]) -> pd.DataFrame:
    out.mkdir()
    pd.DataFrame(
        {
            "id": [f"t{i}" for i in range(len(texts))],
            "profile": "O+C+E+A+N+",
            "situation": "letter",
            "sample": 0,
            "text": texts,
            "trait_words": 0,
            "copied": 0,
            "repetition": 0.0,
        }
    ).to_csv(out / "texts.csv", index=False)
    inputs = {
        "judge": [judge / "manifest.json"],
        "texts": [out / "texts.csv"],
        "trait_words": [TRAIT_WORDS],
    }
    read.main(Job(name="read", settings=COMPUTE, inputs=inputs, out=out))
    return pd.read_csv(out / "probabilities.csv")


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("judge")
    run_train(base / "judge", write_essays(base / "essays", essays_table()))
    return base / "judge"


def test_figure_has_what_the_report_reads(judge: Path):
    figure = json.loads((judge / "figure.json").read_text())
    assert figure["trained_on"] == {"role": "E", "essays": 64, "clusters": 64}
    assert figure["features"] == "tfidf"
    assert len(figure["selection"]) == 2
    assert figure["reference_name"] == "composed reference"
    assert figure["masked"] is True
    assert figure["majority_accuracy"] == dict.fromkeys(TRAITS, 0.5)
    assert figure["reference_majority_accuracy"] == dict.fromkeys(TRAITS, 0.5)
    for part, count in (("cross_validation", 64), ("reference", 32)):
        assert set(figure[part]) == {"accuracy", "mean_accuracy", "auc", "exact_match"}
        for estimate in [*figure[part]["accuracy"].values(), *figure[part]["auc"].values()]:
            assert estimate["value"] > 0.9
            assert estimate["low"] <= estimate["value"] <= estimate["high"]
            assert estimate["n"] == count
    assert figure["cross_validation"]["exact_match"]["interval"] == "wilson"
    assert figure["deletion_control"]["mean_accuracy"]["value"] < 0.65


def test_training_is_repeatable_and_sees_role_e_alone(tmp_path: Path, judge: Path):
    table = essays_table()
    table.loc[table["role"] == "G", "text"] = "something else altogether"
    again = tmp_path / "again"
    figure = run_train(again, write_essays(tmp_path / "essays", table), SETTINGS | HUMAN)
    assert figure["reference_name"] == "human reference"
    for name in ("judge.npz", "judge.json"):
        assert (again / name).read_bytes() == (judge / name).read_bytes()


def test_probabilities_have_their_columns_and_follow_the_text(tmp_path: Path, judge: Path):
    found = run_read(
        tmp_path / "read",
        judge,
        ["the cat river party party river", "gift thunder timetable gift", "", "NA"],
    )
    assert list(found.columns) == [
        "id", "profile", "situation", "sample", "copied", "deleted", *TRAITS
    ]  # fmt: skip
    assert list(found["id"]) == ["t0", "t1", "t2", "t3"]
    high = found[list(TRAITS)] > 0.5
    assert high.iloc[0].tolist() == [True, False, True, False, False]
    assert high.iloc[1].tolist() == [False, True, False, True, True]
    assert (found.loc[2, list(TRAITS)] == found.loc[3, list(TRAITS)]).all()


def test_masked_words_make_no_difference(tmp_path: Path, judge: Path):
    plain = "the cat went there river gift"
    loaded = "the creative cat went lazy there anxious river talkative gift"
    found = run_read(tmp_path / "read", judge, [plain, loaded])
    assert found["deleted"].tolist() == [0, 4]
    assert found.loc[0, list(TRAITS)].tolist() == found.loc[1, list(TRAITS)].tolist()


def test_a_writer_of_trait_words_is_found_only_without_masking(tmp_path: Path):
    table = essays_table()
    trait_words = ["creative", "organised", "talkative", "warm", "anxious"]
    for signal, word in zip(SIGNALS.values(), trait_words, strict=True):
        table["text"] = table["text"].str.replace(signal, word)
    essays = write_essays(tmp_path / "essays", table)
    masked = run_train(tmp_path / "masked", essays)
    bare = run_train(tmp_path / "bare", essays, {"judge": {**SETTINGS["judge"], "masked": False}})
    assert bare["cross_validation"]["mean_accuracy"]["value"] > 0.9
    assert masked["cross_validation"]["mean_accuracy"]["value"] < 0.62


def test_a_cluster_in_two_roles_is_refused(tmp_path: Path):
    table = essays_table()
    first = table.index[table["role"] == "E"][0]
    table.loc[table.index[table["role"] == "G"][0], "cluster"] = table.loc[first, "cluster"]
    with pytest.raises(ValueError, match=r"cluster 32 has essays of role E and of role G"):
        run_train(tmp_path / "out", write_essays(tmp_path / "essays", table))


def test_missing_roles_and_levels_are_refused(tmp_path: Path):
    table = essays_table()
    with pytest.raises(ValueError, match="no essays of role T"):
        run_train(tmp_path / "a", write_essays(tmp_path / "no_t", table[table["role"] != "T"]))
    with pytest.raises(ValueError, match="0 cluster.*low neuroticism"):
        run_train(tmp_path / "b", write_essays(tmp_path / "single", table.assign(neuroticism=1)))


def test_a_table_without_a_column_or_rows_is_refused(tmp_path: Path, judge: Path):
    table = essays_table()
    with pytest.raises(ValueError, match=r"essays\.csv: no column cluster"):
        run_train(tmp_path / "a", write_essays(tmp_path / "e", table.drop(columns="cluster")))
    none = write_essays(tmp_path / "none", table[:0])
    with pytest.raises(ValueError, match=r"essays\.csv: no rows"):
        run_train(tmp_path / "b", none)


def test_a_run_that_wrote_nothing_has_no_probabilities(tmp_path: Path, judge: Path):
    assert run_read(tmp_path / "none", judge, []).empty


def test_sentence_embeddings_train_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table = essays_table()
    topic = {0: "We sailed on the cold sea past the harbour.", 1: "The bank raised its loan rates."}
    table["text"] = [topic[level] for level in table["openness"]]
    settings = {"judge": {"features": ["minilm"], "c_values": [10.0]}}
    figure = run_train(tmp_path / "judge", write_essays(tmp_path / "essays", table), settings)
    assert figure["reference"]["accuracy"]["openness"]["value"] == 1.0
    found = run_read(
        tmp_path / "read", tmp_path / "judge", ["Ships and waves.", "Interest on a mortgage."]
    )
    assert found["openness"][0] < 0.5 < found["openness"][1]

    other = tmp_path / "other"
    other.mkdir()
    (other / "model.safetensors").write_bytes(b"else")
    monkeypatch.setattr("mimic.judge.read.embedder_folder", lambda: other)
    with pytest.raises(ValueError, match="not the embedder"):
        run_read(tmp_path / "c", tmp_path / "judge", ["x"])


def test_a_judge_without_a_reference_part_has_its_cross_validation(tmp_path: Path, judge: Path):
    table = essays_table()
    table = table[table["role"] != "T"]
    settings = SETTINGS | {"reference": "cross-validation"}
    figure = run_train(tmp_path / "out", write_essays(tmp_path / "essays", table), settings)
    assert figure["reference"] == figure["cross_validation"]
    assert figure["reference_name"] == "composed reference, by cross-validation"
    assert (tmp_path / "out/judge.npz").read_bytes() == (judge / "judge.npz").read_bytes()


@pytest.mark.parametrize("split", ["published-sft", "published-preferences"])
def test_a_judge_that_shares_a_cluster_with_a_training_is_refused(tmp_path: Path, split: Split):
    table = essays_table()
    # Two essays of each author, in different places of the file.
    table["cluster"] = table.index % 100
    rows = np.random.default_rng(1).permutation(len(table))
    parted = with_published_roles(table, rows=rows, split=split)
    trained = set(parted.loc[parted["role"] == "G", "cluster"])
    assert not trained & set(parted.loc[parted["role"] == "E", "cluster"])
    assert (parted["role"] == "none").any()
    settings = SETTINGS | {"reference": "cross-validation"}
    # As the split itself would have it, the judge would read what the runs learned from.
    parted["role"] = parted["role"].replace("none", "E")
    with pytest.raises(ValueError, match="such cluster.s..; the judge would read what it or a run"):
        run_train(tmp_path / "out", write_essays(tmp_path / "essays", parted), settings)
