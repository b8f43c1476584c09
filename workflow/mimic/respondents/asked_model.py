"""The model that a questionnaire is put to, and where its answers are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mimic.compute import ComputeSettings, load_model
from mimic.files import sha256_file
from mimic.respondents.store import respondent_identity
from mimic.step import Job

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def asked_model(job: Job, compute: ComputeSettings) -> PreTrainedModel:
    """The job's model, with its adapter if it has one."""
    adapter = job.folder("adapter") if job.inputs["adapter"] else None
    return load_model(job.folder("model"), compute=compute, adapter=adapter)


def answers_folder(job: Job, *, engine: str) -> Path:
    """The answer store of the job's respondent: another model, adapter or engine has another."""
    identity = respondent_identity(
        model=sha256_file(job.input("model")),
        adapter=sha256_file(job.input("adapter")) if job.inputs["adapter"] else None,
        engine={"name": engine, "code": job.settings["engine_code"]},
        compute=job.settings["compute"],
    )
    assert job.answers is not None  # the runner names it
    return job.answers / identity
