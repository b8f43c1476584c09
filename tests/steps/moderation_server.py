"""A moderation API on this machine, for tests."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-test-0123456789abcdef"
# Status, headers and body of an answer.
Reply = tuple[int, dict[str, str], Any]


def verdict(text: str) -> Any:
    """Flags essays that speak of a murder; has a category that the model doesn't know."""
    flagged = "murder" in text
    categories = {"violence": flagged, "violence/graphic": False, "illicit": None}
    return {
        "id": "modr-1",
        "model": "moderation-2026",
        "results": [{"flagged": flagged, "categories": categories, "category_scores": {}}],
    }


class ModerationServer:
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

    def __enter__(self) -> ModerationServer:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer._lock:
                    outer.sent[body["input"]] += 1
                    outer.asked.append(
                        {
                            "path": self.path,
                            "model": body["model"],
                            "authorization": self.headers["Authorization"],
                        }
                    )
                    number = len(outer.asked)
                status, headers, answer = outer.reply(number, body["input"]) or (
                    200,
                    {},
                    verdict(body["input"]),
                )
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
        # A request that is never answered doesn't keep the test from ending.
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
