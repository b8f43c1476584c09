"""The plan's memory of trainings beside what trainings on this machine's CPU took.

``python tests/bench/plan.py results/models/smollm2`` trains a few steps of each method, each in a
process of its own with the environment that the runner gives to steps, and prints what the process
took at its peak (resident memory), what the plan says, and the error: of the whole, and of what is
beyond a process that has loaded its libraries alone. Models are random Llamas that it makes, and
the one in the folder that is named.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimic.plan.architecture import Architecture
from mimic.plan.devices import laptop
from mimic.plan.memory import training_memory
from mimic.plan.workload import Adapter, Training
from mimic.provenance.process import STEP_ENVIRONMENT

PROJECT = Path(__file__).resolve().parents[2]
STEPS = 2
RANDOM = {
    "flat": {"layers": 4, "hidden_size": 512, "heads": 8, "key_value_heads": 8},
    "deep": {"layers": 16, "hidden_size": 384, "heads": 6, "key_value_heads": 2},
}


@dataclass(frozen=True)
class Case:
    """A training: which model, how, and how long its examples are."""

    model: str
    method: str
    batch_size: int
    length: int
    target_modules: str | tuple[str, ...] = "all-linear"
    dropout: float = 0.0


CASES = [
    Case("flat", "sft", 1, 256),
    Case("flat", "sft", 4, 512),
    Case("flat", "dpo", 2, 256),
    Case("flat", "orpo", 2, 256),
    Case("deep", "sft", 2, 1024, ("q_proj", "v_proj"), 0.1),
    Case("deep", "dpo", 1, 1024),
    Case("deep", "orpo", 1, 512),
    Case("named", "sft", 2, 256),
    Case("named", "sft", 4, 512),
    Case("named", "sft", 1, 1024, ("q_proj", "v_proj"), 0.1),
    Case("named", "dpo", 1, 256),
    Case("named", "dpo", 2, 512),
    Case("named", "orpo", 1, 256),
    Case("named", "orpo", 1, 768),
]


def main(argv: list[str]) -> None:
    """Measure and print."""
    named = Path(argv[0]).resolve() if argv else None
    with tempfile.TemporaryDirectory() as folder:
        models = {name: random_model(Path(folder, name), named, **RANDOM[name]) for name in RANDOM}
        if named is not None:
            models["named"] = named
        alone = peak([sys.executable, "-c", "import mimic.finetune.sft, mimic.finetune.orpo"])
        print(f"a process with its libraries loaded: {alone / 1e6:.0f} MB", flush=True)
        print(f"{'model':8}{'method':8}{'rows':>5}{'length':>8}{'took':>9}{'plan':>9}", end="")
        print(f"{'error':>8}{'beyond libraries':>18}")
        for number, case in enumerate(CASES):
            if case.model in models:
                took = train(case, models[case.model], Path(folder, str(number)))
                show(case, took, estimate(case, models[case.model]), alone)


def show(case: Case, took: float, planned: float, alone: float) -> None:
    """Print one line; MB of 10⁶ bytes."""
    rows = case.batch_size * (1 if case.method == "sft" else 2)
    beyond = (planned - alone) / (took - alone) - 1
    print(f"{case.model:8}{case.method:8}{rows:5}{case.length:8}{took / 1e6:9.0f}", end="")
    print(f"{planned / 1e6:9.0f}{planned / took - 1:+8.1%}{beyond:+18.1%}", flush=True)


def estimate(case: Case, model: Path) -> float:
    """What the plan says, in bytes."""
    training = Training(
        method=case.method,
        adapter=Adapter(rank=16, target_modules=case.target_modules, dropout=case.dropout),
        batch_size=case.batch_size,
        accumulation=1,
        steps=STEPS,
        longest=case.length,
        mean_length=case.length,
        examples=STEPS * case.batch_size,
        precision="float32",
        checkpointing=False,
    )
    return training_memory(architecture_of(model), training, laptop(threads=1)).total


def architecture_of(model: Path) -> Architecture:
    """The shape of a model in a folder."""
    values = json.loads((model / "config.json").read_text())
    heads = values["num_attention_heads"]
    return Architecture(
        layers=values["num_hidden_layers"],
        hidden_size=values["hidden_size"],
        intermediate_size=values["intermediate_size"],
        heads=heads,
        key_value_heads=values["num_key_value_heads"],
        head_dim=values.get("head_dim") or values["hidden_size"] // heads,
        vocabulary=values["vocab_size"],
        tied_embeddings=values["tie_word_embeddings"],
    )


def random_model(folder: Path, tokenizer: Path | None, **shape: Any) -> Path:
    """Make a random Llama with a tokenizer, in a process of its own."""
    code = (
        "import json, sys, torch\n"
        "from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM\n"
        "folder, source, shape = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])\n"
        "tokenizer = AutoTokenizer.from_pretrained(source)\n"
        "torch.manual_seed(0)\n"
        "config = LlamaConfig(num_hidden_layers=shape['layers'],\n"
        "    hidden_size=shape['hidden_size'], intermediate_size=3 * shape['hidden_size'],\n"
        "    num_attention_heads=shape['heads'], num_key_value_heads=shape['key_value_heads'],\n"
        "    vocab_size=len(tokenizer), tie_word_embeddings=True, bos_token_id=1,\n"
        "    eos_token_id=2, pad_token_id=2)\n"
        "LlamaForCausalLM(config).save_pretrained(folder)\n"
        "tokenizer.save_pretrained(folder)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(folder), str(tokenizer), json.dumps(shape)], check=True
    )
    return folder


def train(case: Case, model: Path, folder: Path) -> float:
    """Train a few steps; the peak of the process's resident memory in bytes."""
    for name in ("pairs", "out", "unfinished"):
        (folder / name).mkdir(parents=True)
    rows = [example(case, number) for number in range(STEPS * case.batch_size)]
    for name, some in (("train", rows), ("validation", rows[:2])):
        lines = "".join(json.dumps(row) + "\n" for row in some)
        (folder / "pairs" / f"{name}.jsonl").write_text(lines)
    settings: dict[str, Any] = {
        "steps": STEPS,
        "batch_size": case.batch_size,
        "max_length": case.length,
        "lora": {"target_modules": case.target_modules, "dropout": case.dropout},
    }
    if case.method != "sft":
        settings |= {"pairs": None, "checked_pairs": 2}
    job = {
        "name": "a training",
        "settings": {
            "run": {"model": "model", "seed": 1},
            "compute": {"threads": 1},
            case.method: settings,
        },
        "inputs": {
            "model": [str(model / "manifest.json")],
            "pairs": [str(folder / "pairs" / "manifest.json")],
        },
        "out": str(folder / "out"),
        "answers": str(folder),
        "unfinished": str(folder / "unfinished"),
        "measured": str(folder / "measured"),
        "log": str(folder / "log"),
    }
    (folder / "job.json").write_text(json.dumps(job))
    return peak([sys.executable, "-m", f"mimic.finetune.{case.method}", str(folder / "job.json")])


def example(case: Case, number: int) -> dict[str, Any]:
    """A conversation, or a pair of them; one that is cut, and one that is padded."""

    def text(which: int) -> str:
        # Each of these words has two tokens or more.
        words = case.length if which % 2 == 0 else case.length * 3 // 8
        return " ".join(f"word {(which * 7919 + place) % 9973}" for place in range(words))

    row: dict[str, Any] = {"prompt": [{"role": "user", "content": "Write."}]}
    row |= {"essay": f"e{2 * number}", "rejected_essay": f"e{2 * number + 1}"}
    sides = ("completion",) if case.method == "sft" else ("chosen", "rejected")
    for place, side in enumerate(sides):
        content = text(2 * number + place)
        row[side] = [{"role": "assistant", "content": content}]
    return row


def peak(command: list[str]) -> float:
    """Run a command as the runner runs steps; the peak of its resident memory in bytes."""
    path = os.pathsep.join([str(PROJECT / "workflow"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, **STEP_ENVIRONMENT, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    code = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return float(done.stdout) * 1024


if __name__ == "__main__":
    main(sys.argv[1:])
