"""How a run is told its target: in words, by learned tokens, by its adapter, or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple, cast

from mimic.step import Job
from mimic.target_tokens import target_tokens
from mimic.traits import Profile

Conditioning = Literal["prompt", "token", "adapter", "none"]
# Those whose prompts hold no target.
UNTOLD: tuple[Conditioning, ...] = ("adapter", "none")
# The folder of a training's output that holds an adapter for each profile.
ADAPTERS = "adapters"


def conditioning_of(job: Job) -> Conditioning:
    """How the job's run is told its target; what isn't named is ``prompt``."""
    return cast(Conditioning, job.settings.get("conditioning", "prompt"))


def described(profile: Profile, conditioning: Conditioning = "prompt") -> str:
    """What a prompt calls the target: ``a person with high openness, …``."""
    if conditioning in UNTOLD:
        return "a person"
    words = target_tokens(profile) if conditioning == "token" else profile.words()
    return f"a person with {words}"


def persona(profile: Profile, conditioning: Conditioning = "prompt") -> str:
    """The sentence that tells a model its target."""
    return f"You are {described(profile, conditioning)}."


class Adapted(NamedTuple):
    """Profiles that are answered and written for with one adapter.

    Attributes
    ----------
    adapter
        Its folder; None for the model alone.
    profiles
        All of them, or the one that the adapter is for.
    """

    adapter: Path | None
    profiles: tuple[Profile, ...]


def adapters_of(job: Job, profiles: Iterable[Profile]) -> list[Adapted]:
    """The adapters of a job's run, with the profiles that each is used for, in their order."""
    distinct = tuple(dict.fromkeys(profiles))
    if not job.inputs.get("adapter"):
        return [Adapted(None, distinct)]
    folder = job.folder("adapter")
    if conditioning_of(job) != "adapter":
        return [Adapted(folder, distinct)]
    return [Adapted(folder / ADAPTERS / str(profile), (profile,)) for profile in distinct]
