"""What the methods share: data, model, adapter, log. No more than that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import pandas as pd
import torch
import transformers
from accelerate import PartialState
from peft import LoraConfig
from peft.utils.other import TrainableTokensWrapper

from mimic.compute import (
    ComputeSettings,
    check_gpu,
    keep_format,
    load_tokenizer,
    nf4,
    prepare_torch,
)
from mimic.conditioning import conditioning_of
from mimic.finetune import resume
from mimic.finetune.adapters import LOG
from mimic.finetune.order import TellEpoch
from mimic.finetune.processes import (
    fsdp_version,
    is_main,
    join,
    own_accumulation,
    wait_for_all,
)
from mimic.finetune.rows import Limits, read_rows
from mimic.finetune.settings import PreferenceSettings, TrainingSettings
from mimic.finetune.shards import bring_scales, keep_precision, write_adapter
from mimic.finetune.watch import EVAL, Evaluate, Figures, ShowProgress, means, tensorboard
from mimic.step import Job
from mimic.target_tokens import add_embeddings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer


@dataclass(frozen=True)
class Material:
    """What a training script starts from.

    Attributes
    ----------
    train, validation
        Examples with their ``length``: all that are trained on, and all that are looked at.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    train: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    lora: LoraConfig
    seed: int


def load_material(job: Job, settings: TrainingSettings, *, method: str) -> Material:
    """Load model and pairs; the seed is set before the adapter is made.

    Raises
    ------
    ValueError
        If there is nothing to train on, an example is no good, or the settings don't fit device.
    """
    compute = job.parse(ComputeSettings, "compute")
    seed = int(job.settings["run"]["seed"])
    check_device(settings, compute, method=method)
    join(compute)
    prepare_torch(compute, seed=seed)
    has_tokens = conditioning_of(job) == "token"
    tokenizer = load_tokenizer(job.folder("model"), target_tokens=has_tokens)
    context = transformers.AutoConfig.from_pretrained(job.folder("model"), local_files_only=True)
    limits = Limits(
        max_length=settings.max_length,
        context=getattr(context.get_text_config(), "max_position_embeddings", None),
        setting=method,
    )
    train, validation = (
        read_rows(
            job.folder("pairs") / f"{name}.jsonl",
            tokenizer=tokenizer,
            limits=limits,
            first=n,
            profile=job.settings.get("profile"),
        )
        for name, n in (("train", trained_on(settings)), ("validation", looked_at(settings)))
    )
    lora = settings.lora
    targets = lora.target_modules
    model = load_frozen(job.folder("model"), settings)
    return Material(
        model=model,
        tokenizer=tokenizer,
        train=train,
        validation=validation,
        lora=LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=targets if isinstance(targets, str) else list(targets),
            task_type="CAUSAL_LM",
            # Without an adapter the tokens have the embeddings that they begin with.
            trainable_token_indices=add_embeddings(model, tokenizer) if has_tokens else None,
        ),
        seed=seed,
    )


def trained_on(settings: TrainingSettings) -> int | None:
    """How many training examples are used; None for all.

    Of pairs those that the steps reach, so that a check of some sees none untrained.
    """
    if not isinstance(settings, PreferenceSettings):
        return None
    if settings.steps is None:
        return settings.pairs
    reached = settings.steps * settings.batch_size * settings.accumulation
    return min(reached, settings.pairs or reached)


def looked_at(settings: TrainingSettings) -> int | None:
    """How many validation examples are used; None for all."""
    return settings.checked_pairs if isinstance(settings, PreferenceSettings) else None


def load_frozen(folder: Path, settings: TrainingSettings) -> PreTrainedModel:
    """The model that gets the adapter, as its method's settings want its weights."""
    dtype = getattr(torch, settings.precision)
    quantised = {}
    if settings.quantisation == "nf4":
        quantised = {
            "quantization_config": nf4(dtype),
            # None of the devices that share a model could hold it whole.
            "device_map": {"": "cpu" if fsdp_version() else str(PartialState().device)},
        }
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        attn_implementation=settings.attention,
        local_files_only=True,
        use_safetensors=True,
        **quantised,
    )
    keep_format(model)
    if quantised and fsdp_version():
        bring_scales(model, PartialState().device)
    return model


def check_device(settings: TrainingSettings, compute: ComputeSettings, *, method: str) -> None:
    """Check that the device can do what the settings want.

    Raises
    ------
    ValueError
        With the setting to change.
    """
    check_gpu(compute)
    on_cpu = compute.device == "cpu"
    if on_cpu and settings.autocast == "float16":
        raise ValueError(f"{method}.autocast float16 needs a GPU; set it to bfloat16 or none")
    if settings.attention != "flash_attention_2":
        return
    if on_cpu:
        raise ValueError(f"{method}.attention flash_attention_2 needs a GPU; set it to sdpa")
    if not transformers.utils.is_flash_attn_2_available():
        raise ValueError(
            f"{method}.attention flash_attention_2 needs the package flash-attn, which isn't "
            "installed; install it, or set the attention to sdpa"
        )


def trainer_arguments(
    job: Job, settings: TrainingSettings, *, method: str, seed: int
) -> dict[str, Any]:
    """The arguments that all of TRL's trainers take."""
    length = (
        {"num_train_epochs": settings.epochs}
        if settings.steps is None
        else {"max_steps": settings.steps}
    )
    return {
        **length,
        "output_dir": str(job.unfinished),
        "learning_rate": settings.learning_rate,
        "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": own_accumulation(settings, method=method),
        "warmup_steps": settings.warmup_steps,
        "lr_scheduler_type": settings.schedule,
        "max_length": settings.max_length,
        "train_sampling_strategy": "group_by_length" if settings.length_sorted else "random",
        "logging_steps": 1,
        # Otherwise a loss that is no number is replaced by one that is before anybody sees it.
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "report_to": "none",
        "seed": seed,
        "data_seed": seed,
        "bf16": settings.autocast == "bfloat16",
        "fp16": settings.autocast == "float16",
        "gradient_checkpointing": settings.checkpointing,
        # What FSDP1 needs where some weights are frozen and quantised.
        "gradient_checkpointing_kwargs": {"use_reentrant": True} if fsdp_version() == 1 else None,
        "torch_compile": settings.compile,
        "use_cpu": job.parse(ComputeSettings, "compute").device == "cpu",
        "dataloader_pin_memory": False,
        "disable_tqdm": True,
    }


def as_dataset(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> datasets.Dataset:
    """Rows as a data set of just the columns that a trainer reads, and their lengths."""
    columns = (*columns, "length")
    return datasets.Dataset.from_list([{name: row[name] for name in columns} for row in rows])


def training_pairs(job: Job, material: Material, *, on_disk: bool = False) -> datasets.Dataset:
    """Preference pairs as a data set.

    With `on_disk` it lies in the job's unfinished work, where TRL finds what it computed for it: in
    other processes of the same training, and in a later attempt.
    """
    pairs = as_dataset(material.train, ("prompt", "chosen", "rejected"))
    if not on_disk:
        return pairs
    assert job.unfinished is not None  # every job that the runner starts has it
    folder = job.unfinished / "pairs"
    if is_main() and not folder.is_dir():
        # In two steps, lest a killed attempt leave a part of it.
        pairs.save_to_disk(folder.with_name("pairs-being-written"))
        folder.with_name("pairs-being-written").rename(folder)
    wait_for_all()
    return datasets.load_from_disk(folder)


def train(
    job: Job,
    trainer: Trainer,
    settings: TrainingSettings,
    *,
    method: str,
    figures: Callable[[], Figures],
) -> None:
    """Train to the end, watched; see `mimic.finetune.resume` for what ends it before.

    Parameters
    ----------
    figures
        Computes the figures of the validation essays.
    """
    # TRL makes a quantised model's adapter bfloat16, in which small updates are rounded away.
    for weight in trainer.model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    if fsdp_version() == 1:
        keep_precision(trainer)
    head = trainer.model.get_output_embeddings()
    if isinstance(head, TrainableTokensWrapper):
        # TRL's losses read it, and PEFT's wrapper of tied embeddings hands on the weight alone.
        vars(head)["bias"] = head.original_module.bias
    # Otherwise PEFT compares the model with what lies under its name, and where tokens were added
    # saves whole embeddings in checkpoints.
    trainer.model.peft_config["default"].base_model_name_or_path = ""
    checkpoint = resume.begin(job)
    progress = ShowProgress(
        method=method, settings=settings, kept=lambda: resume.kept(job.unfinished)
    )
    watching = tensorboard(job, begun=resume.step_of(checkpoint))
    for callback in (progress, Evaluate(figures, times=settings.evaluations), *watching):
        trainer.add_callback(callback)
    trainer.add_callback(TellEpoch())
    resume.train(job, trainer, checkpoint)


LOGGED = ("loss", "learning_rate", "grad_norm", "rewards/margins", "rewards/accuracies")


def write_results(
    job: Job, trainer: Trainer, settings: TrainingSettings, *, figures: Figures
) -> None:
    """Write the adapter and ``training_log.csv``.

    Parameters
    ----------
    figures
        Of the validation essays, after training.
    """
    save_adapter(job, trainer)
    if not is_main():
        return
    last = means(figures) if settings.evaluations else {}
    write_log(job.out / LOG, trainer, last=last)


def write_log(path: Path, trainer: Trainer, *, last: dict[str, float]) -> None:
    """Write ``training_log.csv``: a row for each step, those of former attempts among them.

    Parameters
    ----------
    last
        What is added to the row of the last step.
    """
    logged = [logs for logs in trainer.state.log_history if "loss" in logs]
    logged[-1] = logged[-1] | last
    names = [*LOGGED, *last]
    rows = [
        {"step": logs["step"]}
        | {_column(name): float(logs[name]) for name in names if name in logs}
        for logs in logged
    ]
    columns = ["step", *map(_column, names)]
    table = pd.DataFrame(rows)
    table = table[[name for name in columns if name in table]]
    table.to_csv(path, index=False, lineterminator="\n")


def _column(name: str) -> str:
    return name.replace("/", "_").replace(EVAL, "validation_", 1)


def save_adapter(job: Job, trainer: Trainer) -> None:
    """Save the adapter as safetensors, without a path of this machine in its configuration."""
    trainer.model.peft_config["default"].base_model_name_or_path = job.settings["run"]["model"]
    if trainer.is_fsdp_enabled:
        write_adapter(trainer, job.out)
        return
    trainer.model.save_pretrained(
        job.out,
        safe_serialization=True,
        # Of them rows are trained at most, which are saved by themselves; otherwise PEFT looks the
        # model's name up on the hub.
        save_embedding_layers=False,
        is_main_process=is_main(),
    )
    # PEFT's model card is a template with nothing filled in.
    if is_main():
        (job.out / "README.md").unlink(missing_ok=True)
