"""What verbs that use tools share: the options, and asking a person whether a call may run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mistralet.cli.common import OpenModel, messages

if TYPE_CHECKING:
    from mistralet.agents import AnyTool, Consent
    from mistralet.chat import ChatModel, ToolCall

ToolOption = Annotated[
    list[str] | None,
    typer.Option("--tool", metavar="TOOL", help="A built-in tool, or FILE.py:FUNCTION; repeatable."),
]
McpOption = Annotated[
    list[str] | None,
    typer.Option("--mcp", metavar="SERVER", help="An MCP server: a command line, a URL or a JSON file; repeatable."),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Run every call without asking.")]

_FUNCTION = re.compile(r"(.+\.py):(\w+)")


def local_chat(opened: OpenModel) -> ChatModel:
    """A model that was opened here, as agents ask it."""
    from mistralet.chat.local import LocalChat

    return LocalChat(opened.engine, opened.chat, opened.name)


def chosen_tools(tools: Sequence[str] | None, servers: Sequence[str] | None) -> list[AnyTool]:
    """The tools that `--tool` and `--mcp` name."""
    chosen: list[AnyTool] = [tool for spec in tools or () for tool in _tools(spec)]
    if servers:
        from mistralet.agents.mcp import McpServer

        for server in servers:
            chosen += McpServer.parse(server)
    return chosen


def terminal_consent(yes: bool) -> Consent | None:
    """Who agrees to calls: everyone with `--yes`, else a person at the terminal, else nobody."""
    if yes:
        return _agree
    return TerminalConsent() if sys.stdin.isatty() else None


class TerminalConsent:
    """Asks at the terminal; remembers for which tools the answer was "always"."""

    def __init__(self) -> None:
        self._always: set[str] = set()

    async def __call__(self, call: ToolCall) -> bool:
        """Whether the call may run. The end of the input is a no."""
        while call.name not in self._always:
            messages.print(f"  Run {call.name}? \\[y]es, \\[n]o, \\[a]lways this tool: ", style="bold yellow", end="")
            line = await _line()
            match line.strip().lower():
                case "y" | "yes":
                    return True
                case "a" | "always":
                    self._always.add(call.name)
                case "n" | "no":
                    return False
                case "" if not line:
                    messages.print()
                    return False
        return True


async def _agree(_call: ToolCall) -> bool:
    return True


async def _line() -> str:
    """A line from the terminal, without a thread: one that waits for input could not be ended by Ctrl-C."""
    import asyncio

    loop, ready, terminal = asyncio.get_running_loop(), asyncio.Event(), sys.stdin.fileno()
    loop.add_reader(terminal, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(terminal)
    return os.read(terminal, 4096).decode(errors="replace")


def _tools(spec: str) -> Sequence[AnyTool]:
    function = _FUNCTION.fullmatch(spec)
    if function is None:
        from mistralet.agents.builtin import named_tools

        return named_tools(spec)
    from mistralet.agents.function_file import function_from_file

    return [function_from_file(Path(function[1]).expanduser(), function[2])]
