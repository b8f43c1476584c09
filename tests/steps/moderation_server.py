"""A moderation API on this machine, for tests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from json_server import JsonServer, Reply

KEY = "sk-test-0123456789abcdef"


def verdict(text: str) -> Any:
    """Flags essays that speak of a murder; has a category that the model doesn't know."""
    flagged = "murder" in text
    categories = {"violence": flagged, "violence/graphic": False, "illicit": None}
    return {
        "id": "modr-1",
        "model": "moderation-2026",
        "results": [{"flagged": flagged, "categories": categories, "category_scores": {}}],
    }


class ModerationServer(JsonServer):
    """Answers at ``url``; ``sent`` counts how often each text came.

    Parameters
    ----------
    reply
        What is answered to the n-th request (from 1) with a text; None for a verdict.
    """

    def __init__(self, reply: Callable[[int, str], Reply | None] = lambda _n, _text: None) -> None:
        self.reply = reply
        self.sent: Counter[str] = Counter()
        self.asked: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def answered(self, path: str, key: str, body: dict[str, Any]) -> Reply:
        with self._lock:
            self.sent[body["input"]] += 1
            self.asked.append({"path": path, "model": body["model"], "authorization": key})
            number = len(self.asked)
        return self.reply(number, body["input"]) or (200, {}, verdict(body["input"]))

    def settings(self, **more: Any) -> dict[str, Any]:
        """Settings of the essays with this API as filter."""
        return {
            "kind": "api",
            "consent": "made-up essays, nobody's",
            "terms": "none needed",
            "base_url": self.url,
            "model": "moderation-latest",
            "key_variable": "TEST_MODERATION_KEY",
            **more,
        }
