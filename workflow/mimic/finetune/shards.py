"""A model that processes share by FSDP: what its parts need, and its adapter made whole again.

Under FSDP1 PEFT 0.21 finds none of its weights by name, because each layer stands in a wrapper: an
adapter that it saved, and the one in transformers' checkpoints, would be empty, without a word. Nor
does accelerate 1.15 give a new optimizer the state that it saved.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from accelerate import PartialState
from safetensors.torch import save_file
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.distributed.tensor import DTensor

from mimic.finetune.processes import fsdp_version, is_main

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from transformers import PreTrainedModel, Trainer


def bring_scales(model: PreTrainedModel, device: torch.device) -> None:
    """Bring what 4-bit weights are unpacked with to the device that will hold a part of them.

    They are no parameters, so FSDP, which brings those there, leaves them where they were loaded.
    """
    for module in model.modules():
        state = getattr(module, "quant_state", None)
        if state is not None:
            state.to(device)


def keep_precision(trainer: Trainer) -> None:
    """Have FSDP1 compute with each weight in its own format, with the adapter in float32.

    transformers, when it wraps a quantised model, asks for the format that its 4-bit weights are
    stored in, to which FSDP1 would cast the adapter but not what goes into it.
    """
    trainer.accelerator.state.fsdp_plugin.set_mixed_precision = lambda *_, **__: None


def write_adapter(trainer: Trainer, folder: Path) -> None:
    """Write an adapter that processes share as PEFT writes a whole one; all have to call it."""
    weights = whole_adapter(trainer.model)
    if is_main():
        named = {name.replace(".default.", "."): weight for name, weight in weights.items()}
        save_file(named, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        config = copy.copy(trainer.model.peft_config["default"])
        config.inference_mode = True
        config.save_pretrained(folder)


def save_part(model: torch.nn.Module, optimizer: Optimizer, checkpoint: Path) -> None:
    """Put into a checkpoint what this process has of the adapter and of its optimizer's state."""
    weights = {name: weight.detach().clone() for name, weight in _parts(model)}
    torch.save({"weights": weights, "optimizer": optimizer.state_dict()}, _part(checkpoint))


def load_part(model: torch.nn.Module, optimizer: Optimizer, checkpoint: Path) -> None:
    """Go on from what this process put into a checkpoint."""
    saved = torch.load(_part(checkpoint), weights_only=True)
    for name, weight in _parts(model):
        weight.data.copy_(saved["weights"][name])
    optimizer.load_state_dict(saved["optimizer"])


def _part(checkpoint: Path) -> Path:
    return checkpoint / f"part_{PartialState().process_index}.pt"


def _parts(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Parameter]]:
    return ((name, part) for name, part in model.named_parameters() if part.requires_grad)


def whole_adapter(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights of an adapter that each process has a part of, in the main one; {} in others.

    All processes have to call it. The frozen weights stay in their parts.
    """
    # Each is gathered by all; only one keeps it.
    return {
        name: weight.detach().to("cpu", copy=True).contiguous()
        for name, weight in _trained(model)
        if is_main()
    }


def _trained(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Each trained weight, whole while it is looked at."""
    if fsdp_version() == 2:
        for name, weight in _parts(model):
            assert isinstance(weight, DTensor)  # FSDP2 makes all parameters such
            yield name, weight.full_tensor()
        return
    for place, unit in model.named_modules():
        if not isinstance(unit, FullyShardedDataParallel):
            continue
        # PEFT has each of the adapter's layers wrapped by itself.
        if not any(flat.requires_grad for flat in unit.module.parameters(recurse=False)):
            continue
        with FullyShardedDataParallel.summon_full_params(unit, recurse=False, writeback=False):
            for name, weight in unit.module.named_parameters(recurse=False):
                yield f"{place}.{name}".replace("_fsdp_wrapped_module.", ""), weight
