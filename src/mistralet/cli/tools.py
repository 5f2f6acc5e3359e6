"""What verbs that use tools share: the options, and asking a person whether a call may run."""

from __future__ import annotations

import asyncio
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
    typer.Option("--tool", metavar="TOOL", help="A built-in tool, or FILE.py:FUNCTION; may be given again."),
]
McpOption = Annotated[
    list[str] | None,
    typer.Option("--mcp", metavar="SERVER", help="An MCP server: a command line or a URL; may be given again."),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Run every call without asking.")]

_FUNCTION = re.compile(r"(.+\.py):(\w+)")


def local_chat(opened: OpenModel) -> ChatModel:
    """A model that was opened here, as agents ask it."""
    from mistralet.chat import chat_format
    from mistralet.chat.local import LocalChat

    loaded = opened.loaded
    return LocalChat(opened.engine, chat_format(loaded.tokenizer, loaded.checkpoint.config.vision), opened.name)


def chosen_tools(tools: Sequence[str] | None, servers: Sequence[str] | None) -> list[AnyTool]:
    """The tools that `--tool` and `--mcp` name."""
    return [*map(_tool, tools or ()), *map(_server, servers or ())]


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
    loop, ready, terminal = asyncio.get_running_loop(), asyncio.Event(), sys.stdin.fileno()
    loop.add_reader(terminal, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(terminal)
    return os.read(terminal, 4096).decode(errors="replace")


def _tool(spec: str) -> AnyTool:
    function = _FUNCTION.fullmatch(spec)
    if function is not None:
        from mistralet.agents.function_file import function_from_file

        return function_from_file(Path(function[1]).expanduser(), function[2])
    raise NotImplementedError


def _server(spec: str) -> AnyTool:
    raise NotImplementedError
