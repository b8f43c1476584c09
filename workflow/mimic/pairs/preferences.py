"""Step: preference pairs from the essays of role G."""

from __future__ import annotations

from mimic.files import write_jsonl
from mimic.pairs.build import preferences
from mimic.pairs.material import training_parts
from mimic.pairs.settings import PairsSettings
from mimic.step import Job, run_step
from mimic.traits import withheld_profiles


def main(job: Job) -> None:
    """Write ``train.jsonl`` and ``validation.jsonl``."""
    settings = job.parse(PairsSettings, "pairs")
    for name, essays, prompts in training_parts(job, settings):
        rows = preferences(
            essays,
            prompts=prompts,
            rejected=settings.rejected,
            rejected_per_chosen=settings.rejected_per_chosen,
            withheld=withheld_profiles() if job.settings["withholds_profiles"] else (),
            seed=settings.seed,
        )
        write_jsonl(job.out / f"{name}.jsonl", rows)


if __name__ == "__main__":
    run_step(main)
