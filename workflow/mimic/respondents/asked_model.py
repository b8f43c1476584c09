"""Where the answers of the model that a questionnaire is put to are kept."""

from __future__ import annotations

from pathlib import Path

from mimic.files import sha256_file
from mimic.respondents.store import respondent_identity
from mimic.step import Job


def answers_folder(job: Job, *, engine: str, adapter: Path | None) -> Path:
    """The answer store of a respondent of the job: another model, adapter or engine has another.

    Parameters
    ----------
    adapter
        The adapter's folder: that of the job's input or, of an adapter for one profile, below it.
    """
    of_adapter = None
    if adapter is not None:
        below = adapter.relative_to(job.folder("adapter")).parts
        of_adapter = " ".join([sha256_file(job.input("adapter")), *below])
    identity = respondent_identity(
        model=sha256_file(job.input("model")),
        adapter=of_adapter,
        engine={"name": engine, "code": job.settings["engine_code"]},
        compute=job.settings["compute"],
    )
    assert job.answers is not None  # the runner names it
    return job.answers / identity
