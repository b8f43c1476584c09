"""Step: odds ratio preference optimisation on preference pairs, with a LoRA adapter."""

from __future__ import annotations

import os
from typing import Any

# TRL asks that who uses its experimental trainers says so.
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import numpy as np
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from mimic.files import write_json
from mimic.finetune.common import (
    ShowProgress,
    as_dataset,
    load_material,
    save_adapter,
    seen_pairs,
    trainer_arguments,
    write_log,
)
from mimic.finetune.learning import completion_log_probabilities, margin_check
from mimic.finetune.resume import train
from mimic.finetune.settings import OrpoSettings
from mimic.progress import say
from mimic.step import Job, run_step


def main(job: Job) -> None:
    """Write the adapter, ``training_log.csv`` and ``learning.json``."""
    settings = job.parse(OrpoSettings, "orpo")
    material = load_material(job, settings)
    progress = ShowProgress(method="orpo", steps=settings.steps)
    seen = seen_pairs(material.train, settings)
    trainer = ORPOTrainer(
        model=material.model,
        processing_class=material.tokenizer,
        peft_config=material.lora,
        train_dataset=as_dataset(seen, ("prompt", "chosen", "rejected")),
        args=ORPOConfig(beta=settings.beta, **trainer_arguments(job, settings, seed=material.seed)),
        callbacks=[progress],
    )

    def margins(pairs: list[dict[str, Any]]) -> np.ndarray:
        # ORPO's reward: beta times the mean log-probability of a token.
        trainer.model.eval()
        means = []
        for side in ("chosen", "rejected"):
            sums, counts = completion_log_probabilities(
                trainer.model,
                material.tokenizer,
                [(row["prompt"], row[side]) for row in pairs],
                max_length=settings.max_length,
            )
            means.append(sums / counts)
        return settings.beta * (means[0] - means[1])

    checked = {
        True: seen[: settings.checked_pairs],
        False: material.validation[: settings.checked_pairs],
    }
    train(job, trainer)
    checks = []
    for training, pairs in checked.items():
        say(f"reward margin of {len(pairs)} {'training' if training else 'validation'} pairs")
        after = margins(pairs)
        with trainer.model.disable_adapter():
            before = margins(pairs)
        checks.append(margin_check(before, after, training=training).as_dict())

    save_adapter(job, trainer)
    write_log(job.out / "training_log.csv", trainer)
    write_json(
        job.out / "learning.json", {"method": "orpo", "steps": settings.steps, "checks": checks}
    )


if __name__ == "__main__":
    run_step(main)
