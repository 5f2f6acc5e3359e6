"""The client that measures servers counts what comes, and can leave in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from bench.server_load import ask, seconds_for_all

EVENT = b'data: {"choices":[]}\n\n'


def with_server(status: int, use: Callable[[str], Coroutine[Any, Any, None]]) -> None:
    """Use a server that sends three events."""

    answering: set[asyncio.Task[Any]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.add(task)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status} OK\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        with suppress(ConnectionError):  # it was left
            for _ in range(3):
                writer.write(f"{len(EVENT):x}\r\n".encode() + EVENT + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
            writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def whole() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            await use(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            await asyncio.gather(*answering)

    asyncio.run(whole())


def test_each_event_is_told_with_its_time() -> None:
    told: list[tuple[bytes, float]] = []

    async def use(url: str) -> None:
        assert await ask(url, {"prompt": "a"}, lambda line, now: told.append((line, now))) == 200

    with_server(200, use)
    assert [line.strip() for line, _ in told] == [EVENT.strip()] * 3
    times = [now for _, now in told]
    assert times == sorted(times)


def test_it_can_go_away_in_the_middle() -> None:
    told: list[bytes] = []

    async def use(url: str) -> None:
        assert await ask(url, {"prompt": "a"}, lambda line, _: told.append(line), leave_after=1) == 200

    with_server(200, use)
    assert len(told) == 1


def test_a_refusal_is_no_time() -> None:
    async def use(url: str) -> None:
        with pytest.raises(RuntimeError, match="status 429"):
            await seconds_for_all(url, [{"prompt": "a"}] * 2)

    with_server(429, use)
