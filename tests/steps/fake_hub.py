"""A hub on this machine, which answers as the Hugging Face hub does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from huggingface_hub import constants

TOKEN = "hf_made_up"


@dataclass
class FakeHub:
    """One model, a data set beside it where a test needs one, and what was asked.

    Attributes
    ----------
    id, revision
        Of the model.
    folder
        With its files.
    gated, allowed
        Whether a token is needed, and those that were given access.
    url
        Where the hub is.
    asked
        The method and path of each request.
    data_set
        A data set, as if it were a hub's model.
    """

    id: str
    revision: str
    folder: Path
    gated: bool = False
    allowed: tuple[str, ...] = ()
    down: bool = False
    url: str = ""
    asked: list[str] = field(default_factory=list)
    data_set: FakeHub | None = None

    def answer(self, path: str, token: str | None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a request."""
        if self.data_set is not None and "/datasets/" in path:
            inner = path.replace("/api/datasets/", "/api/models/").removeprefix("/datasets")
            return self.data_set.answer(inner, token)
        parts = urlsplit(path).path.strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        parts = parts[2:] if api else parts
        if len(parts) < 4:
            # Besides models the client asks for what concerns itself.
            return 404, {}, b""
        name, kind, revision, file = "/".join(parts[:2]), parts[2], parts[3], "/".join(parts[4:])
        if self.down:
            return 503, {}, b""
        if token is not None and not token.startswith("hf_"):
            return _refused(401, None, "Invalid credentials in Authorization header")
        if name != self.id:
            return _refused(401, "RepoNotFound", "Repository not found")
        if revision != self.revision:
            return _refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if api and kind == "tree":
            return 200, {"Content-Type": "application/json"}, json.dumps(self._tree()).encode()
        if self.gated and token not in self.allowed:
            status = 401 if token is None else 403
            return _refused(status, "GatedRepo", f"Access to model {name} is restricted.")
        if not (self.folder / file).is_file():
            return _refused(404, "EntryNotFound", "Entry not found")
        body = (self.folder / file).read_bytes()
        tag = f'"{hashlib.sha256(body).hexdigest()}"'
        return 200, {"ETag": tag, "X-Repo-Commit": self.revision}, body

    def _tree(self) -> list[dict[str, Any]]:
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return [
            {
                "type": "file",
                "path": path.relative_to(self.folder).as_posix(),
                "size": path.stat().st_size,
                "oid": hashlib.sha1(path.read_bytes()).hexdigest(),
            }
            for path in files
        ]


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve the hub on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.asked.append(f"{self.command} {self.path}")
            given = self.headers.get("Authorization")
            token = given.removeprefix("Bearer ") if given else None
            status, headers, body = hub.answer(self.path, token)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask_it(hub: FakeHub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the hub's library ask this hub, without a token, with an empty cache in the folder."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "no_token"))
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 60)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + template)


def _refused(status: int, code: str | None, message: str) -> tuple[int, dict[str, str], bytes]:
    headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
    return status, headers, b""
