"""A step of each method holds what the plan says: counted tensor by tensor, weights aside."""

from __future__ import annotations

import importlib
import json
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from plan_models import TINY_GEMMA_2_MODEL, TINY_MODEL, tiny
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mimic.plan.activations import passes
from mimic.plan.architecture import Architecture
from mimic.plan.workload import Adapter, Training

LENGTH = 64


class Held(TorchDispatchMode):
    """Bytes of the tensors that operations make, as long as they live."""

    def __init__(self, weights: set[int]) -> None:
        super().__init__()
        self.known = set(weights)
        self.now = self.peak = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._hold(tensor.untyped_storage())
        return made

    def _hold(self, storage: torch.UntypedStorage) -> None:
        place, size = storage._cdata, storage.nbytes()
        if place in self.known:
            return
        self.known.add(place)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._free, place, size)

    def _free(self, place: int, size: int) -> None:
        self.known.discard(place)
        self.now -= size


@pytest.fixture(scope="module")
def tiny_models(tmp_path_factory, tiny_model: Path, smollm2_tokenizer) -> dict[Architecture, Path]:
    """Manifests of a tiny Llama and of a tiny Gemma 2."""
    folder = tmp_path_factory.mktemp("gemma-2")
    tiny(TINY_GEMMA_2_MODEL, attention="eager").save_pretrained(folder)
    smollm2_tokenizer.save_pretrained(folder)
    (folder / "manifest.json").write_text("{}")
    return {TINY_MODEL: tiny_model, TINY_GEMMA_2_MODEL: folder / "manifest.json"}


@pytest.mark.parametrize(
    ("method", "batch_size", "precision", "quantisation", "shape"),
    [
        ("sft", 2, "float32", "none", TINY_MODEL),
        ("dpo", 1, "float32", "none", TINY_MODEL),
        ("orpo", 1, "float32", "none", TINY_MODEL),
        ("orpo", 2, "float32", "none", TINY_MODEL),
        ("orpo", 1, "bfloat16", "none", TINY_MODEL),
        ("orpo", 2, "bfloat16", "none", TINY_MODEL),
        ("sft", 2, "bfloat16", "nf4", TINY_MODEL),
        ("dpo", 1, "bfloat16", "nf4", TINY_MODEL),
        ("orpo", 1, "bfloat16", "nf4", TINY_MODEL),
        ("orpo", 1, "float16", "nf4", TINY_MODEL),
        # What is capped.
        ("sft", 2, "float32", "none", TINY_GEMMA_2_MODEL),
        ("orpo", 1, "float32", "none", TINY_GEMMA_2_MODEL),
        ("orpo", 2, "float32", "none", TINY_GEMMA_2_MODEL),
        ("orpo", 1, "bfloat16", "nf4", TINY_GEMMA_2_MODEL),
    ],
    ids=lambda value: f"{value.norms_per_layer} norms" if isinstance(value, Architecture) else None,
)
def test_a_step_holds_what_the_plan_says(
    make_job,
    tiny_models: dict[Architecture, Path],
    tmp_path: Path,
    monkeypatch,
    method,
    batch_size,
    precision,
    quantisation,
    shape,
) -> None:
    steps: list[int] = []
    heads: set[torch.dtype] = set()
    original = transformers.Trainer.training_step

    def counted(self: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        heads.add(model.get_output_embeddings().weight.dtype)
        weights = {weight.untyped_storage()._cdata for weight in model.parameters()}
        with Held(weights) as held:
            loss = original(self, model, *args, **kwargs)
        steps.append(held.peak)
        return loss

    monkeypatch.setattr(transformers.Trainer, "training_step", counted)
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    for name in ("train", "validation"):
        rows = [a_row(method, number) for number in range(2 * batch_size)]
        (pairs / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {
        "steps": 2,
        "batch_size": batch_size,
        "max_length": LENGTH,
        "precision": precision,
        "quantisation": quantisation,
        "attention": (attention := "eager" if shape.capped else "sdpa"),
        "lora": {"rank": 4},
    } | ({} if method == "sft" else {"checked_pairs": 2})
    job = make_job(
        settings={
            "run": {"model": "tiny", "seed": 1},
            "compute": {"threads": 1},
            method: settings,
        },
        inputs={"model": tiny_models[shape], "pairs": pairs / "manifest.json"},
    )
    importlib.import_module(f"mimic.finetune.{method}").main(job)

    training = Training(
        method=method,
        adapter=Adapter(rank=4),
        batch_size=batch_size,
        accumulation=1,
        steps=2,
        longest=LENGTH,
        mean_length=LENGTH,
        examples=2 * batch_size,
        precision=precision,
        quantisation=quantisation,
        attention=attention,
        checkpointing=False,
    )
    planned = passes(shape, training, on_gpu=False)
    assert len(steps) == 2
    # What isn't quantised has 16 bits, too: TRL would have made it float32 in ORPO.
    assert heads == {torch.float32 if precision == "float32" else torch.bfloat16}
    assert planned.kept + planned.working == pytest.approx(max(steps), rel=0.05)


def a_row(method: str, number: int) -> dict[str, Any]:
    """A conversation, or a pair, that is cut to its first tokens."""
    row: dict[str, Any] = {"prompt": [{"role": "user", "content": "Write."}]}
    row |= {"essay": f"e{2 * number}", "rejected_essay": f"e{2 * number + 1}"}
    for place, side in enumerate(("completion",) if method == "sft" else ("chosen", "rejected")):
        text = " ".join(f"word {(7919 * (2 * number + place) + n) % 9973}" for n in range(LENGTH))
        row[side] = [{"role": "assistant", "content": text}]
    return row
