"""`McpServer`: the tools of an MCP server, as long as a run has it open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from urllib.parse import urlsplit

from mistralet.agents.foreign import chosen, shortened, tool_names
from mistralet.agents.mcp.parse import parse_servers
from mistralet.agents.mcp.server_log import ServerLog
from mistralet.agents.shared_source import SharedSource
from mistralet.agents.tool import AgentTool
from mistralet.chat import Tool
from mistralet.errors import ToolError, UsageError

if TYPE_CHECKING:
    import mcp_types as mcp

    from mistralet.agents.mcp.connection import Connection

_MOST_RESTARTS = 3  # of a server in one run
_SECONDS_TO_START = 60.0  # a first start may download the server

# Opens the streams of messages from and to a server.
OpenStreams = Callable[[ServerLog], AbstractAsyncContextManager[Any]]


class McpOptions(TypedDict, total=False):
    """What may be said of any server; see `McpServer`."""

    prefix: str
    tools: Sequence[str] | None
    trusted: bool
    start_seconds: float


class McpServer(SharedSource):
    """A source of the tools that an MCP server offers; make one with `stdio`, `http` or `parse`.

    Each run that enters it has a process or session of its own. A server that ends during a run is started again for
    the next call, three times at most. The tools are those it offers when it is entered.

    Args:
        name: what errors call it.
        prefix: put before the name of each tool, for servers whose tools have the same names.
        tools: which of its tools, by their own names; None: all.
        trusted: whether its tools run without a person's consent. Else only those do of which it says that they change
            nothing.
        start_seconds: the longest that it may take to be ready.
    """

    def __init__(
        self,
        open_streams: OpenStreams,
        *,
        name: str,
        prefix: str = "",
        tools: Sequence[str] | None = None,
        trusted: bool = False,
        start_seconds: float = _SECONDS_TO_START,
    ) -> None:
        super().__init__()
        tool_names((), prefix)
        self.name = name
        self._open_streams = open_streams
        self._prefix = prefix
        self._chosen = tools
        self._trusted = trusted
        self._start_seconds = start_seconds

    @classmethod
    def stdio(
        cls,
        command: str,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        *,
        name: str | None = None,
        **options: Unpack[McpOptions],
    ) -> McpServer:
        """A server that is started here, as a process that speaks on its standard input and output.

        Args:
            env: variables besides HOME, LOGNAME, PATH, SHELL, TERM and USER; it sees no others of this program.
        """

        def open_streams(log: ServerLog) -> AbstractAsyncContextManager[Any]:
            from mistralet.agents.mcp.process import Command, run_process

            return run_process(Command(command, tuple(args), env, cwd), log)

        words = [Path(command).name, *(arg for arg in args if not arg.startswith("-"))]
        return cls(open_streams, name=name or " ".join(words[:2]), **options)

    @classmethod
    def http(
        cls,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        name: str | None = None,
        **options: Unpack[McpOptions],
    ) -> McpServer:
        """A server that is reached over streamable HTTP.

        Args:
            headers: sent with each request, such as `Authorization`.

        Raises:
            UsageError: the URL is none of HTTP.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"The MCP server '{url}' has no http or https URL.")

        def open_streams(log: ServerLog) -> AbstractAsyncContextManager[Any]:
            from mistralet.agents.mcp.http import Address, connect

            return connect(Address(url, headers or {}), log)

        return cls(open_streams, name=name or parts.hostname, **options)

    @classmethod
    def parse(cls, text: str) -> list[McpServer]:
        """The servers that a text names: a URL, a file `*.json` with `mcpServers`, or a command line.

        Raises:
            UsageError: the file cannot be read, or an entry of it is wrong.
        """
        written = parse_servers(text)
        return [(cls.stdio if each.is_command else cls.http)(**each.arguments) for each in written]

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Sequence[AgentTool]]:
        try:
            from mistralet.agents.mcp import connection
        except ImportError as error:
            raise ToolError(f"The MCP server '{self.name}' needs a package: pip install 'mistralet[mcp]'.") from error

        def connect() -> Connection:
            return connection.Connection(self._open_streams, ServerLog(self.name))

        keeper = _Keeper(self.name, connect, self._start_seconds)
        try:
            yield self._agent_tools(await keeper.open(), keeper)
        finally:
            await keeper.close()

    def _agent_tools(self, offered: Sequence[mcp.Tool], keeper: _Keeper) -> list[AgentTool]:
        by_name = {tool.name: tool for tool in offered}
        wanted = chosen(list(by_name), self._chosen, f"The MCP server '{self.name}'", "tools")
        names = tool_names(wanted, self._prefix)
        return [self._agent_tool(by_name[name], names[name], keeper) for name in wanted]

    def _agent_tool(self, tool: mcp.Tool, name: str, keeper: _Keeper) -> AgentTool:
        parameters = {"properties": {}, **tool.input_schema}
        read_only = tool.annotations is not None and tool.annotations.read_only_hint is True
        return AgentTool(
            Tool(name, shortened(tool.description or tool.title or ""), parameters),
            partial(keeper.call, tool.name),
            needs_consent=not (self._trusted or read_only),
        )


class _Keeper:
    """Keeps a server at hand while it is open, with a new connection where one was lost."""

    def __init__(self, name: str, connect: Callable[[], Connection], start_seconds: float) -> None:
        self._name = name
        self._connect = connect
        self._start_seconds = start_seconds
        self._connection = connect()
        self._restarts = 0
        self._restarting = asyncio.Lock()
        self._closed = False

    async def open(self) -> list[mcp.Tool]:
        await self._connection.open(self._start_seconds)
        return self._connection.tools

    async def call(self, tool: str, arguments: dict[str, Any]) -> str:
        from mistralet.agents.mcp.results import text_of

        async with self._restarting:
            if not self._connection.is_open:
                await self._restart()
        return text_of(await self._connection.call(tool, arguments))

    async def close(self) -> None:
        self._closed = True
        await self._connection.close()

    async def _restart(self) -> None:
        if self._closed:
            raise ToolError(f"The MCP server '{self._name}' is closed, as the run it was opened for has ended")
        if self._restarts == _MOST_RESTARTS:
            raise ToolError(f"The MCP server '{self._name}' ended {_MOST_RESTARTS + 1} times and is not started again")
        self._restarts += 1
        await self._connection.close()
        self._connection = self._connect()  # known before it is open, so that `close` finds it
        await self._connection.open(self._start_seconds)
