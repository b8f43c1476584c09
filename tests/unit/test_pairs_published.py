"""The published splits: by rows, with roles for training and judge."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from mimic.pairs.published import with_published_roles


def essays(count=200, *, authors=200):
    return pd.DataFrame(
        {
            "id": [f"e{n:03}" for n in range(count)],
            "cluster": np.arange(count) % authors,
            "role": "G",
            "validation": 0,
        }
    )


def test_preferences_train_on_the_first_nine_tenths_of_the_rows():
    table = essays()
    rows = np.random.default_rng(1).permutation(len(table)) + 2
    found = with_published_roles(table, rows=rows, split="published-preferences")
    first = np.argsort(rows)[:180]
    assert set(found.index[found["role"] == "G"]) == set(first)
    # What is left over is for validation and for the judge.
    outside = found[found["role"] != "G"]
    assert set(outside["role"]) == {"E"}
    assert set(found.index[found["validation"] == 1]) == set(outside.index)


def test_sft_trains_on_eighty_percent_by_the_published_seed():
    table = essays()
    rows = np.arange(len(table))[::-1]
    found = with_published_roles(table, rows=rows, split="published-sft")
    counts = found["role"].value_counts().to_dict()
    assert counts == {"G": 160, "E": 40}
    assert found["validation"].sum() == 20
    assert not found.loc[found["role"] == "G", "validation"].any()
    in_order = table["id"].to_list()[::-1]
    train, _ = train_test_split(in_order, test_size=0.2, random_state=42)
    assert set(found.loc[found["role"] == "G", "id"]) == set(train)


def test_the_order_of_the_table_changes_no_role():
    table = essays()
    rows = np.random.default_rng(1).permutation(len(table))
    mixed = np.random.default_rng(2).permutation(len(table))
    first = with_published_roles(table, rows=rows, split="published-sft")
    second = with_published_roles(
        table.iloc[mixed].reset_index(drop=True), rows=rows[mixed], split="published-sft"
    )
    roles = [dict(zip(t["id"], t["role"], strict=True)) for t in (first, second)]
    assert roles[0] == roles[1]


@pytest.mark.parametrize("split", ["published-sft", "published-preferences"])
def test_essays_of_trained_authors_are_kept_from_the_judge(split):
    table = essays(authors=150)
    rows = np.random.default_rng(3).permutation(len(table))
    found = with_published_roles(table, rows=rows, split=split)
    by_role = found.groupby("role")["cluster"].agg(set)
    assert not by_role["E"] & by_role["G"]
    assert by_role["none"] <= by_role["G"]
    with pytest.raises(
        ValueError, match="leaves no essay outside.*set the recipe's split to roles"
    ):
        with_published_roles(essays(authors=2), rows=rows, split=split)
