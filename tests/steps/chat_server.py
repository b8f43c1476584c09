"""An OpenAI-compatible API on this machine, for tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-test-fedcba9876543210"
VARIABLE = "TEST_CHAT_KEY"
MODEL = "gpt-test-0125"
# Status, headers and body of an answer.
Reply = tuple[int, dict[str, str], Any]

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


class ChatServer:
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

    def __enter__(self) -> ChatServer:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer._lock:
                    outer.asked.append(body)
                    outer.paths.add(self.path)
                    outer.keys.add(self.headers["Authorization"])
                status, headers, answer = outer.reply(body) or (200, {}, completion(said(body)))
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def source(self, **more: Any) -> dict[str, Any]:
        """Settings of the model's source."""
        known = {"kind": "api", "id": MODEL, "base_url": self.url, "key_variable": VARIABLE}
        return known | more


def said(body: dict[str, Any]) -> str:
    """An answer that names the first digit and letter, and differs by request and seed."""
    request = body["messages"][0]["content"]
    seed = body.get("seed", 0)
    return f"(A) 1 agree, since {len(request)} and {seed} are my numbers.\n\nThat is all."
