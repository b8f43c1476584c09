"""The packs of a study, by what the plan says of its trainings."""

from __future__ import annotations

from mimic.packs import list_packs
from mimic.plan.corpus import assumed_lengths
from mimic.plan.devices import Kind, node_of
from mimic.plan.study_training import training_of
from mimic.plan.study_work import architecture_of, count_items
from mimic.plan.time import training_seconds
from mimic.study import Study


def packs_of(study: Study) -> dict[str, tuple[str, ...]]:
    """The runs of each pack, by the label of its first.

    By settings alone: with lengths of essays that are assumed and without what was measured, for
    jobs mustn't be put together otherwise when a record or a corpus appears.
    """
    size = study.settings.finetune.pack
    if size is None:
        return {}
    compute, lengths = study.settings.compute, assumed_lengths(study.settings.essays)
    kind: Kind = "cpu" if compute.device == "cpu" else "a100-40"
    node, items = node_of(kind, threads=compute.threads), count_items(study)
    seconds = {
        label: training_seconds(
            architecture_of(study.models[run.model]),
            training_of(study, run, lengths, items=items),
            node,
        ).total
        for label, run in study.runs.items()
        if run.training is not None
    }
    return list_packs(study.runs.values(), size=size, seconds=seconds)
