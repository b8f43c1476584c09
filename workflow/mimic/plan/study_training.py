"""A run's training as the plan sees it: steps, examples and their lengths."""

from __future__ import annotations

import math
from dataclasses import replace

from mimic.finetune.settings import DpoSettings, PreferenceSettings, SftSettings, TrainingSettings
from mimic.finetune.spread import nodes_of
from mimic.plan.corpus import ITEM_TOKENS, PROMPT_TOKENS, Lengths, padded_length
from mimic.plan.workload import Adapter, Method, Training
from mimic.recipes import Run
from mimic.study import Study
from mimic.traits import ALL_PROFILES, withheld_profiles

# Published splits, for training and for validation.
PUBLISHED_SHARES = {"sft": (0.8, 0.1), "dpo": (0.9, 0.1), "orpo": (0.9, 0.1)}


def training_of(study: Study, run: Run, lengths: Lengths, *, items: int) -> Training:
    """The training of a run."""
    settings = run.training
    assert settings is not None and run.pairs is not None  # the caller asks trained runs alone
    essays = study.settings.essays
    kept_back = essays.roles.G * essays.validation_share
    kept = essays.roles.G - kept_back
    if run.split == "published":
        kept, kept_back = PUBLISHED_SHARES[run.method]
    if run.withholds_profiles:
        kept *= 1 - len(withheld_profiles()) / len(ALL_PROFILES)
    # Adapters of profiles are trained one after the other: as one training of all their steps.
    adapters = 1
    if run.conditioning == "adapter":
        adapters = study.adapted_profiles
        kept, kept_back = kept / len(ALL_PROFILES), kept_back / len(ALL_PROFILES)
    examples = max(1, round(len(lengths.tokens) * kept))
    validation = round(len(lengths.tokens) * kept_back)
    trained = examples
    if isinstance(settings, PreferenceSettings):
        examples *= run.pairs.rejected_per_chosen
        examples = min(examples, settings.pairs or examples)
        trained = min(examples, settings.checked_pairs)
        validation = min(validation * run.pairs.rejected_per_chosen, settings.checked_pairs)
    if settings.steps is not None:
        settings = settings.model_copy(update={"steps": settings.steps * adapters})
    prompt = PROMPT_TOKENS
    if run.data != "essays":
        prompt += ITEM_TOKENS * items // 2
    task = task_of(
        settings,
        method=_method(run.method),
        lengths=lengths,
        examples=examples * adapters,
        checked=(trained * adapters, validation * adapters),
        prompt=prompt,
        adapters=adapters,
    )
    # What launches of conditioned runs may be: mimic.conditioning_checks.
    return replace(task, divisible=run.conditioning not in ("token", "adapter"))


def task_of(
    settings: TrainingSettings,
    *,
    method: Method,
    lengths: Lengths,
    examples: int,
    checked: tuple[int, int],
    prompt: int,
    adapters: int = 1,
) -> Training:
    """A training by its settings.

    Parameters
    ----------
    examples
        Number of the examples, or pairs, that it trains on.
    checked
        Of the training examples and of the validation examples that are looked at.
    prompt
        Tokens of a prompt.
    adapters
        As for `Training`.
    """
    packing = isinstance(settings, SftSettings) and settings.packing
    rows = settings.batch_size * (1 if method == "sft" else 2)
    # In sorted batches next to nothing is padded but the other side of a pair.
    padded_to = (1 if method == "sft" else 2) if settings.length_sorted or packing else rows
    mean = padded_length(
        lengths.tokens, rows=padded_to, prompt=prompt, max_length=settings.max_length
    )
    per_step = settings.batch_size * settings.accumulation
    if packing:
        examples = math.ceil(examples * mean / settings.max_length)
    # Each adapter's epochs end with whole steps of their own.
    epoch = math.ceil(examples / adapters / per_step)
    steps = settings.steps or adapters * math.ceil((settings.epochs or 1) * epoch)
    targets = settings.lora.target_modules
    longest = settings.max_length
    if not packing and not lengths.assumed:
        longest = min(longest, lengths.tokens[-1] + prompt)
    return Training(
        method=method,
        adapter=Adapter(
            rank=settings.lora.rank, target_modules=targets, dropout=settings.lora.dropout
        ),
        batch_size=settings.batch_size,
        accumulation=settings.accumulation,
        steps=steps,
        longest=longest,
        mean_length=mean,
        examples=min(examples, steps * per_step),
        precision=settings.precision,
        autocast=settings.autocast,
        attention=settings.attention,
        quantisation=settings.quantisation,
        checkpointing=settings.checkpointing,
        packing=packing,
        precompute_reference=isinstance(settings, DpoSettings) and settings.precompute_reference,
        looked_at=_looked_at(settings, *checked),
        adapters=adapters,
        sharding=settings.launch.config,
        devices=settings.launch.devices,
        nodes=nodes_of(settings),
    )


def _looked_at(settings: TrainingSettings, trained: int, validation: int) -> int:
    """Forward passes of single examples, as the training scripts make them.

    With the adapter and without it, and the validation examples within the training, too.
    """
    if isinstance(settings, PreferenceSettings):
        # Both sides of each pair.
        return 4 * trained + (4 + 2 * settings.evaluations) * validation
    return (2 + settings.evaluations) * validation


def _method(name: str) -> Method:
    methods: dict[str, Method] = {"sft": "sft", "dpo": "dpo", "orpo": "orpo"}
    return methods[name]
