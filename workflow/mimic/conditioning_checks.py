"""What a conditioning doesn't go together with, for the settings of a study; no step reads this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mimic.conditioning import UNTOLD, Conditioning
from mimic.finetune.settings import LaunchSettings

# Contexts in which runs aren't asked, by how they are told their target. Without a target no
# adapter is chosen, and an essay brings none along; without one in prompts all profiles answer
# alike, and rows for the reliability of scales would be so many copies of a few.
NOT_ASKED: dict[str, set[str]] = {"adapter": {"human"}, "none": {"sketches"}}


def check_conditioning(
    conditioning: Conditioning,
    *,
    data: Sequence[str],
    null_adapters: int,
    launches: Mapping[str, LaunchSettings],
) -> None:
    """Check that a conditioning goes together with a recipe's other settings.

    Parameters
    ----------
    data, null_adapters
        Of the recipe.
    launches
        The devices of each of its methods.

    Raises
    ------
    ValueError
        Naming both settings and what to do.
    """
    answered = [name for name in data if name != "essays"]
    if conditioning in UNTOLD and answered:
        raise ValueError(
            f"conditioning has {conditioning}, whose prompts hold no target, and data has "
            f"{answered[0]}, whose prompts hold answers that tell it; give one of them a recipe of "
            "its own"
        )
    if conditioning == "none" and null_adapters:
        raise ValueError(
            f"conditioning has none and null_adapters is {null_adapters}, but a run that is told "
            "no target is as good as null already; give it a recipe of its own, with "
            "null_adapters 0"
        )
    for method, launch in launches.items():
        if conditioning == "adapter" and launch.devices > 1:
            raise ValueError(
                f"conditioning has adapter and {method}.launch.devices is {launch.devices}, but "
                "adapters of profiles are trained on one device, one after the other; set "
                "launch.devices to 1 and launch.config to single"
            )
        if conditioning == "token" and launch.config.startswith("fsdp"):
            raise ValueError(
                f"conditioning has token and {method}.launch.config is {launch.config}, but "
                "embeddings of single tokens can't be trained where each device has a part of "
                "them; set launch.config to single or ddp"
            )
