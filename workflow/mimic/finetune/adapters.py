"""A run's training: of its one adapter or, with the conditioning ``adapter``, of one a profile.

Adapters of profiles are trained one after the other, each as a run's only one would be. One that is
whole lies in the job's unfinished work, where a later attempt finds it.
"""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mimic.conditioning import ADAPTERS
from mimic.files import make_shared_folder, read_json, read_jsonl, write_json
from mimic.finetune.learning import LearningCheck, margin_check, reported
from mimic.finetune.processes import is_main, tell
from mimic.finetune.resume import sync
from mimic.finetune.watch import Figures
from mimic.step import Job
from mimic.traits import Profile, balanced_profiles

# Of one essay an adapter would learn its author, and of none nothing.
LEAST_ESSAYS = 2
LOG = "training_log.csv"
# What lies beside an adapter that is whole until all are.
_EXAMINED = "examined.json"


@dataclass(frozen=True)
class Examined:
    """What a training changed: figures of the same examples before and after it.

    Attributes
    ----------
    steps
        Optimizer steps.
    before, after
        Figures by part, ``train`` or ``validation``.
    """

    steps: int
    before: dict[str, Figures]
    after: dict[str, Figures]


def train_run(
    job: Job,
    *,
    method: str,
    train_one: Callable[[Job], Examined],
    checks: Callable[[Examined], list[LearningCheck]],
) -> None:
    """Train all adapters of a run; write them, ``training_log.csv`` and ``learning.json``.

    Parameters
    ----------
    train_one
        Trains one adapter and writes it and its log into the folder of the job that it is given.
        Where the job's settings name a ``profile``, on the essays of that profile alone.
    checks
        Makes the learning checks of the examples of all adapters together.
    """
    profiles = job.settings.get("profiles")
    examined = (
        train_one(job)
        if profiles is None
        else _train_each(job, balanced_profiles(profiles), train_one)
    )
    if is_main():
        learning: dict[str, Any] = {
            "method": method,
            "steps": examined.steps,
            "checks": [check.as_dict() for check in checks(examined)],
        }
        if profiles is not None:
            learning["adapters"] = profiles
        write_json(job.out / "learning.json", learning)


def preference_checks(examined: Examined) -> list[LearningCheck]:
    """What DPO and ORPO promise: the margin rises on training pairs. The rest is reported."""
    before, after = examined.before, examined.after
    return [
        *(
            margin_check(before[part]["margin"], after[part]["margin"], training=part == "train")
            for part in ("train", "validation")
        ),
        *(
            reported(f"validation {name}", before["validation"][name], after["validation"][name])
            for name in ("loss", "accuracy")
        ),
    ]


def check_essays(pairs: Path, profiles: tuple[Profile, ...]) -> None:
    """Check that each profile has essays enough to train an adapter on.

    Parameters
    ----------
    pairs
        The folder of a run's examples, each with its ``profile`` and the ``essay`` that is wanted.

    Raises
    ------
    ValueError
        Naming the profile with the fewest, and what to do; or if none has a validation essay.
    """
    path = pairs / "train.jsonl"
    essays: dict[str, set[str]] = {str(profile): set() for profile in profiles}
    for row in read_jsonl(path):
        essays.get(row["profile"], set()).add(row["essay"])
    lacking = sorted((len(own), name) for name, own in essays.items() if len(own) < LEAST_ESSAYS)
    if lacking:
        count, name = lacking[0]
        others = f" ({len(lacking)} of {len(profiles)} profiles have too few)"
        raise ValueError(
            f"{path}: profile {name} has {count} training essay{'s' * (count != 1)}{others}, but "
            f"conditioning adapter needs at least {LEAST_ESSAYS} of each for an adapter of its "
            "own; use a larger corpus, raise the share of G in essays.roles, lower the profiles "
            "that are asked and written for, or take the conditioning prompt, token or none"
        )
    path = pairs / "validation.jsonl"
    if not any(row["profile"] in essays for row in read_jsonl(path)):
        raise ValueError(
            f"{path}: none of the {len(profiles)} profiles has a validation essay, so that nothing "
            "would say whether an adapter learned; use a larger corpus, or raise the share of G in "
            "essays.roles"
        )


def _train_each(
    job: Job, profiles: tuple[Profile, ...], train_one: Callable[[Job], Examined]
) -> Examined:
    """Train an adapter for each profile, but for those that a former attempt made whole."""
    assert job.unfinished is not None  # every job that the runner starts has it
    check_essays(job.folder("pairs"), profiles)
    for number, profile in enumerate(profiles, 1):
        whole = job.unfinished / str(profile)
        if whole.is_dir():
            continue
        tell(f"adapter {number} of {len(profiles)}: {profile}")
        own = _job_of(job, profile)
        # What a killed attempt was writing.
        shutil.rmtree(own.out, ignore_errors=True)
        make_shared_folder(own.out)
        write_json(own.out / _EXAMINED, _as_values(train_one(own)))
        sync(own.out)
        own.out.rename(whole)
        if own.unfinished is not None:
            shutil.rmtree(own.unfinished, ignore_errors=True)
        _release_memory()
    wholes = {str(profile): job.unfinished / str(profile) for profile in profiles}
    for name, whole in wholes.items():
        left_out = shutil.ignore_patterns(_EXAMINED, LOG)
        shutil.copytree(whole, job.out / ADAPTERS / name, ignore=left_out)
    _write_log(job.out / LOG, {name: whole / LOG for name, whole in wholes.items()})
    return _together([read_json(whole / _EXAMINED) for whole in wholes.values()])


def _job_of(job: Job, profile: Profile) -> Job:
    """The training of one profile's adapter, within the run's unfinished work."""
    assert job.unfinished is not None  # every job that the runner starts has it
    log = job.log and job.log.with_suffix("") / f"{profile}.log"
    return replace(
        job,
        name=f"{job.name}, {profile}",
        settings=job.settings | {"profile": str(profile)},
        out=job.unfinished / f"{profile}-being-written",
        unfinished=job.unfinished / f"{profile}-unfinished",
        log=log,
    )


def _write_log(path: Path, logs: dict[str, Path]) -> None:
    tables = []
    for name, own in logs.items():
        table = pd.read_csv(own, float_precision="round_trip")
        table.insert(0, "profile", name)
        tables.append(table)
    together = pd.concat(tables, ignore_index=True)
    together.to_csv(path, index=False, lineterminator="\n")


def _as_values(examined: Examined) -> dict[str, Any]:
    values = asdict(examined)
    for side in ("before", "after"):
        for figures in values[side].values():
            figures.update({name: own.tolist() for name, own in figures.items()})
    return values


def _together(values: list[dict[str, Any]]) -> Examined:
    """The examples of all adapters, one behind the other."""

    def side(name: str) -> dict[str, Figures]:
        return {
            part: {
                figure: np.concatenate([own[name][part][figure] for own in values])
                for figure in figures
            }
            for part, figures in values[0][name].items()
        }

    return Examined(
        steps=sum(own["steps"] for own in values), before=side("before"), after=side("after")
    )


def _release_memory() -> None:
    """Give up the model that was trained; trainer and callbacks hold each other."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
