"""How much a caller may send, and how often."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistralet.server.errors import ApiError

_CALLERS = 10_000  # whose rate is remembered


class BodyLimit:
    """ASGI middleware: a body that is too large is refused as soon as that is known, and never held in memory."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._most:
            raise self._too_large()
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most:
                raise self._too_large()
            return message

        await self.app(scope, counted, send)

    def _too_large(self) -> ApiError:
        # The rest of the body is not read, so the connection cannot be used again.
        return ApiError(
            413,
            f"The body has more than {self._most} bytes; send less, or raise max_body_bytes.",
            code="request_too_large",
            headers={"Connection": "close"},
        )


class RateLimit:
    """ASGI middleware: a caller who sends too many requests is told when to come again."""

    def __init__(self, app: ASGIApp, rates: Rates) -> None:
        self.app = app
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http" and scope["method"] == "POST":  # all else costs nothing
            self._rates.take(scope["caller"])
        await self.app(scope, receive, send)


class Rates:
    """How often each caller may send a request: a bucket of tokens that fills up evenly."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            per_minute: of each caller, all at once or spread; 0 for no limit.
        """
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = (
            OrderedDict()
        )  # caller: tokens, and when they were so many

    def take(self, caller: str) -> None:
        """Count a request.

        Raises:
            ApiError: the caller has had as many as it may (429).
        """
        if not self._per_minute:
            return
        now = self._clock()
        tokens, then = self._buckets.pop(caller, (float(self._per_minute), now))
        tokens = min(self._per_minute, tokens + (now - then) * self._per_minute / 60)
        self._buckets[caller] = (tokens - 1 if tokens >= 1 else tokens, now)
        if len(self._buckets) > _CALLERS:
            self._buckets.popitem(last=False)
        if tokens < 1:
            wait = math.ceil((1 - tokens) * 60 / self._per_minute)
            raise too_many(f"You may send {self._per_minute} requests a minute; try again in {wait} s.", wait)


def too_many(message: str, wait: int) -> ApiError:
    """The error for a caller who is to come again in `wait` seconds."""
    return ApiError(429, message, code="rate_limit_exceeded", headers={"Retry-After": str(wait)})
