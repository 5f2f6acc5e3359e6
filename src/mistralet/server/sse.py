"""Server-sent events: how a stream is written, and how it fails."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.responses import StreamingResponse

from mistralet.server.errors import ApiError, api_error

DONE = b"data: [DONE]\n\n"


def data(value: Any) -> bytes:
    """An event without a name."""
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def named(name: str, value: Any) -> bytes:
    """An event with a name."""
    return b"event: " + name.encode() + b"\n" + data(value)


def stream(events: AsyncIterator[bytes], failed: Callable[[ApiError], bytes]) -> StreamingResponse:
    """An answer that comes in pieces.

    Args:
        failed: what to write if it breaks off; the status is long sent by then.
    """

    async def guarded() -> AsyncIterator[bytes]:
        try:
            async for event in events:
                yield event
        except Exception as error:
            yield failed(api_error(error))

    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # a proxy passes each piece on at once
    return StreamingResponse(guarded(), media_type="text/event-stream", headers=headers)
