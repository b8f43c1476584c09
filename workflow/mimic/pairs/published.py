"""Step: the essays with the roles of the published splits, for runs that take those.

Of one split for SFT (Essays+Q among it), and one for DPO and ORPO.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from mimic.progress import say
from mimic.step import Job, run_step

Split = Literal["published-sft", "published-preferences"]

# As published: 80/10/10 by two draws with this seed; the first nine tenths of the rows.
SEED = 42
# An essay outside of the training that a judge can't learn from either.
NO_ROLE = "none"


def main(job: Job) -> None:
    """Write ``essays.csv``: as the essays stage has it, with other roles."""
    essays = pd.read_csv(job.input("essays"), dtype={"id": str}, keep_default_na=False)
    order = pd.read_csv(job.input("order"), dtype={"id": str})
    rows = dict(zip(order["id"], order["row"], strict=True))
    table = with_published_roles(
        essays, rows=essays["id"].map(rows).to_numpy(), split=job.settings["split"]
    )
    table.to_csv(job.out / "essays.csv", index=False, lineterminator="\n", encoding="utf-8")
    counts = table["role"].value_counts()
    say(f"{counts['G']} essays to train on, {counts['E']} for the judge")


def with_published_roles(essays: pd.DataFrame, *, rows: np.ndarray, split: Split) -> pd.DataFrame:
    """The essays with roles G (training), E (the judge's) and none, and validation essays.

    The published splits go by rows, so that essays of one author, and near-duplicates, can stand on
    both sides. Of the essays outside of the training those that share a cluster with it have no
    role: the judge learns from the others. Validation essays are outside of the training too.

    Parameters
    ----------
    essays
        What the essays stage wrote.
    rows
        Each essay's row in the corpus, shape (essays,).
    split
        ``published-sft``: 80 % for training, 10 % for validation, 10 % more outside, by
        scikit-learn's ``train_test_split`` of the rows in file order, once for 20 % and once for
        the half of these, with seed 42. ``published-preferences``: the first 90 % in file order
        for training, the others for validation.

    Raises
    ------
    ValueError
        If a judge would have no essay, or of a trait no high or no low one.
    """
    in_order = np.argsort(rows, kind="stable")
    if split == "published-sft":
        training, outside = train_test_split(in_order, test_size=0.2, random_state=SEED)
        validation, _ = train_test_split(outside, test_size=0.5, random_state=SEED)
    else:
        training, outside = np.split(in_order, [int(0.9 * len(in_order))])
        validation = outside
    table = essays.copy()
    clusters = set(table["cluster"].iloc[training])
    clean = ~table["cluster"].isin(clusters).to_numpy()
    role = np.full(len(table), NO_ROLE, dtype=object)
    role[training] = "G"
    role[outside] = np.where(clean[outside], "E", NO_ROLE)
    table["role"] = role
    table["validation"] = np.isin(np.arange(len(table)), validation).astype(int)
    if not clean.any():
        raise ValueError(
            f"the split {split} leaves no essay outside of the training whose author and text are "
            "not in it, so that no judge could read its runs; set the recipe's split to roles"
        )
    return table


if __name__ == "__main__":
    run_step(main)
