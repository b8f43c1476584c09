"""The page: tables, figures and sentences put into one HTML file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from mimic.report import (
    figures,
    figures_structure,
    figures_texts,
    tables,
    tables_answers,
    tables_checks,
    tables_confounds,
    tables_contrasts,
    tables_essays,
    tables_protocols,
    tables_seen,
    tables_stability,
    tables_sweeps,
    words,
    words_limits,
)
from mimic.report.facts import (
    ESSAYS,
    contexts,
    essay_words,
    is_family_run,
    is_trained,
    over_seeds,
    target_contexts,
)
from mimic.report.numbers import Table
from mimic.report.settings import ReportSettings
from mimic.report.svg import Drawing


def draw(study: dict[str, Any], logs: dict[str, pd.DataFrame]) -> dict[str, Drawing]:
    """All figures by name, in the order of the page.

    Parameters
    ----------
    study
        Contents of study.json.
    logs
        Training log of each tuned run; may be empty.
    """
    drawn = [figures.exact_match(study), figures.accuracy(study)]
    for context in target_contexts(study):
        drawn += [
            figures.stability(study, context),
            figures.signal(study, context),
            figures_structure.components(study, context),
            figures_structure.coherence(study, context),
        ]
    drawn.append(figures_texts.judge(study))
    if logs:
        drawn.append(figures_texts.learning(logs, study))
    drawn.append(figures_texts.hygiene(study))
    return {drawing.name: drawing for drawing in drawn}


def render(
    study: dict[str, Any],
    drawings: dict[str, Drawing],
    *,
    template: Path,
    settings: ReportSettings,
    described: dict[str, Any],
) -> str:
    """The page as HTML that needs no other file.

    Parameters
    ----------
    study
        Contents of study.json.
    drawings
        What `draw` gave.
    template
        The Jinja2 template of the page.
    settings
        Title and authors.
    described
        The settings that describe the study; shown as they are.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    # The SVG is our own, and its labels were escaped when it was drawn.
    environment.filters["svg"] = lambda drawing: Markup(drawing.svg)
    told, answered = target_contexts(study), tables_protocols.generated_contexts(study)
    about_essays = ESSAYS in contexts(study)
    return environment.get_template(template.name).render(
        settings=settings,
        study=study,
        trained=sum(is_trained(run) for run in study["runs"]),
        models=list(dict.fromkeys(run["model"] for run in study["runs"])),
        item_trained=any(run["item_trained"] for run in study["runs"]),
        conditionings=sorted({run["conditioning"] for run in study["runs"]} - {"prompt"}),
        scope=words.scope(study),
        answer=words.answer(study),
        failures=words.failures(study),
        limits=words_limits.limits(study, described),
        contexts=told,
        drawings=drawings,
        results=[tables.results(study, context) for context in told],
        linking=tables_essays.linking(study) if about_essays else None,
        linking_by_trait=tables_essays.linking_by_trait(study) if about_essays else None,
        essays=essay_words(study),
        moderation=tables_essays.moderation(study),
        moderation_words=tables_essays.moderation_words(study),
        protocols=[tables_protocols.protocols(study, context) for context in answered],
        protocol_accuracy=[tables_protocols.accuracy(study, c) for c in answered],
        baselines=tables.baselines(study),
        against_null=tables_contrasts.against_null(study) if is_family_run(study) else None,
        stable_against_null=tables_contrasts.stable_against_null(study),
        together=bool(over_seeds(study)),
        against_chance=tables_contrasts.against_chance(study),
        against_base=tables_contrasts.against_base(study),
        confounds=tables_confounds.contrasts(study),
        mixed=tables_confounds.mixed(study),
        by_trait=[tables_contrasts.by_trait(study, where) for where in [*told, "texts"]],
        sensitivity=tables_answers.sensitivity(study),
        sensitivity_of_stability=tables_answers.sensitivity_of_stability(study),
        coherence=tables_answers.coherence(study),
        withheld=tables_answers.withheld(study),
        seen=tables_seen.seen(study),
        stability=_by_context(study),
        scales=tables_stability.scales(study),
        judges=tables.judges(study),
        answering=tables_answers.answering(study),
        hygiene=tables_checks.hygiene(study),
        gates=tables_checks.gates(study),
        checks=tables_checks.checks(study),
        sweeps=tables_sweeps.sweeps(study),
        described=json.dumps(described, indent=2, sort_keys=True, ensure_ascii=False),
    )


def _by_context(study: dict[str, Any]) -> dict[str, list[Table]]:
    """Secondary tables of stability by what they show, one for each context with a target."""
    made = {
        "The rule of “more stable”, by trait": tables_stability.stability,
        "Variance components": tables_stability.components,
        "Intraclass correlations": tables_stability.icc,
        "The reference study’s definitions of stability": tables_stability.published,
    }
    told = target_contexts(study)
    return {title: [table(study, name) for name in told] for title, table in made.items()}
