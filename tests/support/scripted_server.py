"""A server that speaks OpenAI's chat API from a script, and serves the built chat page at `/`, over real HTTP."""

from __future__ import annotations

import json
import mimetypes
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from support.http_server import http_server

PAGE = Path(__file__).parents[2] / "src" / "mistralet" / "server" / "web"
# Within a reply: wait until `ChatServer.go_on` is set or the client is gone.
HOLD = object()


@dataclass
class Reply:
    """One answer: pieces of text, deltas, or `HOLD`."""

    pieces: Sequence[Any] = ()
    finish: str = "stop"
    prompt_tokens: int = 10
    completion_tokens: int | None = None  # the number of pieces, if it is not given
    delay: float = 0.0  # seconds before each piece
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = ""  # the message of a refusal; within a stream of status 200, of a failure
    cut: bool = False  # whether the connection breaks after the pieces


def call(name: str, arguments: str, index: int = 0) -> list[dict[str, Any]]:
    """The deltas of a tool call, its arguments cut in two."""
    middle = len(arguments) // 2
    first = {"index": index, "id": f"call{index}", "function": {"name": name, "arguments": arguments[:middle]}}
    return [
        {"tool_calls": [{**first, "type": "function"}]},
        {"tool_calls": [{"index": index, "function": {"arguments": arguments[middle:]}}]},
    ]


@dataclass
class ChatServer:
    """What the server is to answer, and what it was asked."""

    url: str = ""
    replies: deque[Reply] = field(default_factory=deque)  # without one, "Hello."
    requests: list[dict[str, Any]] = field(default_factory=list)
    key: str | None = None
    models: Sequence[str] = ("tiny",)
    context_length: int = 2048
    vision: bool = True
    go_on: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)  # set when a client left in the middle

    def reset(self) -> None:
        """As it was when it started."""
        self.go_on.set()  # lets handlers of the test before go
        self.replies, self.requests, self.key, self.models, self.vision = deque(), [], None, ("tiny",), True
        self.go_on, self.gone = threading.Event(), threading.Event()


@contextmanager
def serve() -> Iterator[ChatServer]:
    """Run a `ChatServer` until the block ends."""
    script = ChatServer()
    with http_server(_Handler, script=script) as script.url:
        try:
            yield script
        finally:
            script.go_on.set()  # lets handlers go that wait for it


class _Handler(BaseHTTPRequestHandler):
    script: ChatServer

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._models()
            return
        file = PAGE / (self.path.partition("?")[0].lstrip("/") or "index.html")
        if PAGE in file.resolve().parents and file.is_file():
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            self._send(200, file.read_bytes(), {"Content-Type": kind})
        else:
            self._refuse(404, "There is nothing at this address.")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._lacks_key():
            return
        self.script.requests.append(body)
        reply = self.script.replies.popleft() if self.script.replies else Reply(["Hello", "."])
        if reply.status != 200:
            self._refuse(reply.status, reply.error, reply.headers)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            self._stream(reply)
        except OSError:
            self.script.gone.set()

    def _stream(self, reply: Reply) -> None:
        go_on = self.script.go_on
        for piece in reply.pieces:
            time.sleep(reply.delay)
            if piece is HOLD:
                while not go_on.wait(0.01):
                    self.wfile.write(b": still here\r\n\r\n")
            else:
                self._chunk({"delta": {"content": piece} if isinstance(piece, str) else piece, "finish_reason": None})
        if reply.error:
            self._event({"error": {"message": reply.error, "type": "server_error"}})
        elif not reply.cut:
            self._chunk({"delta": {}, "finish_reason": reply.finish})
            count = len(reply.pieces) if reply.completion_tokens is None else reply.completion_tokens
            usage = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": count}
            self._event({"choices": [], "usage": usage})
            self.wfile.write(b"data: [DONE]\n\n")

    def _chunk(self, choice: dict[str, Any]) -> None:
        self._event({"choices": [{"index": 0, **choice}]})

    def _event(self, event: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())

    def _models(self) -> None:
        if self._lacks_key():
            return
        facts = {"object": "model", "max_model_len": self.script.context_length, "vision": self.script.vision}
        models = [{"id": name, **facts} for name in self.script.models]
        self._send(200, json.dumps({"object": "list", "data": models}).encode(), {"Content-Type": "application/json"})

    def _lacks_key(self) -> bool:
        key = self.script.key
        if key is None or self.headers["Authorization"] == f"Bearer {key}":
            return False
        self._refuse(401, "This API key is not known here.")
        return True

    def _refuse(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps({"error": {"message": message, "type": "invalid_request_error"}}).encode()
        self._send(status, body, {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""
