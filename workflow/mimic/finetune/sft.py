"""Step: supervised fine-tuning on essays, with a LoRA adapter. Loss on the essay alone."""

from __future__ import annotations

import numpy as np
from trl import SFTConfig, SFTTrainer

from mimic.files import write_json
from mimic.finetune.common import (
    ShowProgress,
    as_dataset,
    load_material,
    save_adapter,
    trainer_arguments,
    write_log,
)
from mimic.finetune.learning import completion_log_probabilities, loss_check
from mimic.finetune.resume import train
from mimic.finetune.settings import TrainingSettings
from mimic.progress import say
from mimic.step import Job, run_step


def main(job: Job) -> None:
    """Write the adapter, ``training_log.csv`` and ``learning.json``."""
    settings = job.parse(TrainingSettings, "sft")
    material = load_material(job, settings)
    progress = ShowProgress(method="sft", steps=settings.steps)
    trainer = SFTTrainer(
        model=material.model,
        processing_class=material.tokenizer,
        peft_config=material.lora,
        train_dataset=as_dataset(material.train, ("prompt", "completion")),
        args=SFTConfig(
            completion_only_loss=True, **trainer_arguments(job, settings, seed=material.seed)
        ),
        callbacks=[progress],
    )

    def validation_losses() -> np.ndarray:
        trainer.model.eval()
        sums, counts = completion_log_probabilities(
            trainer.model,
            material.tokenizer,
            [(row["prompt"], row["completion"]) for row in material.validation],
            max_length=settings.max_length,
        )
        return -sums / counts

    say(f"loss on {len(material.validation)} validation essays before training")
    before = validation_losses()
    train(job, trainer)
    say("loss on validation essays after training")
    check = loss_check(before, validation_losses())

    save_adapter(job, trainer)
    write_log(job.out / "training_log.csv", trainer)
    write_json(
        job.out / "learning.json",
        {"method": "sft", "steps": settings.steps, "checks": [check.as_dict()]},
    )


if __name__ == "__main__":
    run_step(main)
