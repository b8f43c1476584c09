"""Tokens a second of the trainings, in one run on one machine: ours against plain TRL trainers.

``python tests/bench/training.py MODEL_FOLDER`` prints a table. MODEL_FOLDER is what the stage
models made, such as results/models/smollm2.

Ways, all with the same model, adapter, examples, batch, longest length, epochs and number format:

- plain: what TRL's example scripts do: a model from `AutoModelForCausalLM`, a `LoraConfig`, and
  `SFTTrainer` or `DPOTrainer`; a bare `ORPOTrainer`. TRL's defaults, but for activation
  checkpointing, which is as in the other ways, and the adapter's dropout in DPO and ORPO, which TRL
  leaves out: it is what the settings say, so that all ways do the same work;
- ours: the steps of this project, with their checks, logs and checkpoints;
- sorted: ours with `length_sorted`, and for DPO with `precompute_reference`.

With ``--configfile config/paper.yaml --runs LABEL …`` the settings are those of the named runs, one
for each method; ways are then plain and ours. On a CPU both are in float32 with sdpa, and nothing
is quantised.

Essays are composed ones joined and cut, of lengths drawn evenly between an eighth and fifteen
eighths of their mean: those of real corpora vary as much. Seconds are those from the loaded model
to the trained adapter; tokens are those of the examples, without padding. All ways run in the
environment that the runner gives a step, whose allocator is faster than the default. Before the
rounds that count each way trains one epoch: with bfloat16 a CPU's kernels are compiled for each new
shape, which only the first way would pay.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import datasets
import pandas as pd
import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from mimic.chat import encode
from mimic.compute import load_tokenizer
from mimic.files import write_jsonl
from mimic.finetune import dpo, orpo, sft
from mimic.provenance.process import STEP_ENVIRONMENT
from mimic.step import Job
from mimic.study import load_study, read_settings

PROJECT = Path(__file__).resolve().parents[2]
STEPS = {"sft": sft, "dpo": dpo, "orpo": orpo}
PLAIN = {
    "sft": (SFTTrainer, SFTConfig, ("prompt", "completion")),
    "dpo": (DPOTrainer, DPOConfig, ("prompt", "chosen", "rejected")),
    "orpo": (ORPOTrainer, ORPOConfig, ("prompt", "chosen", "rejected")),
}
LORA = {"rank": 16, "alpha": 32, "dropout": 0.0, "target_modules": "all-linear"}


def main() -> None:
    """Measure all ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, metavar="MODEL_FOLDER")
    parser.add_argument("--methods", nargs="*", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--configfile", type=Path, help="a study, whose settings are taken")
    parser.add_argument("--runs", nargs="*", default=[], help="of that study, one a method")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--examples", type=int, default=16, help="essays, or pairs of them (16)")
    parser.add_argument("--mean-tokens", type=int, default=128, help="of an essay (128)")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--accumulation", type=int, default=2)
    parser.add_argument("--autocast", default="none", choices=("none", "bfloat16"))
    parser.add_argument("--repeats", type=int, default=1, help="rounds; the median counts (1)")
    options = parser.parse_args()
    if bool(options.runs) != bool(options.configfile):
        parser.error("--configfile and --runs go together")
    torch.set_num_threads(options.threads)
    chosen = of_runs(options) if options.runs else {m: given(m, options) for m in options.methods}
    print(
        f"{options.model.name}, {options.device}, {options.threads} threads, torch "
        f"{torch.__version__}; {options.examples} examples of {options.mean_tokens} tokens on "
        f"average, {options.epochs} epochs"
    )
    print(f"{'method':8}{'way':8}{'tokens':>9}{'s':>9}{'tokens/s':>10}{'to plain':>10}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for method, settings in chosen.items():
            measure(method, settings, options, Path(folder))


def given(method: str, options: argparse.Namespace) -> dict[str, Any]:
    """A method's settings by the options."""
    return {
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "accumulation": options.accumulation,
        "max_length": 2 * options.mean_tokens + 64,
        "precision": "float32",
        "autocast": options.autocast,
        "checkpointing": False,
        "lora": LORA,
        **({} if method == "sft" else {"pairs": None, "checked_pairs": 2}),
    }


def of_runs(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The settings of the named runs by method."""
    study = load_study(read_settings(options.configfile), source=str(options.configfile))
    found = {}
    for label in options.runs:
        run = study.runs[label]
        settings = run.training.model_dump(mode="json", exclude={"launch"})
        # No figures of validation essays and no rise of the rate over more steps than there are.
        settings |= {"epochs": options.epochs, "evaluations": 0, "warmup_steps": 0}
        if run.method != "sft":
            settings["checked_pairs"] = 2
        if options.device == "cpu":
            settings |= {"attention": "sdpa", "quantisation": "none", "precision": "float32"}
        found[run.method] = settings
    return found


def measure(
    method: str, settings: dict[str, Any], options: argparse.Namespace, folder: Path
) -> None:
    """Print a line for each way to train with one method."""
    pairs = folder / f"{method}-pairs"
    pairs.mkdir()
    tokens = options.epochs * write_examples(method, options, pairs)
    # The precomputed reference and its order by length are what the sorted way is about.
    faster = {"length_sorted": True} | ({"precompute_reference": True} if method == "dpo" else {})
    ways: dict[str, Callable[[Path, dict[str, Any]], float]] = {
        "plain": lambda out, other: plain(method, settings | other, options, pairs, out),
        "ours": lambda out, other: ours(method, settings | other, options, pairs, out),
    }
    if not options.runs:
        ways["sorted"] = lambda out, other: ours(
            method, settings | faster | other, options, pairs, out
        )
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(options.repeats + 1):
        for way, run in ways.items():
            out = folder / f"{method}-{way}-{number}"
            out.mkdir()
            if number == 0:
                run(out, {"epochs": 1})
            else:
                seconds[way].append(run(out, {}))
    middle = {way: statistics.median(found) for way, found in seconds.items()}
    for way, taken in middle.items():
        ratio = f"{middle['plain'] / taken:.2f} x"
        print(
            f"{method:8}{way:8}{tokens:9}{taken:9.1f}{tokens / taken:10.1f}{ratio:>10}", flush=True
        )


def write_examples(method: str, options: argparse.Namespace, folder: Path) -> int:
    """Write training and validation examples; returns the tokens of the training ones."""
    tokenizer = load_tokenizer(options.model)
    essays = list(pd.read_csv(PROJECT / "workflow/resources/composed_essays.csv")["TEXT"])
    draw = random.Random(1)

    def message(role: str, text: str) -> list[dict[str, str]]:
        return [{"role": role, "content": text}]

    def essay() -> list[dict[str, str]]:
        length = round(draw.uniform(0.125, 1.875) * options.mean_tokens)
        text = ""
        while len(ids := encode(tokenizer, text)) < length:
            text += draw.choice(essays) + " "
        return message("assistant", tokenizer.decode(ids[:length]).strip())

    sides = PLAIN[method][2][1:]
    rows = [
        {"essay": f"e{number}", "rejected_essay": f"r{number}"}
        | {"prompt": message("user", f"Write down your thoughts, number {number}.")}
        | {side: essay() for side in sides}
        for number in range(options.examples)
    ]
    write_jsonl(folder / "train.jsonl", rows)
    write_jsonl(folder / "validation.jsonl", rows[:2])
    (folder / "manifest.json").write_text("{}")
    whole = [
        tokenizer.apply_chat_template(row["prompt"] + row[side], tokenize=False)
        for row in rows
        for side in sides
    ]
    return sum(len(encode(tokenizer, text)) for text in whole)


def plain(
    method: str, settings: dict[str, Any], options: argparse.Namespace, pairs: Path, out: Path
) -> float:
    """Seconds of TRL's own trainer.

    TRL's DPO and ORPO leave out the adapter's dropout by default. Here, as in the project's steps,
    they do so only where the settings have none.
    """
    trainer_class, config, columns = PLAIN[method]
    model = AutoModelForCausalLM.from_pretrained(
        options.model, dtype=getattr(torch, settings["precision"])
    )
    rows = datasets.Dataset.from_json(str(pairs / "train.jsonl")).select_columns(list(columns))
    lora = settings["lora"]
    dropout = {} if method == "sft" else {"disable_dropout": lora["dropout"] == 0}
    start = time.perf_counter()
    trainer = trainer_class(
        model=model,
        processing_class=load_tokenizer(options.model),
        peft_config=LoraConfig(
            r=lora["rank"],
            lora_alpha=lora["alpha"],
            lora_dropout=lora["dropout"],
            target_modules=lora["target_modules"],
            task_type="CAUSAL_LM",
        ),
        train_dataset=rows,
        args=config(
            output_dir=str(out),
            num_train_epochs=settings["epochs"],
            per_device_train_batch_size=settings["batch_size"],
            gradient_accumulation_steps=settings["accumulation"],
            max_length=settings["max_length"],
            bf16=settings["autocast"] == "bfloat16",
            gradient_checkpointing=settings["checkpointing"],
            use_cpu=options.device == "cpu",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **dropout,
        ),
    )
    trainer.train()
    return time.perf_counter() - start


def ours(
    method: str, settings: dict[str, Any], options: argparse.Namespace, pairs: Path, out: Path
) -> float:
    """Seconds of this project's step, without loading the model and what is checked afterwards."""
    step = STEPS[method]
    job = Job(
        name=f"bench {method}",
        settings={
            "run": {"model": options.model.name, "seed": 1},
            "compute": {"threads": options.threads, "device": options.device},
            method: settings,
        },
        inputs={
            "model": [options.model / "manifest.json"],
            "pairs": [pairs / "manifest.json"],
        },
        out=out,
        unfinished=out.with_name(f"{out.name}-unfinished"),
    )
    at: dict[str, float] = {}

    def noting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any, **keywords: Any) -> Any:
            found = function(*arguments, **keywords)
            at[name] = time.perf_counter()
            return found

        return noted

    with (
        mock.patch.object(step, "load_material", noting("loaded", step.load_material)),
        mock.patch.object(step, "train", noting("trained", step.train)),
    ):
        step.main(job)
    return at["trained"] - at["loaded"]


if __name__ == "__main__":
    if STEP_ENVIRONMENT.items() - os.environ.items():
        # The allocator reads it when a process starts.
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | STEP_ENVIRONMENT)
    main()
