"""What a step asks of a model that a provider serves, and what comes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mimic.files import canonical_json, read_json
from mimic.progress import say
from mimic.respondents.api import ApiRespondent, NotServedError
from mimic.respondents.api_settings import ApiSettings
from mimic.respondents.asking import answer_missing, prompt_keys
from mimic.respondents.base import Prompt
from mimic.respondents.store import TextStore
from mimic.settings import parse_settings
from mimic.step import Job


@dataclass(frozen=True)
class Served:
    """What came of asking.

    Attributes
    ----------
    answers
        One for each prompt; None if the model is no longer served.
    reason
        Why there are none, in the provider's words.
    asked, kept
        Number of prompts, and of those whose answers are in the store.
    """

    answers: list[str] | None
    reason: str | None
    asked: int
    kept: int

    def status(self) -> dict[str, Any]:
        """How it went, for a file."""
        return {"reason": self.reason, "asked": self.asked, "kept": self.kept}


def ask_served(
    job: Job,
    prompts: Sequence[Prompt],
    *,
    max_tokens: int,
    temperature: float,
    top_p: float = 1.0,
    seed: int,
) -> Served:
    """Ask the job's model, or find that it is no longer served.

    Answers are kept by provider, model, request and sampling alone, so that nothing is paid for
    twice, whatever code changes.

    Raises
    ------
    ValueError
        If the API can't be used; see `ApiRespondent.answers`.
    """
    path = job.folder("model") / "model.json"
    source = parse_settings(ApiSettings, read_json(path)["source"], source=str(path))
    respondent = ApiRespondent(
        source, max_tokens=max_tokens, temperature=temperature, top_p=top_p, seed=seed
    )
    options: dict[str, Any] = {"max_tokens": max_tokens}
    if temperature > 0:
        options |= {"temperature": temperature, "top_p": top_p, "seed": seed}
    assert job.answers is not None  # the runner names it
    with TextStore(job.answers / respondent_folder(source)) as store:
        try:
            answers = answer_missing(respondent, prompts, store, options=options)
        except NotServedError as error:
            say(f"{error}; the cell stays empty")
            lacking = store.missing(prompt_keys(prompts, options))
            kept = len(prompts) - len(lacking)
            return Served(None, str(error), asked=len(prompts), kept=kept)
    return Served(answers, None, asked=len(prompts), kept=len(prompts))


def respondent_folder(source: ApiSettings) -> str:
    """The name of a served model's folder in the answer store."""
    described = {"api": source.base_url, "model": source.id}
    return hashlib.sha256(canonical_json(described).encode()).hexdigest()
