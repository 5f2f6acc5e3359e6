"""`Connection`: one life of an MCP server, from its start to its end."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import mcp_types as mcp
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

from mistralet import __version__
from mistralet.agents.mcp.server_log import ServerLog
from mistralet.errors import ToolError

_SECONDS_TO_END = 5.0
_LOST = ("Connection closed", "Session terminated", "SSE stream")  # how the SDK's errors of a lost connection begin

# Where the program has no logging, what the SDK logs (each stray line of a server, with a traceback) is not for people.
for _name in ("mcp", "client"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


class Connection:
    """A server that is started or connected to once.

    The SDK's sessions must be entered and left in one task, while tools are called from many and a broken one must not
    cancel them: so each has a task of its own.
    """

    def __init__(self, open_streams: Callable[[ServerLog], AbstractAsyncContextManager[Any]], log: ServerLog) -> None:
        self.tools: list[mcp.Tool] = []
        self._open_streams = open_streams
        self._log = log
        self._client: Client | None = None
        self._settled = asyncio.Event()  # the server is ready, or it will never be
        self._over = asyncio.Event()
        self._owner: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls can be made."""
        return self._client is not None and not self._over.is_set() and not self._log.ended

    async def open(self, seconds: float) -> None:
        """Start the server and list its tools.

        Raises:
            ToolError: it cannot be started, or is not ready in time.
        """
        self._owner = asyncio.create_task(self._own())
        try:
            async with asyncio.timeout(seconds):
                await self._settled.wait()
        except TimeoutError:
            self._log.blame(f"it was not ready within {seconds:g} seconds")
        finally:
            if not self.is_open:
                await self.close()
        if not self.is_open:
            raise self._log.error("cannot be used")

    async def call(self, name: str, arguments: dict[str, Any]) -> mcp.CallToolResult:
        """Call a tool.

        Raises:
            ToolError: the server ended, refused the call, or answered with what is no result.
        """
        try:
            json.dumps(arguments, ensure_ascii=False).encode()
            if self._client is None:
                raise anyio.ClosedResourceError
            return await self._client.call_tool(name, arguments)
        except UnicodeEncodeError as error:
            raise ToolError("the arguments hold half of a surrogate pair, which cannot be sent") from error
        except MCPError as error:
            if not error.message.startswith(_LOST):
                raise ToolError(f"The MCP server '{self._log.name}' refused the call: {error.message}") from error
            if error.message != "Connection closed":
                self._log.blame(error.message)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            pass
        except (RuntimeError, ValueError) as error:  # also pydantic's, of an answer that follows no version of MCP
            problem = " ".join(str(error).split())[:300]
            raise ToolError(f"The MCP server '{self._log.name}' gave no valid result: {problem}") from error
        await self.close()
        raise self._log.error("ended during the call, which may have had an effect")

    async def close(self) -> None:
        """End the server, if it has not ended; never raises."""
        self._over.set()
        if self._owner is None:
            return
        if not self._settled.is_set():
            self._owner.cancel()
        await asyncio.wait({self._owner}, timeout=_SECONDS_TO_END)
        if not self._owner.done():
            self._owner.cancel()
            await asyncio.wait({self._owner}, timeout=_SECONDS_TO_END)

    async def _own(self) -> None:
        try:
            info = mcp.Implementation(name="mistralet", version=__version__)
            async with Client(self._open_streams(self._log), client_info=info, cache=None) as client:
                self.tools = await _all_tools(client)
                self._client = client
                self._settled.set()
                await self._over.wait()
        except (Exception, BaseExceptionGroup) as error:
            self._log.blame(_sentence(error))
        finally:
            self._client = None
            self._over.set()
            self._settled.set()


async def _all_tools(client: Client) -> list[mcp.Tool]:
    """What is on all pages of the list; of two tools with one name, the first."""
    tools: dict[str, mcp.Tool] = {}
    if client.server_capabilities.tools is None:
        return []
    cursor, seen = None, set[str]()
    while cursor is None or cursor not in seen:
        if cursor is not None:
            seen.add(cursor)
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            tools.setdefault(tool.name, tool)
        cursor = page.next_cursor
        if cursor is None:
            break
    return list(tools.values())


def _sentence(error: BaseException) -> str:
    """The innermost error of a group, in a line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = str(error).split("\n", 1)[0] or type(error).__name__
    return text[:500]
