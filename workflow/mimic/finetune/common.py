"""What the methods share: data, model, adapter, log. No more than that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import pandas as pd
from peft import LoraConfig
from transformers import TrainerCallback

from mimic.chat import encode
from mimic.compute import ComputeSettings, load_model, load_tokenizer, prepare_torch
from mimic.files import read_jsonl
from mimic.finetune.settings import PreferenceSettings, TrainingSettings
from mimic.progress import Progress
from mimic.step import Job

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer


# Tokens of an essay that a training example must hold.
LEAST_ROOM = 8


@dataclass(frozen=True)
class Material:
    """What a training script starts from."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    train: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    lora: LoraConfig
    seed: int


def load_material(job: Job, settings: TrainingSettings) -> Material:
    """Load model and pairs; the seed is set before the adapter is made.

    Raises
    ------
    ValueError
        If there is nothing to train on, or a prompt leaves no room for its essay.
    """
    compute = job.parse(ComputeSettings, "compute")
    seed = int(job.settings["run"]["seed"])
    prepare_torch(compute, seed=seed)
    folder = job.folder("pairs")
    train = read_jsonl(folder / "train.jsonl")
    if not train:
        raise ValueError(f"{folder / 'train.jsonl'}: no rows to train on")
    tokenizer = load_tokenizer(job.folder("model"))
    check_room(tokenizer, train, max_length=settings.max_length)
    lora = settings.lora
    targets = lora.target_modules
    return Material(
        model=load_model(job.folder("model"), compute=compute),
        tokenizer=tokenizer,
        train=train,
        validation=read_jsonl(folder / "validation.jsonl"),
        lora=LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=targets if isinstance(targets, str) else list(targets),
            task_type="CAUSAL_LM",
        ),
        seed=seed,
    )


def check_room(
    tokenizer: PreTrainedTokenizerBase, train: list[dict[str, Any]], *, max_length: int
) -> None:
    """Check that `max_length` leaves room for some of each essay behind its prompt.

    Raises
    ------
    ValueError
        Naming the longest prompt and the least length that will do.
    """
    prompts = [
        tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
        for row in train
    ]
    longest = max(len(encode(tokenizer, prompt)) for prompt in prompts)
    if max_length < longest + LEAST_ROOM:
        raise ValueError(
            f"max_length is {max_length}, but the longest prompt has {longest} tokens; "
            f"set it to at least {longest + LEAST_ROOM}"
        )


def trainer_arguments(job: Job, settings: TrainingSettings, *, seed: int) -> dict[str, Any]:
    """The arguments that all of TRL's trainers take."""
    return {
        "output_dir": str(job.unfinished),
        "max_steps": settings.steps,
        "learning_rate": settings.learning_rate,
        "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.accumulation,
        "warmup_steps": settings.warmup_steps,
        "lr_scheduler_type": settings.schedule,
        "max_length": settings.max_length,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "seed": seed,
        "data_seed": seed,
        "bf16": False,
        "gradient_checkpointing": False,
        "use_cpu": job.parse(ComputeSettings, "compute").device == "cpu",
        "dataloader_pin_memory": False,
        "disable_tqdm": True,
    }


def seen_pairs(train: list[dict[str, Any]], settings: PreferenceSettings) -> list[dict[str, Any]]:
    """The training pairs that the steps reach, so that a check of some sees none untrained."""
    reached = settings.steps * settings.batch_size * settings.accumulation
    return train[: min(reached, settings.pairs or reached)]


def as_dataset(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> datasets.Dataset:
    """Rows as a data set of just the columns that a trainer reads."""
    return datasets.Dataset.from_list([{name: row[name] for name in columns} for row in rows])


class ShowProgress(TrainerCallback):
    """Shows how far the training is; stops it at a loss that is no number."""

    def __init__(self, *, method: str, steps: int) -> None:
        self.progress = Progress(f"{method} step", steps)

    def on_log(self, args, state, control, logs=None, **kwargs):  # type: ignore[no-untyped-def]
        """Look at what the trainer logs for a step."""
        if not logs or "loss" not in logs:
            return
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise ValueError(
                f"the loss is {loss} at step {state.global_step}; lower the learning rate"
            )
        self.progress.advance(state.global_step - self.progress.done, f"loss {loss:.3f}")


LOGGED = ("loss", "learning_rate", "grad_norm", "rewards/margins", "rewards/accuracies")


def write_log(path: Path, trainer: Trainer) -> None:
    """Write ``training_log.csv``: a row for each step, those of former attempts among them."""
    rows = [
        {"step": logs["step"]}
        | {name.replace("/", "_"): float(logs[name]) for name in LOGGED if name in logs}
        for logs in trainer.state.log_history
        if "loss" in logs
    ]
    pd.DataFrame(rows).to_csv(path, index=False, lineterminator="\n")


def save_adapter(job: Job, trainer: Trainer) -> None:
    """Save the adapter as safetensors, without a path of this machine in its configuration."""
    trainer.model.peft_config["default"].base_model_name_or_path = job.settings["run"]["model"]
    trainer.model.save_pretrained(job.out, safe_serialization=True)
    # PEFT's model card is a template with nothing filled in.
    (job.out / "README.md").unlink(missing_ok=True)
