"""`Entries`: a source of tools that several runs enter at once, each with what it opened itself."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Entries(Generic[T]):
    """What a source has opened. Each task leaves what it entered last."""

    def __init__(self) -> None:
        self._open: list[tuple[asyncio.Task[Any] | None, AbstractAsyncContextManager[T]]] = []

    async def enter(self, opening: AbstractAsyncContextManager[T]) -> T:
        """Open something, and remember who did."""
        value = await opening.__aenter__()
        self._open.append((asyncio.current_task(), opening))
        return value

    async def leave(self) -> None:
        """Close what this task opened last."""
        task = asyncio.current_task()
        entry = next((entry for entry in reversed(self._open) if entry[0] is task), self._open[-1])
        self._open.remove(entry)
        await entry[1].__aexit__(None, None, None)
