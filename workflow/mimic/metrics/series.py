"""Step: runs that differ in their training seed alone, together and against their null adapters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mimic.files import write_json
from mimic.metrics.answers import (
    Answers,
    Trained,
    check_same_layout,
    held_out,
    load_answers,
    trained_on,
)
from mimic.metrics.nulls import (
    answers_against_nulls,
    stability_against_nulls,
    texts_against_nulls,
)
from mimic.metrics.numbers import cuts_of, rounded
from mimic.metrics.seeds import answers_over_seeds, texts_over_seeds
from mimic.metrics.settings import MetricsSettings
from mimic.metrics.texts import load_probabilities
from mimic.progress import say
from mimic.questionnaire.instruments import load_instrument
from mimic.step import Job, run_step


def main(job: Job) -> None:
    """Write ``<label>.json``.

    Inputs are in the order of the contexts, within a context in that of runs or null adapters.
    """
    resampling = job.parse(MetricsSettings, "metrics").resampling()
    series, contexts = job.settings["series"], job.settings["contexts"]
    runs, nulls = series["runs"], series["nulls"]
    cut = next(iter(cuts_of(load_instrument(job.input("instrument"))).values()))
    # All runs of a series and their null adapters train on the same items.
    trained = trained_on(job.inputs["trained_items"], job.inputs["splits"])
    answers = {
        context: _answers(job.inputs["answers"][n * len(runs) : (n + 1) * len(runs)], trained)
        for n, context in enumerate(contexts)
    }
    texts = [load_probabilities(path) for path in job.inputs["probabilities"]]
    figures: dict[str, Any] = {
        "series": series["label"],
        "model": series["model"],
        "method": series["method"],
        "runs": runs,
        "null_adapters": nulls,
        "over_seeds": None,
        "against_null": None,
    }
    if len(runs) > 1:
        say(f"figures of {series['label']} over {len(runs)} seeds")
        questionnaire = {}
        for context, base in zip(
            contexts, _answers(job.inputs["base_answers"], trained), strict=True
        ):
            for run in answers[context]:
                check_same_layout(run, base, context=context)
            questionnaire[context] = answers_over_seeds(
                answers[context], base, cut=cut, resampling=resampling
            )
        figures["over_seeds"] = {
            "questionnaire": questionnaire,
            "texts": texts_over_seeds(texts, resampling),
        }
    if nulls:
        say(f"{series['label']} against {len(nulls)} null adapters")
        context = job.settings["compared_in"]
        others = _answers(job.inputs["null_answers"], trained)
        for null in others:
            check_same_layout(null, answers[context][0], context=context)
        null_texts = [load_probabilities(path) for path in job.inputs["null_probabilities"]]
        figures["against_null"] = {
            "context": context,
            "figures": answers_against_nulls(
                answers[context], others, cut=cut, resampling=resampling
            )
            | texts_against_nulls(texts, null_texts, resampling),
            "stability": stability_against_nulls(answers[context], others),
        }
    write_json(job.out / f"{series['label']}.json", rounded(figures))


def _answers(paths: Sequence[Path], trained: Trained) -> list[Answers]:
    return [held_out(load_answers(path.with_name("answers.parquet")), trained) for path in paths]


if __name__ == "__main__":
    run_step(main)
