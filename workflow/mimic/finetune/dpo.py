"""Step: direct preference optimisation on preference pairs, with a LoRA adapter.

The reference is the same model with its adapter switched off.
"""

from __future__ import annotations

import functools

import numpy as np
from trl import DPOConfig, DPOTrainer

from mimic.finetune.common import (
    load_material,
    train,
    trainer_arguments,
    training_pairs,
    write_results,
)
from mimic.finetune.learning import log_probabilities, margin_check, preferred, reported
from mimic.finetune.memory import out_of_memory_in_words
from mimic.finetune.order import InSteps
from mimic.finetune.processes import tell
from mimic.finetune.settings import DpoSettings
from mimic.finetune.watch import Figures
from mimic.step import Job, run_step


class SortedDPOTrainer(InSteps, DPOTrainer):
    """TRL's trainer with the order of `mimic.finetune.order`."""


def main(job: Job) -> None:
    """Write the adapter, ``training_log.csv`` and ``learning.json``."""
    settings = job.parse(DpoSettings, "dpo")
    with out_of_memory_in_words(settings, method="dpo"):
        _train(job, settings)


def _train(job: Job, settings: DpoSettings) -> None:
    material = load_material(job, settings, method="dpo")
    trainer = SortedDPOTrainer(
        model=material.model,
        processing_class=material.tokenizer,
        peft_config=material.lora,
        train_dataset=training_pairs(job, material, on_disk=settings.precompute_reference),
        args=DPOConfig(
            beta=settings.beta,
            precompute_ref_log_probs=settings.precompute_reference,
            # TRL's default leaves out the adapter's dropout too.
            disable_dropout=settings.lora.dropout == 0,
            **trainer_arguments(job, settings, method="dpo", seed=material.seed),
        ),
    )
    checked = {True: material.train[: settings.checked_pairs], False: material.validation}

    def log_ratios(*, training: bool) -> np.ndarray:
        chosen, rejected = (
            log_probabilities(
                trainer,
                [(row["prompt"], row[side]) for row in checked[training]],
                max_length=settings.max_length,
            ).sums
            for side in ("chosen", "rejected")
        )
        return chosen - rejected

    @functools.cache
    def reference(*, training: bool) -> np.ndarray:
        with trainer.model.disable_adapter():
            return log_ratios(training=training)

    def figures(*, training: bool) -> Figures:
        change = log_ratios(training=training) - reference(training=training)
        return dpo_figures(settings.beta * change)

    train(job, trainer, settings, method="dpo", figures=lambda: figures(training=False))
    tell(f"reward margins of {' and '.join(str(len(some)) for some in checked.values())} pairs")
    after = {training: figures(training=training) for training in checked}
    # Before training the adapter changes nothing: every margin is exactly 0.
    before = {training: dpo_figures(0 * found["margin"]) for training, found in after.items()}
    checks = [
        *(
            margin_check(before[training]["margin"], after[training]["margin"], training=training)
            for training in checked
        ),
        *(
            reported(f"validation {name}", before[False][name], after[False][name])
            for name in ("loss", "accuracy")
        ),
    ]
    write_results(job, trainer, settings, method="dpo", checks=checks, figures=after[False])


def dpo_figures(margins: np.ndarray) -> Figures:
    """DPO's loss, margin and preference accuracy of each pair."""
    return {
        "loss": np.logaddexp(0.0, -margins),
        "margin": margins,
        "accuracy": preferred(margins),
    }


if __name__ == "__main__":
    run_step(main)
