"""The command `mimic plan`: what a study will need, before anything of it runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mimic.plan.by_settings import packs_of
from mimic.plan.calibrate import Factors, fit
from mimic.plan.corpus import Lengths, essay_lengths
from mimic.plan.devices import Kind, node_of
from mimic.plan.observed import observations
from mimic.plan.schedule import Usage
from mimic.plan.study_plan import Plan, plan_work
from mimic.plan.study_work import architecture_of, work_of
from mimic.plan.words import show
from mimic.provenance.store import the_store
from mimic.study import DEFAULT_SETTINGS, Study, load_study, read_settings


def show_plan(configfile: Path | None, *, device: Kind | None, as_json: bool) -> bool:
    """Print the plan of a study.

    Parameters
    ----------
    device
        What to plan for; None for a node of MeluXina, or the CPU where the settings say so.

    Returns
    -------
    bool
        Whether every job fits as it is set.
    """
    source = configfile or DEFAULT_SETTINGS
    study = load_study(read_settings(source), source=str(source))
    lengths = essay_lengths(study.settings.essays)
    factors = fit(observations(the_store(), study.models, lengths))
    plan = plan_study(study, lengths, device=device, factors=factors)
    served = tuple(name for name, model in study.models.items() if model.is_served)
    if as_json:
        values = _plain(plan, factors) | {"assumed": lengths.assumed, "served": served}
        print(json.dumps(values, indent=1, ensure_ascii=False))
    else:
        show(plan, factors, source=source, assumed=lengths.assumed, served=served)
    return plan.fits


def plan_study(
    study: Study, lengths: Lengths, *, device: Kind | None = None, factors: Factors
) -> Plan:
    """Plan all jobs of a study that run models.

    Parameters
    ----------
    lengths
        Of its essays.
    device
        As for `show_plan`.
    factors
        What was measured over what was planned.
    """
    compute = study.settings.compute
    kind: Kind = device or ("cpu" if compute.device == "cpu" else "a100-40")
    pack_of = {run: name for name, runs in packs_of(study).items() for run in runs}
    shapes = {
        name: architecture_of(model) for name, model in study.models.items() if not model.is_served
    }
    return plan_work(
        tuple(work_of(study, lengths, pack_of=pack_of)),
        shapes,
        node_of(kind, threads=compute.threads),
        factors=factors,
    )


def _plain(plan: Plan, factors: Factors) -> dict[str, Any]:
    """The plan as plain values."""
    return {
        "device": plan.node.device.title,
        "gpus_per_node": plan.node.gpus,
        "models": {name: {"parameters": number} for name, number in plan.parameters.items()},
        "jobs": [
            {
                "name": row.work.name,
                "stage": row.work.stage,
                "section": row.work.section,
                "model": row.work.model,
                "context": row.work.context,
                "pack": row.work.pack,
                "devices": row.devices,
                "nodes": row.nodes,
                "task": asdict(row.task),
                "bytes": asdict(row.memory) | {"total": row.memory.total},
                "fits": row.fits,
                "tight": row.tight,
                "hours": row.hours,
                "calibrated_hours": row.calibrated_hours,
                "words": row.words,
            }
            for row in plan.rows
        ],
        "stages": {
            stage: {
                "as_set": _plain_usage(plan.as_set(stage)),
                "side_by_side": _plain_usage(plan.packed(stage)),
            }
            for stage in plan.stages
        },
        "study": {
            "as_set": _plain_usage(plan.as_set()),
            "side_by_side": _plain_usage(plan.packed()),
        },
        "factors": [
            {"device": kind, "method": method, "quantity": quantity} | asdict(factor)
            for (kind, method, quantity), factor in sorted(factors.items())
        ],
        "fits": plan.fits,
    }


def _plain_usage(usage: Usage) -> dict[str, float]:
    return asdict(usage) | {"idle_share": usage.idle_share}
