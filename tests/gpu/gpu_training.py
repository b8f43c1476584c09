"""One training of a case, timed step by step, with the peak of the GPU's memory."""

from __future__ import annotations

import gc
import time
from argparse import Namespace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import training as bench
from gpu_figures import Case, Measured
from transformers import TrainerCallback

from mimic.chat import encode
from mimic.compute import load_tokenizer
from mimic.files import write_jsonl


class StepTimes(TrainerCallback):
    """Notes when each optimizer step ended, once the GPU is done with it."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        """Wait for the GPU and look at the clock."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())


def measure(case: Case, model: Path, folder: Path, *, device: str) -> Measured:
    """Train by the project's own step and say what it took; on a CPU no memory is counted.

    Parameters
    ----------
    folder
        An empty one.
    """
    pairs = folder / "pairs"
    pairs.mkdir()
    write_examples(case, model, pairs)
    step = bench.STEPS[case.method]
    train, times, peak = step.train, StepTimes(), 0

    def watched(job: Any, trainer: Any, *arguments: Any, **keywords: Any) -> None:
        nonlocal peak
        trainer.add_callback(times)
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        train(job, trainer, *arguments, **keywords)
        if device == "cuda":
            peak = torch.cuda.max_memory_allocated()

    options = Namespace(
        model=model, device=device, threads=torch.get_num_threads(), epochs=1, accumulation=1
    )
    options.batch_size, options.mean_tokens, options.autocast = case.batch_size, 0, "none"
    settings = bench.given(case.method, options) | settings_of(case)
    out = folder / "out"
    out.mkdir()
    with mock.patch.object(step, "train", watched):
        bench.ours(case.method, settings, options, pairs, out)
    # What the trainer held goes before the next case is measured.
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
    return Measured(ends=times.ends, peak_bytes=peak)


def settings_of(case: Case) -> dict[str, Any]:
    """The settings of its method that make the case."""
    return {
        "max_length": case.length,
        "quantisation": case.quantisation,
        "precision": "bfloat16",
        "attention": case.attention,
        "compile": case.compiled,
        **({"packing": True} if case.packing else {}),
    }


def write_examples(case: Case, model: Path, folder: Path) -> None:
    """Write conversations, or pairs, each side of exactly as many tokens as the case says."""
    tokenizer = load_tokenizer(model)
    prompt = [{"role": "user", "content": "Write."}]

    def side(word: str) -> list[dict[str, str]]:
        def of(words: int) -> list[dict[str, str]]:
            return [{"role": "assistant", "content": " ".join([word] * words)}]

        def tokens(words: int) -> int:
            text = tokenizer.apply_chat_template(prompt + of(words), tokenize=False)
            return len(encode(tokenizer, text))

        # With the space before it each of these words is one token of any usual vocabulary.
        words = case.essay_length - tokens(1) + 1
        if tokens(words) != case.essay_length:
            raise ValueError(
                f"{model}: {word!r} isn't one token, so lengths aren't known; take another"
            )
        return of(words)

    words = (
        {"completion": "time"} if case.method == "sft" else {"chosen": "time", "rejected": "day"}
    )
    made = {name: side(word) for name, word in words.items()}
    rows = [
        {"prompt": prompt, "essay": f"e{number}", "rejected_essay": f"r{number}", **made}
        for number in range(case.examples)
    ]
    write_jsonl(folder / "train.jsonl", rows)
    write_jsonl(folder / "validation.jsonl", rows[:2])
    (folder / "manifest.json").write_text("{}")
