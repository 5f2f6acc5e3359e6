"""A server on 127.0.0.1 that speaks OpenAI's chat API, as a test scripts it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from support.http_server import http_server


@dataclass
class Reply:
    """What the server answers a request with: chunks as events, or a body as it is."""

    chunks: Sequence[Any] = ()  # a text is sent as the data of an event as it is
    body: bytes | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    breaks_off: bool = False  # before it says that it is done


@dataclass
class FakeServer:
    """What it says, and what it was asked."""

    url: str = ""
    replies: list[Reply] = field(default_factory=list)  # to chats, one after the other
    models: list[str] = field(default_factory=lambda: ["small"])
    facts: dict[str, Any] = field(default_factory=dict)  # of each, beside its name
    requests: list[dict[str, Any]] = field(default_factory=list)  # bodies of chats
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answer: Callable[[str, Any], Reply] | None = None  # to what is posted: path and body; None: the next reply
    seconds: float = 0.0  # before each answer


@contextmanager
def serve() -> Iterator[FakeServer]:
    """Run a `FakeServer` until the block ends."""
    fake = FakeServer()
    with http_server(_Handler, fake=fake) as fake.url:
        yield fake


class _Handler(BaseHTTPRequestHandler):
    fake: FakeServer

    def do_GET(self) -> None:
        self.fake.paths.append(self.path)
        listing = {"object": "list", "data": [{"id": name} | self.fake.facts for name in self.fake.models]}
        self._send(200, {"Content-Type": "application/json"}, json.dumps(listing).encode())

    def do_POST(self) -> None:
        self.fake.paths.append(self.path)
        self.fake.headers.append(dict(self.headers))
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.fake.requests.append(body)
        time.sleep(self.fake.seconds)
        answer = self.fake.answer
        reply = self.fake.replies.pop(0) if answer is None else answer(self.path, body)
        if reply.body is not None:
            self._send(reply.status, {"Content-Type": "application/json", **reply.headers}, reply.body)
            return
        data = [chunk if isinstance(chunk, str) else json.dumps(chunk) for chunk in reply.chunks]
        events = data if reply.breaks_off else [*data, "[DONE]"]
        stream = "".join(f"data: {text}\n\n" for text in events).encode()
        self._send(reply.status, {"Content-Type": "text/event-stream", **reply.headers}, stream)

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def chunk(finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    """A chunk of a stream."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def piece(
    name: str | None = None, arguments: Any = None, *, index: int | None = None, call_id: str | None = None
) -> dict[str, Any]:
    """A piece of a call in a chunk."""
    function = {"name": name, "arguments": arguments}
    fields: dict[str, Any] = {"index": index, "id": call_id}
    return {
        **{key: value for key, value in fields.items() if value is not None},
        "function": {key: value for key, value in function.items() if value is not None},
    }
