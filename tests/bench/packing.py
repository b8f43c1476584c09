"""What packing two trainings on two cores takes, beside the two one after the other.

``python tests/bench/packing.py [ROUNDS]`` prints a table: the seconds of the finetune rule's own
commands, with nothing of it in the store, for a tiny model (most of it is the start of Python) and
for SmolLM2-135M. Packed and one after the other take turns, so that other work on the machine meets
both.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "tests/workflow"), str(PROJECT / "tests/unit")]

from small_study import CONFIG, ROOT, SmallStudy  # noqa: E402
from tiny_llama import save_tiny  # noqa: E402

STEPS = {"tiny": 20, "smollm2": 6}
SEEDS = (1, 2)


def main() -> None:
    """Measure both models and print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"{'':28}{'one after the other':>20}{'packed':>10}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        study = SmallStudy.make(PROJECT, base / "study", model=tiny(base), hub=base / "hub")
        for model, steps in STEPS.items():
            commands = prepare(study, model=model, steps=steps)
            seconds: dict[str, list[float]] = {name: [] for name in commands}
            for _ in range(rounds):
                for name, some in commands.items():
                    seconds[name].append(timed(study, some))
            alone, packed = (statistics.median(seconds[name]) for name in ("alone", "packed"))
            what = f"{model}, {len(SEEDS)} × {steps} steps"
            print(f"{what:28}{alone:20.1f}{packed:10.1f}{packed / alone:8.2f}", flush=True)


def tiny(folder: Path) -> Path:
    """The folder of a tiny model with the tokenizer of the embedded one."""
    import yaml
    from transformers import AutoTokenizer

    from mimic.models.fetch import gguf_path
    from mimic.models.settings import ModelSettings

    entry = yaml.safe_load((PROJECT / "config/models.yaml").read_text())["smollm2"]
    path = gguf_path(ModelSettings(**entry).source)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    save_tiny(folder / "tiny", tokenizer)
    return folder / "tiny"


def prepare(study: SmallStudy, *, model: str, steps: int) -> dict[str, list[str]]:
    """Make what the trainings start from; the commands of the rules, alone and packed."""
    settings: dict[str, Any] = {
        "root": ROOT,
        "models": [model],
        "essays": {"source": {"kind": "csv", "path": "corpus.csv", "composed": True}},
        "finetune": {"methods": ["sft"], "seeds": list(SEEDS), "sft": {"steps": steps}},
    }
    runs = [f"{model}-sft-s{seed}" for seed in SEEDS]
    study.write(CONFIG, json.dumps(settings))
    inputs = [f"{ROOT}/models/{model}", *(f"{ROOT}/pairs/{run}" for run in runs)]
    study.run(*(f"{folder}/manifest.json" for folder in inputs))
    targets = [f"{ROOT}/finetune/{run}/manifest.json" for run in runs]
    commands = {"alone": commands_of(study, targets, module="runner")}
    settings["finetune"] |= {"pack": len(SEEDS)}
    study.write(CONFIG, json.dumps(settings))
    commands["packed"] = commands_of(study, targets, module="pack")
    return commands


def commands_of(study: SmallStudy, targets: list[str], *, module: str) -> list[str]:
    """The shell commands of the rules that Snakemake would call for some targets."""
    words = "Shell command: "
    lines = study.run(*targets, "--dry-run", "--printshellcmds").output.splitlines()
    found = [line.removeprefix(words) for line in lines if line.startswith(words)]
    return [line for line in found if f"mimic.provenance.{module} " in line]


def timed(study: SmallStudy, commands: list[str]) -> float:
    """Seconds of commands one after the other; what they leave in the store is removed."""
    store = study.folder / "store"
    kept = set(store.iterdir())
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    (study.folder / ROOT / "finetune/.packs").mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=study.folder,
            env={**study.environment, "PATH": path},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    seconds = time.perf_counter() - started
    made = set(store.iterdir()) - kept
    assert len(made) == len(SEEDS), made
    for entry in made:
        shutil.rmtree(entry)
    return seconds


if __name__ == "__main__":
    main()
