"""Step: supervised fine-tuning on essays, with a LoRA adapter."""

from __future__ import annotations

from trl import SFTConfig, SFTTrainer

from mimic.finetune.adapters import Examined, train_run
from mimic.finetune.common import (
    as_dataset,
    load_material,
    train,
    trainer_arguments,
    write_results,
)
from mimic.finetune.learning import LearningCheck, log_probabilities, loss_check
from mimic.finetune.memory import out_of_memory_in_words
from mimic.finetune.order import InSteps
from mimic.finetune.packing import CheckPacking
from mimic.finetune.processes import tell
from mimic.finetune.settings import SftSettings
from mimic.finetune.watch import Figures
from mimic.step import Job, run_step


class SortedSFTTrainer(InSteps, SFTTrainer):
    """TRL's trainer with the order of `mimic.finetune.order`."""


def main(job: Job) -> None:
    """Write the adapter, ``training_log.csv`` and ``learning.json``."""
    settings = job.parse(SftSettings, "sft")
    with out_of_memory_in_words(settings, method="sft"):
        train_run(job, method="sft", train_one=lambda own: _train(own, settings), checks=_checks)


def _train(job: Job, settings: SftSettings) -> Examined:
    material = load_material(job, settings, method="sft")
    trainer = SortedSFTTrainer(
        model=material.model,
        processing_class=material.tokenizer,
        peft_config=material.lora,
        train_dataset=as_dataset(material.train, ("prompt", "completion")),
        args=SFTConfig(
            completion_only_loss=settings.loss_on == "completion",
            packing=settings.packing,
            **trainer_arguments(job, settings, method="sft", seed=material.seed),
        ),
    )
    if settings.packing:
        trainer.add_callback(CheckPacking(trainer, settings))

    def figures() -> Figures:
        found = log_probabilities(
            trainer,
            [(row["prompt"], row["completion"]) for row in material.validation],
            max_length=settings.max_length,
        )
        return {"loss": -found.means}

    train(job, trainer, settings, method="sft", figures=figures)
    tell(f"loss on {len(material.validation)} validation essays after training and without it")
    after = figures()
    with trainer.model.disable_adapter():
        before = figures()
    write_results(job, trainer, settings, figures=after)
    return Examined(trainer.state.max_steps, {"validation": before}, {"validation": after})


def _checks(examined: Examined) -> list[LearningCheck]:
    before, after = examined.before["validation"], examined.after["validation"]
    return [loss_check(before["loss"], after["loss"])]


if __name__ == "__main__":
    run_step(main)
