"""A client of `/v1/completions` that costs as little as it can: it shares the machine with what it measures."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

OnLine = Callable[[bytes, float], None]  # a line of an event's data, and when it came


async def ask(url: str, body: dict[str, Any], on_line: OnLine | None = None, leave_after: int | None = None) -> int:
    """Ask for one completion on a connection of its own.

    Args:
        on_line: told of each event of a stream, as it comes.
        leave_after: go away after so many events.

    Returns:
        The status.
    """
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=1 << 24)
    try:
        data = json.dumps(body).encode()
        head = (
            f"POST /v1/completions HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + data)
        status = int((await reader.readline()).split()[1])
        events = 0
        # The lines in between are those of chunked coding, which do not begin so.
        while line := await reader.readline():
            if line.startswith(b"data: {"):
                events += 1
                if on_line is not None:
                    on_line(line, time.perf_counter())
                if events == leave_after:
                    break
        return status
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def seconds_for_all(url: str, bodies: Sequence[dict[str, Any]]) -> float:
    """How long it takes to have all of them answered, all asked at once.

    Raises:
        RuntimeError: one was refused.
    """
    begun = time.perf_counter()
    statuses = await asyncio.gather(*(ask(url, body) for body in bodies))
    if set(statuses) != {200}:
        raise RuntimeError(f"the server at {url} answered with status {max(statuses)}")
    return time.perf_counter() - begun
