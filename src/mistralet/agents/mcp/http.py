"""An MCP server over streamable HTTP, with bounds on what it sends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client

from mistralet.agents.mcp.server_log import ServerLog

_LARGEST_BODY = 16 << 20  # bytes of an answer, or of one event in a stream
_SECONDS = 30.0
_SECONDS_OF_SILENCE = 300.0  # in a stream of events


@dataclass(frozen=True)
class Address:
    """Where a server is, and what is sent with each request."""

    url: str
    headers: Mapping[str, str]


@asynccontextmanager
async def connect(address: Address, log: ServerLog) -> AsyncIterator[Any]:
    """The streams of messages from and to a server; redirects are followed on its own origin only."""

    async def check(response: httpx2.Response) -> None:
        if response.request.method == "POST":  # a stream of events besides is the server's to refuse
            log.reason = f"HTTP {response.status_code} {response.reason_phrase}" if response.is_error else ""
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise httpx2.DecodingError("it compressed its answer, unasked", request=response.request)
        if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _Bounded(response.stream)

    async with (
        httpx2.AsyncClient(
            headers={"Accept-Encoding": "identity", **address.headers},
            timeout=httpx2.Timeout(_SECONDS, read=_SECONDS_OF_SILENCE),
            event_hooks={"response": [check]},
        ) as client,
        streamable_http_client(address.url, http_client=client, max_sse_event_size=_LARGEST_BODY) as streams,
    ):
        yield streams


class _Bounded(httpx2.AsyncByteStream):
    """A body that fails when it is larger than what may be kept in memory."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for data in self._stream:
            size += len(data)
            if size > _LARGEST_BODY:
                raise httpx2.ReadError(f"it sent an answer of more than {_LARGEST_BODY >> 20} MiB")
            yield data

    async def aclose(self) -> None:
        await self._stream.aclose()
