"""An OpenAI-compatible API on this machine, for tests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from json_server import JsonServer, Reply

KEY = "sk-test-fedcba9876543210"
VARIABLE = "TEST_CHAT_KEY"
MODEL = "gpt-test-0125"

NOT_FOUND = {
    "error": {
        "message": f"The model `{MODEL}` does not exist or you do not have access to it.",
        "type": "invalid_request_error",
        "param": None,
        "code": "model_not_found",
    }
}


def completion(content: str | None, model: str = MODEL) -> dict[str, Any]:
    """The body of an answer."""
    message = {"role": "assistant", "content": content}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": model, "choices": choices}


class ChatServer(JsonServer):
    """Answers at ``url``; ``asked`` holds the body of each request, ``keys`` their keys.

    Parameters
    ----------
    reply
        What is answered to a request with this body; None for a text that follows from it.
    """

    def __init__(self, reply: Callable[[dict[str, Any]], Reply | None] = lambda _: None) -> None:
        self.reply = reply
        self.asked: list[dict[str, Any]] = []
        self.paths: set[str] = set()
        self.keys: set[str] = set()
        self._lock = threading.Lock()

    def answered(self, path: str, key: str, body: dict[str, Any]) -> Reply:
        with self._lock:
            self.asked.append(body)
            self.paths.add(path)
            self.keys.add(key)
        return self.reply(body) or (200, {}, completion(said(body)))

    def source(self, **more: Any) -> dict[str, Any]:
        """Settings of the model's source."""
        known = {"kind": "api", "id": MODEL, "base_url": self.url, "key_variable": VARIABLE}
        return known | more


def said(body: dict[str, Any]) -> str:
    """An answer that names the first digit and letter, and differs by request and seed."""
    request = body["messages"][0]["content"]
    seed = body.get("seed", 0)
    return f"(A) 1 agree, since {len(request)} and {seed} are my numbers.\n\nThat is all."
