"""The command `mimic plan`: what a study will need, before anything of it runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mimic.plan.calibrate import Factors, fit
from mimic.plan.corpus import essay_lengths
from mimic.plan.devices import Kind, node_of
from mimic.plan.fitting import GB
from mimic.plan.memory import Memory
from mimic.plan.observed import observations
from mimic.plan.schedule import Usage
from mimic.plan.study_plan import Plan, Row, plan_work
from mimic.plan.study_work import architecture_of, work_of
from mimic.plan.workload import Training
from mimic.provenance.store import the_store
from mimic.study import DEFAULT_SETTINGS, load_study, read_settings

STAGES = ("finetune", "writing", "questionnaire")
PARTS = ("weights", "adapter", "optimizer", "activations", "cache", "overhead")


def show_plan(configfile: Path | None, *, device: Kind | None, as_json: bool) -> bool:
    """Print the plan of a study.

    Parameters
    ----------
    device
        What to plan for; None for a node of MeluXina, or the CPU where the settings say so.

    Returns
    -------
    bool
        Whether every job fits somewhere.
    """
    source = configfile or DEFAULT_SETTINGS
    study = load_study(read_settings(source), source=str(source))
    compute = study.settings.compute
    kind: Kind = device or ("cpu" if compute.device == "cpu" else "a100-40")
    node = node_of(kind, threads=compute.threads)
    lengths = essay_lengths(study.settings.essays)
    work = tuple(work_of(study, lengths))
    shapes = {
        name: architecture_of(model)
        for name, model in study.models.items()
        if model.architecture is not None
    }
    factors = fit(observations(the_store(), study.models, lengths))
    plan = plan_work(work, shapes, node, factors=factors)
    if as_json:
        print(json.dumps(_plain(plan, factors, lengths.assumed), indent=1, ensure_ascii=False))
        return plan.fits
    console = Console(width=1000, highlight=False, markup=False)
    console.print(_table(plan))
    for line in _words(plan, factors, lengths.assumed):
        console.print(line)
    return plan.fits


def _table(plan: Plan) -> Table:
    table = Table("jobs", "what", "devices", *PARTS, "GB", "fits", "nodes", "hours", box=None)
    for rows in _alike(plan.rows):
        first = rows[0]
        hours = first.best_hours
        table.add_row(
            str(len(rows)),
            _what(first),
            _devices(first),
            *(f"{size / GB:.2f}" for size in _parts(first.memory)),
            f"{first.memory.total / GB:.1f}",
            "no" if not first.fits else "rearranged" if first.words else "yes",
            "–" if plan.node.device.kind == "cpu" else str(first.nodes),
            "–" if hours is None else f"{hours:.2f}",
        )
    return table


def _words(plan: Plan, factors: Factors, assumed: str) -> list[str]:
    device, lines = plan.node.device, []
    hours = sum(row.best_hours or 0.0 for row in plan.rows)
    if device.kind == "cpu":
        lines.append(f"{hours:.1f} hours of {device.title}, one job after the other")
    else:
        lines.append(f"nodes of {plan.node.gpus} × {device.title}, allocated whole")
        lines.append(f"as set: {_usage(plan.as_set)}")
        lines.append(f"with the jobs of a stage side by side: {_usage(plan.packed)}")
    for (kind, method, quantity), factor in sorted(factors.items()):
        if kind == device.kind:
            spread = "" if factor.spread is None else f", spread × {factor.spread:.2f}"
            lines.append(
                f"calibrated: {quantity} of {method} × {factor.value:.2f} "
                f"({factor.runs} run{'' if factor.runs == 1 else 's'}{spread})"
            )
    if assumed:
        lines.append(f"note: {assumed}")
    said = dict.fromkeys(row.words for row in plan.rows if row.words)
    return [*lines, *said]


def _usage(usage: Usage) -> str:
    return (
        f"{usage.node_hours:.1f} node-hours, {usage.gpu_hours:.1f} GPU-hours, "
        f"{usage.idle_gpu_hours:.1f} of them idle ({usage.idle_share:.0%})"
    )


def _alike(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that say the same of different runs, together."""
    found: dict[Any, list[Row]] = {}
    for row in sorted(rows, key=lambda row: STAGES.index(row.work.stage)):
        work = row.work
        key = (work.stage, work.section, work.model, work.context, row.task, row.words)
        found.setdefault(key, []).append(row)
    return list(found.values())


def _what(row: Row) -> str:
    task, work = row.task, row.work
    quantised = isinstance(task, Training) and task.quantisation == "nf4"
    said = [f"{work.section} {work.model}", *(["nf4"] if quantised else [])]
    said += [f"context {work.context}"] if work.context else []
    return ", ".join(said)


def _devices(row: Row) -> str:
    sharding = row.task.sharding if isinstance(row.task, Training) else "single"
    return str(row.devices) if sharding == "single" else f"{row.devices} {sharding}"


def _parts(memory: Memory) -> list[float]:
    """The columns of the table: gathered weights are weights, gradients go with the optimizer."""
    return [
        memory.weights + memory.gathered,
        memory.adapter,
        memory.optimizer + memory.gradients,
        memory.activations,
        memory.cache,
        memory.overhead,
    ]


def _plain(plan: Plan, factors: Factors, assumed: str) -> dict[str, Any]:
    """The plan as plain values."""
    return {
        "device": plan.node.device.title,
        "gpus_per_node": plan.node.gpus,
        "assumed": assumed,
        "jobs": [
            {
                "name": row.work.name,
                "stage": row.work.stage,
                "section": row.work.section,
                "model": row.work.model,
                "context": row.work.context,
                "devices": row.devices,
                "nodes": row.nodes,
                "task": asdict(row.task),
                "bytes": asdict(row.memory) | {"total": row.memory.total},
                "calibrated_bytes": row.calibrated_bytes,
                "fits": row.fits,
                "hours": row.hours,
                "calibrated_hours": row.calibrated_hours,
                "words": row.words,
            }
            for row in plan.rows
        ],
        "as_set": asdict(plan.as_set) | {"idle_share": plan.as_set.idle_share},
        "packed": asdict(plan.packed) | {"idle_share": plan.packed.idle_share},
        "factors": [
            {"device": kind, "method": method, "quantity": quantity} | asdict(factor)
            for (kind, method, quantity), factor in sorted(factors.items())
        ],
        "fits": plan.fits,
    }
