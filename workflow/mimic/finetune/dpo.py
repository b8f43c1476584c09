"""Step: direct preference optimisation on preference pairs, with a LoRA adapter.

The reference is the same model with its adapter switched off.
"""

from __future__ import annotations

import functools

import numpy as np
from trl import DPOConfig, DPOTrainer

from mimic.finetune.adapters import Examined, preference_checks, train_run
from mimic.finetune.common import (
    load_material,
    train,
    trainer_arguments,
    training_pairs,
    write_results,
)
from mimic.finetune.learning import log_probabilities, preferred
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
        train_run(
            job,
            method="dpo",
            train_one=lambda own: _train(own, settings),
            checks=preference_checks,
        )


def _train(job: Job, settings: DpoSettings) -> Examined:
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
    checked = {"train": material.train[: settings.checked_pairs], "validation": material.validation}

    def log_ratios(*, part: str) -> np.ndarray:
        chosen, rejected = (
            log_probabilities(
                trainer,
                [(row["prompt"], row[side]) for row in checked[part]],
                max_length=settings.max_length,
            ).sums
            for side in ("chosen", "rejected")
        )
        return chosen - rejected

    @functools.cache
    def reference(*, part: str) -> np.ndarray:
        with trainer.model.disable_adapter():
            return log_ratios(part=part)

    def figures(*, part: str) -> Figures:
        change = log_ratios(part=part) - reference(part=part)
        return dpo_figures(settings.beta * change)

    train(job, trainer, settings, method="dpo", figures=lambda: figures(part="validation"))
    tell(f"reward margins of {' and '.join(str(len(some)) for some in checked.values())} pairs")
    after = {part: figures(part=part) for part in checked}
    # Before training the adapter changes nothing: every margin is exactly 0.
    before = {part: dpo_figures(0 * found["margin"]) for part, found in after.items()}
    write_results(job, trainer, settings, figures=after["validation"])
    return Examined(trainer.state.max_steps, before, after)


def dpo_figures(margins: np.ndarray) -> Figures:
    """DPO's loss, margin and preference accuracy of each pair."""
    return {
        "loss": np.logaddexp(0.0, -margins),
        "margin": margins,
        "accuracy": preferred(margins),
    }


if __name__ == "__main__":
    run_step(main)
