"""The page: tables, figures and sentences put into one HTML file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from mimic.report import figures, figures_texts, tables, words
from mimic.report.facts import contexts, is_trained
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
    for context in contexts(study):
        drawn += [figures.stability(study, context), figures.signal(study, context)]
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
    names = contexts(study)
    return environment.get_template(template.name).render(
        settings=settings,
        study=study,
        trained=sum(is_trained(run) for run in study["runs"]),
        models=list(dict.fromkeys(run["model"] for run in study["runs"])),
        first=study["runs"][0]["questionnaire"][names[0]],
        answer=words.answer(study),
        failures=words.failures(study),
        limits=words.limits(study, described),
        contexts=names,
        drawings=drawings,
        results=[tables.results(study, context) for context in names],
        baselines=tables.baselines(study),
        judge=tables.judge(study),
        answering=tables.answering(study),
        hygiene=tables.hygiene(study),
        checks=tables.checks(study),
        described=json.dumps(described, indent=2, sort_keys=True, ensure_ascii=False),
    )
