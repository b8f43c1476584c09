"""A moderation API as a filter of essays.

An essay is sent once: its answer is on the disk before the next essay goes out, and whoever asks
the same model of the same API again finds it there. What is kept has no words of the essay.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mimic.essays.check import Essay
from mimic.essays.moderation import Verdicts
from mimic.essays.settings import ApiModeration
from mimic.files import canonical_json
from mimic.progress import Progress, say
from mimic.respondents.store import TextStore, text_key

TIMEOUT_S = 60.0
# Before each further attempt. An API that is down for longer stops the job, which can go on later.
WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
# An API that asks for more than this is out of its quota rather than busy.
LONGEST_WAIT_S = 300.0
_AGAIN = (408, 429, *range(500, 600))
_CODE = re.compile(r"[a-z_]{1,64}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Neither an essay nor the key goes to a place that the settings don't name."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _TryAgain(Exception):
    """An attempt that failed for a while: why, and how long the API asks to wait."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


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
        self._url = f"{settings.base_url}/moderations"
        self._model = settings.model
        self._variable = settings.key_variable
        self._key = _read_key(settings)
        # A proxy of the network never sees what is sent to this machine itself.
        local = [urllib.request.ProxyHandler({})] if self._url.startswith("http://") else []
        self._opener = urllib.request.build_opener(_NoRedirect(), *local)

    def verdict(self, text: str) -> dict[str, Any]:
        """The model that answered, and for each category whether it flags the text.

        Raises
        ------
        ValueError
            If there is no answer after all attempts, or none that can be read.
        """
        for wait_s in (*WAITS_S, None):
            try:
                return _read_answer(self._post(text), url=self._url)
            except _TryAgain as problem:
                if wait_s is None or problem.wait_s > LONGEST_WAIT_S:
                    asked = f", and asks to wait {problem.wait_s:.0f} s" if problem.wait_s else ""
                    raise ValueError(f"{self._url} {problem}{asked}; start again later") from None
                pause = max(wait_s, problem.wait_s)
                say(f"the moderation API {problem}; asking again in {pause:.0f} s")
                time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _post(self, text: str) -> bytes:
        request = urllib.request.Request(
            self._url,
            data=json.dumps({"model": self._model, "input": text}).encode(),
            headers={
                "Authorization": f"Bearer {self._key}",
                "Content-Type": "application/json",
                "User-Agent": "mimic",
            },
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            words = f"answered {error.code} {http.client.responses.get(error.code, '')}".rstrip()
            words += _error_code(error)
            if error.code in _AGAIN:
                raise _TryAgain(words, _retry_after(error)) from None
            raise ValueError(
                f"{self._url} {words}; check essays.moderation.base_url and model, and the key in "
                f"{self._variable}"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise _TryAgain(f"can't be reached ({type(reason).__name__}: {reason})") from None


def _read_key(settings: ApiModeration) -> str:
    key = os.environ.get(settings.key_variable, "").strip()
    if not key:
        raise ValueError(
            f"the environment variable {settings.key_variable} is not set; essays.moderation needs "
            f"the key of {settings.base_url} there: export it and start again"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        # What sends it would name it in its message.
        raise ValueError(
            f"the environment variable {settings.key_variable} holds no key: it has a space, a "
            "control character or a letter outside of ASCII"
        )
    return key


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


def _error_code(error: urllib.error.HTTPError) -> str:
    """The API's own word for an error, such as insufficient_quota; its sentences aren't shown."""
    try:
        code = json.loads(error.read())["error"]["code"]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return ""
    return f" ({code})" if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _retry_after(error: urllib.error.HTTPError) -> float:
    value = error.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0.0
