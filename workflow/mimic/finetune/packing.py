"""Whether a model keeps apart the essays that share a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import TrainerCallback

from mimic.finetune.settings import SftSettings

if TYPE_CHECKING:
    from transformers import Trainer

# Of the difference that it makes to see the essay before: rounding is far below, a leak is not.
MOST_LEAKED = 0.1


class CheckPacking(TrainerCallback):
    """Checks it where the model is where it is trained: in parts, too."""

    def __init__(self, trainer: Trainer, settings: SftSettings) -> None:
        self.trainer, self.settings = trainer, settings

    def on_train_begin(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        """Check it before the first step."""
        check_packing(self.trainer, self.settings)


def check_packing(trainer: Trainer, settings: SftSettings) -> None:
    """Check that of two texts in one row the trainer's model sees each by itself.

    Their places begin anew, by which the attention tells them apart, if it can. The same row with
    places that go on shows what a leak would make of the second text.

    Raises
    ------
    ValueError
        If it sees it, with the settings that mend it.
    """
    device = trainer.args.device
    was_training = trainer.model.training
    trainer.model.eval()
    ids = torch.arange(5, 45, device=device)[None]
    second = ids[:, 20:]
    # In inference mode FSDP would make buffers that its training can't use afterwards.
    with torch.no_grad(), trainer.accelerator.autocast():
        alone, packed, leaked = (
            trainer.model(input_ids=row, position_ids=places[None].to(device), use_cache=False)
            .logits[:, -20:]
            .float()
            for row, places in (
                (second, torch.arange(20)),
                (ids, torch.cat([torch.arange(20), torch.arange(20)])),
                (ids, torch.arange(40)),
            )
        )
    trainer.model.train(was_training)
    seen, would_be = (packed - alone).abs().max(), (leaked - alone).abs().max()
    if seen > MOST_LEAKED * would_be:
        raise ValueError(
            f"sft.packing: with sft.attention {settings.attention} this model's essays see the one "
            "before them in their row; set packing to false, or another attention"
        )
