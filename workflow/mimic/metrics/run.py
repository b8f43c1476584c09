"""Step: the figures of one run, from its answers and its judged texts.

The run's answers are compared with those of its untrained model; a base run has no comparison.
"""

from __future__ import annotations

from mimic.files import read_json, write_json
from mimic.metrics.answers import check_same_layout, held_out, load_answers, trained_on
from mimic.metrics.baselines import by_source, constant_share, modal_profile
from mimic.metrics.contrasts import contrast_figures, text_contrast
from mimic.metrics.numbers import cuts_of, rounded
from mimic.metrics.protocols import generated_figures, not_served
from mimic.metrics.questionnaire import exact_match, questionnaire_figures
from mimic.metrics.reliability import reliability_figures, scale_figures
from mimic.metrics.seen import load_again, seen_cells, training_targets
from mimic.metrics.sensitivity import coherence_figures
from mimic.metrics.settings import MetricsSettings
from mimic.metrics.texts import load_probabilities, text_exact_match, text_figures
from mimic.metrics.withheld import withheld_texts
from mimic.progress import say
from mimic.questionnaire.instruments import load_instrument
from mimic.step import Job, run_step
from mimic.traits import ALL_PROFILES

UNIFORM = 1 / len(ALL_PROFILES)


def main(job: Job) -> None:
    """Write ``<label>.json``."""
    settings = job.parse(MetricsSettings, "metrics")
    run, contexts = job.settings["run"], job.settings["contexts"]
    is_base = run["method"] == "base"
    is_told = run.get("conditioning") != "none"
    cuts = cuts_of(load_instrument(job.input("instrument")))
    primary = next(iter(cuts.values()))
    resampling = settings.resampling()
    trained = trained_on(job.inputs["trained_items"], job.inputs["splits"])
    questionnaire, prompt_only, scales, seen = {}, {}, None, None
    asked: dict[str, list[str]] = {}
    paths = zip(contexts, job.inputs["answers"], job.inputs["base_answers"], strict=True)
    for context, path, base_path in paths:
        say(f"figures of {run['label']}, context {context}")
        whole = load_answers(path.with_name("answers.parquet"))
        answers = held_out(whole, trained)
        if context == "sketches":
            scales = scale_figures(answers)
            continue
        if context == job.settings["seen_in"]:
            seen = {
                "context": context,
                "cells": seen_cells(
                    whole,
                    load_again(job.inputs["seen"]),
                    trained=trained,
                    targets=training_targets(
                        told=is_told and not is_base, withheld=run["profiles_withheld"]
                    ),
                    cut=primary,
                ),
            }
        base = held_out(load_answers(base_path.with_name("answers.parquet")), trained)
        check_same_layout(answers, base, context=context)
        questionnaire[context] = questionnaire_figures(
            answers,
            None if is_base else base,
            cuts=cuts,
            resampling=resampling,
            unit="essays" if context == "human" else "profiles",
        )
        if context != "human":
            questionnaire[context] |= reliability_figures(answers, told=is_told)
            questionnaire[context]["coherence"] = coherence_figures(answers, cut=primary)
            questionnaire[context]["against_base"] = (
                None
                if is_base
                else contrast_figures(answers, base, cut=primary, resampling=resampling)
            )
            prompt_only[context] = exact_match(base, cut=primary)
        asked[context] = [str(profile) for profile in answers.profiles]
    texts, base_texts = (
        load_probabilities(job.input(name)) for name in ("probabilities", "base_probabilities")
    )
    modal = modal_profile(job.input("essays"))
    written_for = texts["profile"].tolist()
    learning, hygiene = job.inputs["learning"], read_json(job.input("hygiene"))
    generated = zip(job.settings["generated"], job.inputs["generated"], strict=True)
    figures = {
        "run": run["label"],
        "model": run["model"],
        "method": run["method"],
        "seed": run["seed"],
        "series": run["series"],
        "null": run["null"],
        "item_trained": bool(trained.clusters),
        "profiles_withheld": run["profiles_withheld"],
        "conditioning": run.get("conditioning", "prompt"),
        "judge": run["judge"],
        "questionnaire": questionnaire,
        "scales": scales,
        "seen": seen,
        "api": {"texts": hygiene["served"]["reason"]} if run["served"] else None,
        "generated": {
            context: not_served(path.with_name("served.json"))
            or generated_figures(
                path.with_name("generated.parquet"),
                job.settings["protocols"],
                cuts=cuts,
                resampling=resampling,
                trained=trained.clusters,
            )
            for context, path in generated
        },
        "texts": text_figures(texts, resampling)
        | {
            "withheld": withheld_texts(texts, resampling),
            "against_base": None if is_base else text_contrast(texts, base_texts, resampling),
        },
        "baselines": {
            "uniform": UNIFORM,
            "constant_profile": by_source(constant_share, asked, written_for),
            "modal_profile": modal
            | by_source(
                lambda profiles: profiles.count(modal["profile"]) / len(profiles),
                asked,
                written_for,
            ),
            "prompt_only": {
                "questionnaire": prompt_only,
                "texts": text_exact_match(base_texts),
            },
        },
        "learning": read_json(learning[0]) if learning else None,
        "hygiene": hygiene,
    }
    write_json(job.out / f"{run['label']}.json", rounded(figures))


if __name__ == "__main__":
    run_step(main)
