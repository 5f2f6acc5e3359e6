"""`SharedSource`: a source of tools that several runs enter at once, each with what it opened itself."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any

from mistralet.agents.tool import AgentTool


class SharedSource(ABC):
    """A `ToolSource` that opens its tools anew whenever it is entered. Each task leaves what it entered last."""

    def __init__(self) -> None:
        self._entered: list[tuple[asyncio.Task[Any] | None, AbstractAsyncContextManager[Sequence[AgentTool]]]] = []

    @abstractmethod
    def _open(self) -> AbstractAsyncContextManager[Sequence[AgentTool]]:
        """The tools, as long as a block lasts. Raises `ToolError` if they cannot be had."""

    async def __aenter__(self) -> Sequence[AgentTool]:
        opening = self._open()
        tools = await opening.__aenter__()
        self._entered.append((asyncio.current_task(), opening))
        return tools

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task = asyncio.current_task()
        entry = next((entry for entry in reversed(self._entered) if entry[0] is task), self._entered[-1])
        self._entered.remove(entry)
        await entry[1].__aexit__(None, None, None)
