"""Step: odds ratio preference optimisation on preference pairs, with a LoRA adapter."""

from __future__ import annotations

import os
from typing import Any

# TRL asks that who uses its experimental trainers says so.
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import numpy as np
import torch
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

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
from mimic.finetune.settings import OrpoSettings
from mimic.finetune.watch import Figures
from mimic.step import Job, run_step


class SortedORPOTrainer(InSteps, ORPOTrainer):
    """TRL's trainer with that order and a likelihood term that counts pairs alike.

    TRL's is a mean over all tokens of a forward pass: the same pairs in more passes with more
    accumulation would be another training. With one pair in a pass, the default, both are the same.
    """

    def concatenated_forward(self, model: Any, batch: dict[str, Any]) -> tuple[Any, ...]:
        """What TRL computes, with the mean over pairs of each pair's negative log-likelihood."""
        found = super().concatenated_forward(model, batch)
        ids, mask = batch["chosen_input_ids"], batch["chosen_attention_mask"]
        if len(ids) == 1:
            return found
        labels = ids.masked_fill(mask == 0, -100)[:, 1:].to(found[2].device)
        losses = [
            torch.nn.functional.cross_entropy(logits[: len(row)], row)
            for logits, row in zip(found[2], labels, strict=True)
        ]
        return (*found[:4], torch.stack(losses).mean(), *found[5:])


def main(job: Job) -> None:
    """Write the adapter, ``training_log.csv`` and ``learning.json``."""
    settings = job.parse(OrpoSettings, "orpo")
    with out_of_memory_in_words(settings, method="orpo"):
        train_run(
            job,
            method="orpo",
            train_one=lambda own: _train(own, settings),
            checks=preference_checks,
        )


def _train(job: Job, settings: OrpoSettings) -> Examined:
    material = load_material(job, settings, method="orpo")
    trainer = SortedORPOTrainer(
        model=material.model,
        processing_class=material.tokenizer,
        peft_config=material.lora,
        train_dataset=training_pairs(job, material),
        args=ORPOConfig(
            beta=settings.beta,
            # TRL's default leaves out the adapter's dropout too.
            disable_dropout=settings.lora.dropout == 0,
            **trainer_arguments(job, settings, method="orpo", seed=material.seed),
        ),
    )
    if settings.quantisation == "nf4" and settings.precision != "float32":
        _narrow(trainer.model)
    checked = {"train": material.train[: settings.checked_pairs], "validation": material.validation}

    def figures(*, part: str) -> Figures:
        chosen, rejected = (
            log_probabilities(
                trainer,
                [(row["prompt"], row[side]) for row in checked[part]],
                max_length=settings.max_length,
            )
            for side in ("chosen", "rejected")
        )
        return orpo_figures(-chosen.whole, chosen.means, rejected.means, beta=settings.beta)

    train(job, trainer, settings, method="orpo", figures=lambda: figures(part="validation"))
    tell(f"reward margins of {' and '.join(str(len(some)) for some in checked.values())} pairs")
    after = {part: figures(part=part) for part in checked}
    with trainer.model.disable_adapter():
        before = {part: figures(part=part) for part in checked}
    write_results(job, trainer, settings, figures=after["validation"])
    return Examined(trainer.state.max_steps, before, after)


def _narrow(model: torch.nn.Module) -> None:
    """Bring frozen weights that TRL made float32 back to 16 bits.

    They are all that nf4 leaves: embeddings, norms and output layer. All logits of a pass are of
    their format, and so is what goes from block to block. bfloat16 has float32's range, which what
    Gemma computes needs.
    """
    for weight in model.parameters():
        if not weight.requires_grad and weight.dtype == torch.float32:
            weight.data = weight.data.to(torch.bfloat16)


def orpo_figures(
    losses: np.ndarray, chosen: np.ndarray, rejected: np.ndarray, *, beta: float
) -> Figures:
    """ORPO's loss, margin and preference accuracy of each pair.

    Parameters
    ----------
    losses
        Mean negative log-likelihood of a token of the prompt and the chosen essay.
    chosen, rejected
        Mean log-probability of a token of each essay: over beta, its reward.
    """
    margins = beta * (chosen - rejected)
    log_odds = (chosen - rejected) - (np.log(-np.expm1(chosen)) - np.log(-np.expm1(rejected)))
    return {
        "loss": losses + beta * np.logaddexp(0.0, -log_odds),
        "margin": margins,
        "accuracy": preferred(margins),
    }


if __name__ == "__main__":
    run_step(main)
