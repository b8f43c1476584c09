"""Step: a corpus becomes checked essays with roles.

Reads
    ``corpus``: the CSV file (none for a data set of the hub); ``moderation``: the list of patterns
    (only where it is the filter).
Writes
    ``essays.csv``, ``file_order.csv``, ``rejected.csv``, ``summary.json``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mimic.essays.check import Essay, Rejected, check
from mimic.essays.duplicates import find_clusters
from mimic.essays.load import Corpus, read_csv, read_hub
from mimic.essays.moderation import (
    Verdicts,
    judge_by_patterns,
    load_patterns,
    moderate,
    moderation_table,
)
from mimic.essays.moderation_api import judge_by_api
from mimic.essays.roles import ROLES, assign_roles
from mimic.essays.settings import (
    CsvSource,
    EmbeddedSource,
    EssaysSettings,
    HubSource,
    LocalModeration,
    NoModeration,
)
from mimic.files import sha256_file, write_json
from mimic.progress import say
from mimic.step import Job, run_step
from mimic.traits import ALL_PROFILES, TRAITS


def main(job: Job) -> None:
    """Check the corpus, filter it, find clusters, assign roles, and write the tables.

    Raises
    ------
    ValueError
        If the corpus can't be read, no essay is usable, an essay can't be judged, or the corpus is
        too small for the roles.
    """
    settings = job.parse(EssaysSettings, "essays")
    corpus = _read(job, settings)
    essays, rejected = check(corpus.essays, min_words=settings.min_words)
    moderation = None
    if (verdicts := _verdicts(job, settings, essays)) is not None:
        moderation = moderation_table(essays, verdicts)
        essays, filtered = moderate(essays, verdicts)
        rejected = sorted([*rejected, *filtered])
    if not essays:
        raise ValueError(
            f"none of the {len(corpus.essays)} rows of the corpus is a usable essay: "
            f"{dict(Counter(row.reason for row in rejected))}"
        )
    clusters = find_clusters(
        [essay.text for essay in essays],
        [essay.authors for essay in essays],
        threshold=settings.near_duplicate,
    ).tolist()
    role, validation = assign_roles(
        [essay.profile for essay in essays],
        clusters,
        [essay.digest for essay in essays],
        shares=settings.roles.model_dump(),
        validation_share=settings.validation_share,
        seed=settings.seed,
    )
    table = _table(essays, clusters, role, validation)
    _write_csv(job.out / "essays.csv", table)
    # By itself: rows in another order leave all that doesn't go by it as it is.
    order = pd.DataFrame({"id": [e.id for e in essays], "row": [e.row for e in essays]})
    _write_csv(job.out / "file_order.csv", order.sort_values("row"))
    _write_csv(job.out / "rejected.csv", pd.DataFrame(rejected, columns=list(Rejected._fields)))
    summary = {
        **_origin(settings.source, corpus),
        # Of the checked essays: rows in another order are the same corpus.
        "sha256": sha256_file(job.out / "essays.csv"),
        **_counts(table, rejected, len(corpus.essays)),
        "moderation": moderation,
    }
    write_json(job.out / "summary.json", summary)
    by_role = Counter(role)
    shares = ", ".join(f"{by_role[r]} {r}" for r in ROLES if by_role[r])
    moderated = f", {moderation['filtered']} of them by moderation" if moderation else ""
    say(f"{len(essays)} essays ({shares}), {len(rejected)} rows rejected{moderated}")


def _read(job: Job, settings: EssaysSettings) -> Corpus:
    source = settings.source
    if isinstance(source, HubSource):
        return read_hub(source.name, revision=source.revision)
    encoding = source.encoding if isinstance(source, CsvSource) else "utf-8"
    return read_csv(job.input("corpus"), encoding=encoding)


def _verdicts(job: Job, settings: EssaysSettings, essays: Sequence[Essay]) -> Verdicts | None:
    """What the study's filter says of the essays; None without one."""
    moderation = settings.moderation
    if isinstance(moderation, NoModeration):
        return None
    if isinstance(moderation, LocalModeration):
        return judge_by_patterns(essays, load_patterns(job.input("moderation")))
    assert job.answers is not None  # the runner names it
    return judge_by_api(essays, moderation, answers=job.answers)


def _table(
    essays: Sequence[Essay],
    clusters: Sequence[int],
    role: Sequence[str],
    validation: Sequence[bool],
) -> pd.DataFrame:
    rows = [
        {
            "id": essay.id,
            "text": essay.text,
            **{t: int(high) for t, high in zip(TRAITS, essay.profile.levels, strict=True)},
            "profile": str(essay.profile),
            "words": essay.words,
            "cluster": clusters[i],
            "role": role[i],
            "validation": int(validation[i]),
        }
        for i, essay in enumerate(essays)
    ]
    return pd.DataFrame(rows).sort_values("id", ignore_index=True)


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def _origin(source: EmbeddedSource | CsvSource | HubSource, corpus: Corpus) -> dict[str, Any]:
    """Which corpus this is."""
    if isinstance(source, EmbeddedSource):
        name, composed = "composed essays", True
    elif isinstance(source, CsvSource):
        name, composed = source.name or Path(source.path).stem, source.composed
    else:
        name, composed = source.name, source.composed
    return {
        "corpus": name,
        "kind": "composed" if composed else "human",
        "revision": source.revision if isinstance(source, HubSource) else None,
        "encoding": corpus.encoding,
    }


def _counts(table: pd.DataFrame, rejected: Sequence[Rejected], rows: int) -> dict[str, Any]:
    """What the checks and the roles made of it."""
    sizes = table["cluster"].value_counts()
    parts = {r: table[table["role"] == r] for r in ROLES if (table["role"] == r).any()}
    return {
        "rows": rows,
        "essays": len(table),
        "clusters": len(sizes),
        "clusters_of_several": int((sizes > 1).sum()),
        "words": {
            "least": int(table["words"].min()),
            "median": float(table["words"].median()),
            "most": int(table["words"].max()),
        },
        "rejected": dict(Counter(row.reason for row in rejected)),
        "roles": {
            r: {
                "essays": len(part),
                "clusters": int(part["cluster"].nunique()),
                "validation": int(part["validation"].sum()),
                "high": {trait: int(part[trait].sum()) for trait in TRAITS},
                "low": {trait: int((part[trait] == 0).sum()) for trait in TRAITS},
                "missing_profiles": [
                    str(p) for p in ALL_PROFILES if str(p) not in set(part["profile"])
                ],
            }
            for r, part in parts.items()
        },
    }


if __name__ == "__main__":
    run_step(main)
