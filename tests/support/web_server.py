"""A web server on this machine that says what it is told to, byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


class WebServer:
    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[list[str]] = []  # the lines of each head

    def url(self, path: str, host: str = "site.example", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@contextlib.asynccontextmanager
async def web_server(answers: Mapping[str, Answer], tls: ssl.SSLContext | None = None) -> AsyncIterator[WebServer]:
    """Answers by path, each all that is sent or a function that sends it; each answer ends the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            found.requests.append(head)
            answer = answers.get(head[0].split(" ")[1], response(b"", status="404 Nothing"))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(writer)
        writer.transport.abort() if writer.is_closing() else writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    found = WebServer(server.sockets[0].getsockname()[1])
    try:
        yield found
    finally:
        server.close()


def response(body: bytes, *headers: str, status: str = "200 OK", kind: str | None = "text/plain") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    lines += [f"Content-Type: {kind}"] if kind else []
    return "\r\n".join((*lines, "", "")).encode() + body


def redirect(location: str, status: int = 302) -> bytes:
    return response(b"", f"Location: {location}", status=f"{status} Elsewhere")
