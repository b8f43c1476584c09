"""Step: preference pairs from the essays of role G."""

from __future__ import annotations

import pandas as pd

from mimic.files import write_jsonl
from mimic.pairs.build import preferences
from mimic.pairs.settings import PairsSettings
from mimic.step import Job, run_step


def main(job: Job) -> None:
    """Write ``train.jsonl`` and ``validation.jsonl``."""
    settings = job.parse(PairsSettings, "pairs")
    essays = pd.read_csv(job.input("essays"), dtype={"id": str})
    essays = essays[essays["role"] == "G"]
    for name, part in (("train", 0), ("validation", 1)):
        rows = preferences(
            essays[essays["validation"] == part],
            request=settings.request,
            rejected_per_chosen=settings.rejected_per_chosen,
            seed=settings.seed,
        )
        write_jsonl(job.out / f"{name}.jsonl", rows)


if __name__ == "__main__":
    run_step(main)
