"""A moderation API as a filter of essays.

An essay is sent once: its answer is on the disk before the next essay goes out, and whoever asks
the same model of the same API again finds it there. What is kept has no words of the essay.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mimic.api import Api, RefusedError, read_key
from mimic.essays.check import Essay
from mimic.essays.moderation import Verdicts
from mimic.essays.settings import ApiModeration
from mimic.files import canonical_json
from mimic.progress import Progress
from mimic.respondents.store import TextStore, text_key


def judge_by_api(essays: Sequence[Essay], settings: ApiModeration, *, answers: Path) -> Verdicts:
    """Ask the API about each essay that it hasn't judged yet.

    Parameters
    ----------
    answers
        The folder of answer stores.

    Raises
    ------
    ValueError
        If there is no key, or the API couldn't judge an essay: none passes unjudged.
    """
    keyed = {text_key(essay.text, {}): essay for essay in essays}
    with TextStore(answers / _identity(settings)) as store:
        if missing := store.missing(keyed):
            # Only now: who has all answers needs no key.
            client = _Client(settings)
            progress = Progress("essays judged by the API", len(missing))
            for number, key in enumerate(missing):
                try:
                    verdict = client.verdict(keyed[key].text)
                except ValueError as error:
                    raise ValueError(
                        f"essay {keyed[key].id}: {error}. {len(keyed) - len(missing) + number} of "
                        f"{len(keyed)} essays are judged; they are not sent again"
                    ) from None
                store.add(key, canonical_json(verdict))
                store.flush()
                progress.advance()
        verdicts = [json.loads(store.get(text_key(essay.text, {}))) for essay in essays]
    return Verdicts(
        {
            **settings.model_dump(exclude={"key_variable"}),
            "answered_by": dict(sorted(Counter(v["model"] for v in verdicts).items())),
        },
        tuple(sorted({name for verdict in verdicts for name in verdict["categories"]})),
        [
            tuple(sorted(name for name, flagged in verdict["categories"].items() if flagged))
            for verdict in verdicts
        ],
    )


def _identity(settings: ApiModeration) -> str:
    """What an answer depends on besides the essay; under what consent it was given isn't that."""
    described = {"moderation": {"base_url": settings.base_url, "model": settings.model}}
    return hashlib.sha256(canonical_json(described).encode()).hexdigest()


class _Client:
    """Asks about one text after the other."""

    def __init__(self, settings: ApiModeration) -> None:
        needed = f"essays.moderation needs the key of {settings.base_url} there"
        key = read_key(settings.key_variable, needed=needed)
        self._api, self._settings = Api(settings.base_url, key=key), settings

    def verdict(self, text: str) -> dict[str, Any]:
        """The model that answered, and for each category whether it flags the text.

        Raises
        ------
        ValueError
            If there is no answer after all attempts, or none that can be read.
        """
        url = f"{self._settings.base_url}/moderations"
        try:
            body = self._api.post("/moderations", {"model": self._settings.model, "input": text})
        except RefusedError as refused:
            # Its sentence isn't shown, since that may be the essay's.
            raise ValueError(
                f"{url} {refused}; check essays.moderation.base_url and model, and the key in "
                f"{self._settings.key_variable}"
            ) from None
        return _read_answer(body, url=url)


def _read_answer(body: bytes, *, url: str) -> dict[str, Any]:
    """Read an answer; its words aren't shown, since they may be the essay's."""
    wrong = ValueError(
        f"{url} answered something that is no verdict: expected model, and one result with flagged "
        "and, fitting it, categories"
    )
    try:
        answer = json.loads(body)
        (result,) = answer["results"]
        model, flagged, categories = answer["model"], result["flagged"], result["categories"]
        # A category that the model doesn't know is null.
        verdict = {name: value is not None and value for name, value in categories.items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise wrong from None
    levels = set(map(type, verdict.values()))
    if not isinstance(model, str) or levels != {bool} or flagged is not any(verdict.values()):
        raise wrong
    return {"model": model, "categories": verdict}
