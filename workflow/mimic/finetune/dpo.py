"""Step: direct preference optimisation on preference pairs, with a LoRA adapter.

The reference is the same model with its adapter switched off.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from trl import DPOConfig, DPOTrainer

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
from mimic.finetune.settings import DpoSettings
from mimic.progress import say
from mimic.step import Job, run_step


def main(job: Job) -> None:
    """Write the adapter, ``training_log.csv`` and ``learning.json``."""
    settings = job.parse(DpoSettings, "dpo")
    material = load_material(job, settings)
    progress = ShowProgress(method="dpo", steps=settings.steps)
    seen = seen_pairs(material.train, settings)
    trainer = DPOTrainer(
        model=material.model,
        processing_class=material.tokenizer,
        peft_config=material.lora,
        train_dataset=as_dataset(seen, ("prompt", "chosen", "rejected")),
        args=DPOConfig(beta=settings.beta, **trainer_arguments(job, settings, seed=material.seed)),
        callbacks=[progress],
    )

    def log_ratios(pairs: list[dict[str, Any]]) -> np.ndarray:
        trainer.model.eval()
        chosen, rejected = (
            completion_log_probabilities(
                trainer.model,
                material.tokenizer,
                [(row["prompt"], row[side]) for row in pairs],
                max_length=settings.max_length,
            )[0]
            for side in ("chosen", "rejected")
        )
        return chosen - rejected

    train(job, trainer)
    checks = []
    for pairs, training in ((seen, True), (material.validation, False)):
        pairs = pairs[: settings.checked_pairs]
        say(f"reward margin of {len(pairs)} {'training' if training else 'validation'} pairs")
        tuned = log_ratios(pairs)
        with trainer.model.disable_adapter():
            reference = log_ratios(pairs)
        # Before training the adapter changes nothing: every margin is exactly 0.
        margins = settings.beta * (tuned - reference)
        checks.append(margin_check(0 * margins, margins, training=training).as_dict())

    save_adapter(job, trainer)
    write_log(job.out / "training_log.csv", trainer)
    write_json(
        job.out / "learning.json", {"method": "dpo", "steps": settings.steps, "checks": checks}
    )


if __name__ == "__main__":
    run_step(main)
