"""Asking a provider's API, so that the key of it stands in no setting, log, record or message."""

from __future__ import annotations

import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from typing import Any

from mimic.progress import say

TIMEOUT_S = 60.0
# Before each further attempt. An API that is down for longer stops the job, which can go on later.
WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
# An API that asks for more than this is out of its quota rather than busy.
LONGEST_WAIT_S = 300.0
_AGAIN = (408, 429, *range(500, 600))
_CODE = re.compile(r"[a-z_]{1,64}")


class RefusedError(Exception):
    """An API that refuses, in words that hold nothing of what it was sent.

    Attributes
    ----------
    status
        Of HTTP.
    code
        The API's own word for it, such as ``invalid_api_key``; may be empty.
    told
        The API's sentence, which may repeat what it was sent, the key included; may be empty.
    """

    def __init__(self, status: int, *, code: str = "", told: str = "") -> None:
        words = f"answered {status} {http.client.responses.get(status, '')}".rstrip()
        super().__init__(f"{words} ({code})" if code else words)
        self.status, self.code, self.told = status, code, told


class _TryAgain(Exception):
    """An attempt that failed for a while: why, and how long the API asks to wait."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Neither a text nor the key goes to a place that the settings don't name."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Api:
    """Posts JSON to an API, from several threads if need be.

    Parameters
    ----------
    base_url
        Where the API is.
    key
        What `read_key` gave.
    """

    def __init__(self, base_url: str, *, key: str) -> None:
        self.base_url, self._key = base_url, key
        # A proxy of the network never sees what is sent to this machine itself.
        local = [urllib.request.ProxyHandler({})] if base_url.startswith("http://") else []
        self._opener = urllib.request.build_opener(_NoRedirect(), *local)

    def post(self, path: str, values: dict[str, Any]) -> bytes:
        """The body of the answer, asked for again while the API is busy or can't be reached.

        Raises
        ------
        RefusedError
            If it refuses.
        ValueError
            If there is no answer after all attempts.
        """
        url = f"{self.base_url}{path}"
        for wait_s in (*WAITS_S, None):
            try:
                return self._post(url, values)
            except _TryAgain as problem:
                if wait_s is None or problem.wait_s > LONGEST_WAIT_S:
                    asked = f", and asks to wait {problem.wait_s:.0f} s" if problem.wait_s else ""
                    raise ValueError(f"{url} {problem}{asked}; start again later") from None
                pause = max(wait_s, problem.wait_s)
                say(f"{url} {problem}; asking again in {pause:.0f} s")
                time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _post(self, url: str, values: dict[str, Any]) -> bytes:
        request = urllib.request.Request(
            url,
            data=json.dumps(values).encode(),
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
            refused = _refusal(error)
            if error.code in _AGAIN:
                raise _TryAgain(str(refused), _retry_after(error)) from None
            raise refused from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise _TryAgain(f"can't be reached ({type(reason).__name__}: {reason})") from None


def read_key(variable: str, *, needed: str) -> str:
    """The key that an environment variable holds.

    Parameters
    ----------
    variable
        Its name.
    needed
        What needs the key, for messages.

    Raises
    ------
    ValueError
        If there is none, or none that could be sent; it isn't shown.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ValueError(
            f"the environment variable {variable} is not set; {needed}: export it and start again"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        # What sends it would name it in its message.
        raise ValueError(
            f"the environment variable {variable} holds no key: it has a space, a control "
            "character or a letter outside of ASCII"
        )
    return key


def _refusal(error: urllib.error.HTTPError) -> RefusedError:
    """What an API says of a refusal: ``{"error": {"message", "code"}}``, or its inner part."""
    try:
        values = json.loads(error.read())
    except (OSError, http.client.HTTPException, ValueError):
        return RefusedError(error.code)
    inner = values.get("error", values) if isinstance(values, dict) else None
    if not isinstance(inner, dict):
        return RefusedError(error.code)
    code, told = inner.get("code"), inner.get("message")
    return RefusedError(
        error.code,
        code=code if isinstance(code, str) and _CODE.fullmatch(code) else "",
        told=told if isinstance(told, str) else "",
    )


def _retry_after(error: urllib.error.HTTPError) -> float:
    value = error.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0.0
