"""The plan of a study in tables and words, for a terminal of 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from mimic.plan.calibrate import Factors
from mimic.plan.fitting import ERROR, GB
from mimic.plan.memory import Memory
from mimic.plan.schedule import Allocation, Usage
from mimic.plan.study_plan import STAGES, Plan, Row
from mimic.plan.workload import Training

WIDTH = 100
# Columns of memory, and how wide they are.
PARTS = {"weights": 7, "adapter": 7, "optim.": 6, "activ.": 6, "cache": 5, "rest": 5, "all": 5}
# Packs that leave less of their GPUs idle aren't listed.
EVEN = 0.1


def show(
    plan: Plan, factors: Factors, *, source: Path, assumed: str, served: Sequence[str]
) -> None:
    """Print a plan.

    Parameters
    ----------
    factors
        What was measured over what was planned.
    source
        The study's settings file.
    assumed
        What was assumed of its corpus; empty where that was read.
    served
        Its models that a provider serves.
    """
    console = Console(width=WIDTH, highlight=False, markup=False)
    notes = list(dict.fromkeys(rows[0].words for rows in _alike(plan.rows) if rows[0].words))
    device = plan.node.device
    if device.kind == "cpu":
        where = f"{device.title}, one job after the other"
    else:
        where = f"nodes of {plan.node.gpus} × {device.title}, allocated whole"
    # A long path isn't broken.
    console.print(f"{source} on {where}\n", soft_wrap=True)
    for part in _jobs(plan, notes):
        console.print(part)
    for line in _columns(plan):
        console.print(line)
    for number, note in enumerate(notes, start=1):
        console.print(_wrapped(f"{number}  {note}"))
    console.print()
    if device.kind == "cpu":
        hours = sum(row.best_hours or 0.0 for row in plan.rows)
        console.print(f"the whole study: {hours:.1f} hours")
    else:
        console.print(_stages(plan))
        console.print(
            "side by side: with the jobs of each stage put together on whole nodes by time"
        )
        if left_out := sum(not row.fits for row in plan.rows):
            console.print(f"without the {left_out} jobs that don't fit")
        for line in _packs(plan.packs(), plan):
            console.print(_wrapped(line))
    for line in _remarks(plan, factors, assumed=assumed, served=served):
        console.print(_wrapped(line))


def _jobs(plan: Plan, notes: list[str]) -> Iterator[Table | str]:
    """The heads of all tables, and a table for each model below its name."""
    of_model: dict[str, list[list[Row]]] = {}
    for rows in _alike(plan.rows):
        of_model.setdefault(rows[0].work.model, []).append(rows)
    yield _table(plan, heads=True)
    for model, groups in of_model.items():
        table = _table(plan, heads=False)
        yield f"{model}, {_size(plan.parameters[model])}"
        for rows in groups:
            first = rows[0]
            hours = first.best_hours
            table.add_row(
                str(len(rows)),
                _what(first),
                str(first.devices),
                *map(_gigabytes, _parts(first.memory)),
                _fits(first, notes),
                "–" if plan.node.device.kind == "cpu" else str(first.nodes),
                "–" if hours is None else f"{hours:.2f}",
            )
        yield table


def _table(plan: Plan, *, heads: bool) -> Table:
    several = "CPUs" if plan.node.device.kind == "cpu" else "GPUs"
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=heads)
    widths = {"jobs": 4, "what": 22, several: 4, **PARTS, "fits": 7, "nodes": 5, "hours": 5}
    for name, width in widths.items():
        side: Literal["left", "right"] = "left" if name in ("what", "fits") else "right"
        table.add_column(name, width=width, justify=side, overflow="fold")
    return table


def _columns(plan: Plan) -> Iterator[str]:
    """What the columns of the table are."""
    yield ""
    yield _wrapped(
        "weights … all: GB (10⁹ bytes) that each device holds at a job's peak. weights: with "
        "blocks that are gathered or unpacked; optim.: the optimizer's moments and the gradients; "
        "activ.: activations and the loss; cache: keys and values; rest: the process itself, and "
        "what the allocator can't use. "
        f"{plan.node.device.memory_bytes / GB:.0f} GB can be planned for."
    )
    if any(row.tight for row in plan.rows):
        yield _wrapped(f"tight: wouldn't fit if it took {ERROR:.0%} more, as plans of memory err.")
    yield "hours: of each of these jobs."


def _stages(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("stage")
    for how in ("as set", "side by side"):
        table.add_column(f"node-hours\n{how}", justify="right")
        table.add_column(f"idle GPU-hours\n{how}", justify="right")
    stages: list[tuple[str, str | None]] = [(stage, stage) for stage in plan.stages]
    for title, stage in [*stages, ("the whole study", None)]:
        cells = [_usage(each) for each in (plan.as_set(stage), plan.packed(stage))]
        table.add_row(title, *cells[0], *cells[1])
    return table


def _packs(packs: list[Allocation], plan: Plan) -> Iterator[str]:
    """Packs of trainings that take about as long, in one line, and the others, in one each."""
    uneven = [pack for pack in packs if _idle(pack, plan) > EVEN * plan.node.gpus * pack.hours]
    if packs:
        yield f"{len(packs) - len(uneven)} of {len(packs)} packs leave at most {EVEN:.0%} idle"
    for pack in uneven:
        names = ", ".join(f"{job.name} {job.hours:.2f}" for job in pack.jobs)
        yield f"pack of {pack.hours:.2f} hours, {_idle(pack, plan):.2f} GPU-hours idle: {names}"


def _idle(pack: Allocation, plan: Plan) -> float:
    busy = sum(job.devices * job.hours for job in pack.jobs)
    return pack.nodes * plan.node.gpus * pack.hours - busy


def _remarks(plan: Plan, factors: Factors, *, assumed: str, served: Sequence[str]) -> Iterator[str]:
    for (kind, method, quantity), factor in sorted(factors.items()):
        if kind == plan.node.device.kind:
            spread = "" if factor.spread is None else f", spread × {factor.spread:.2f}"
            yield (
                f"calibrated: {quantity} of {method} × {factor.value:.2f} "
                f"({factor.runs} run{'' if factor.runs == 1 else 's'}{spread})"
            )
    if assumed:
        yield f"note: {assumed}"
    for name in served:
        yield f"note: {name} runs at its provider, on no device of this plan"


def _wrapped(text: str) -> str:
    # What is to be pasted holds names with hyphens, at which no line must break.
    return textwrap.fill(text, WIDTH, subsequent_indent="   ", break_on_hyphens=False)


def _usage(usage: Usage) -> tuple[str, str]:
    return (
        f"{usage.node_hours:.1f}",
        f"{usage.idle_gpu_hours:.1f} of {usage.gpu_hours:.1f} ({usage.idle_share:.0%})",
    )


def _alike(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that say the same of different runs, together; by model and stage."""
    models = list(dict.fromkeys(row.work.model for row in rows))
    found: dict[Any, list[Row]] = {}
    for row in sorted(
        rows, key=lambda row: (models.index(row.work.model), STAGES.index(row.work.stage))
    ):
        work = row.work
        key = (work.stage, work.section, work.model, work.context, row.task, row.words)
        found.setdefault(key, []).append(row)
    return list(found.values())


def _what(row: Row) -> str:
    task, work = row.task, row.work
    if isinstance(task, Training):
        said = [work.section.removeprefix("finetune.").removeprefix("recipes.")]
        said += ["nf4"] if task.quantisation == "nf4" else []
        said += [task.sharding] if task.sharding != "single" else []
        return ", ".join(said)
    said = [work.section]
    if work.context:
        said = ["in words" if work.method == "generation" else "answers", work.context]
    return ", ".join([*said, *(["nf4"] if task.quantisation == "nf4" else [])])


def _fits(row: Row, notes: list[str]) -> str:
    said = "no" if not row.fits else "tight" if row.tight else "yes"
    return f"{said} {notes.index(row.words) + 1}" if row.words else said


def _size(parameters: int) -> str:
    """A model's number of parameters."""
    if parameters < 1e9:
        return f"{parameters / 1e6:.1f} million parameters"
    return f"{parameters / 1e9:.2f} billion parameters"


def _gigabytes(size: float) -> str:
    return f"{size / GB:.2f}" if size < 10 * GB else f"{size / GB:.1f}"


def _parts(memory: Memory) -> list[float]:
    """The columns of the table: gathered weights are weights, gradients go with the optimizer."""
    return [
        memory.weights + memory.gathered,
        memory.adapter,
        memory.optimizer + memory.gradients,
        memory.activations,
        memory.cache,
        memory.overhead,
        memory.total,
    ]
