"""One line of JSON for each request, and the id by which caller and log mean the same one."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import Any, TextIO
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistralet.server.errors import api_error, error_response
from mistralet.server.figures import Metrics
from mistralet.server.log_writer import LogWriter

logger = logging.getLogger("mistralet.server")

# A caller's own id is taken over if it cannot be mistaken for anything else.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
# Asked every few seconds, for ever.
_PROBES = ("/health", "/ready", "/metrics")
_CLIENT_GONE = 499  # nginx's number for it; nobody receives it


class JsonFormatter(logging.Formatter):
    """A record as one line of ASCII: nothing that a caller sends can begin a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging`."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_to(target: TextIO = sys.stderr) -> None:
    """Write the server's log, and that of uvicorn, to a stream."""
    handler = LogWriter(target)
    handler.setFormatter(JsonFormatter())
    for name in ("mistralet.server", "uvicorn.error"):
        named = logging.getLogger(name)
        named.handlers, named.propagate = [handler], False
        named.setLevel(logging.INFO if name.startswith("mistralet") else logging.WARNING)


class RequestLog:
    """ASGI middleware: gives a request its id, and writes its line when it has ended, however it did."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        scope["request_id"] = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        scope["log_facts"] = {}
        begun = time.perf_counter()
        status = _CLIENT_GONE

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = scope["request_id"]
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            # Not the path itself, of which callers can make up as many as they like.
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.http.labels(route, status).inc()
            facts = {
                "request_id": scope["request_id"],
                "caller": scope.get("caller"),
                "method": scope["method"],
                "path": scope["path"][:200],
                "status": status,
                "seconds": round(time.perf_counter() - begun, 4),
                **scope["log_facts"],
            }
            quiet = scope["path"] in _PROBES and status < 400
            logger.log(logging.DEBUG if quiet else logging.INFO, "request", extra={"facts": facts})


class ErrorGuard:
    """ASGI middleware: whatever is raised inside becomes an answer; what was not foreseen is logged, not shown."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except ClientDisconnect:
            pass  # nobody is there to be told
        except Exception as error:
            if scope["type"] != "http":
                raise
            told = api_error(error)
            if told.code == "internal_error":
                logger.exception("failed", extra={"facts": {"request_id": scope["request_id"]}})
            if begun:
                raise  # the connection is closed
            await error_response(told, scope["path"], scope["request_id"])(scope, receive, send)
