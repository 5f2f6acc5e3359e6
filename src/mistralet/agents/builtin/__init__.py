"""The built-in tools. None is there until it is named: `named_tools("files:notes")`."""

from __future__ import annotations

from collections.abc import Callable

from mistralet.agents.builtin.calculator import calculator_tools
from mistralet.agents.builtin.clock import time_tools
from mistralet.agents.builtin.fetch import fetch_tools
from mistralet.agents.builtin.files import files_tools
from mistralet.agents.builtin.python import python_tools
from mistralet.agents.builtin.sql import sql_tools
from mistralet.agents.tool import AgentTool
from mistralet.errors import ToolError

# What follows the name and a colon in a specification, "" if nothing does, to tools.
BUILTIN: dict[str, Callable[[str], list[AgentTool]]] = {
    "calculator": calculator_tools,
    "time": time_tools,
    "files": files_tools,
    "sql": sql_tools,
    "fetch": fetch_tools,
    "python": python_tools,
}


def named_tools(spec: str) -> list[AgentTool]:
    """The tools that a specification names, such as `calculator`, `files:notes:write` or `sql:sales.db`.

    Raises:
        ToolError: there is no such tool, or what it is to work on does not exist.
    """
    name, _, rest = spec.partition(":")
    if name not in BUILTIN:
        raise ToolError(f"There is no built-in tool '{name}'; there are: {', '.join(BUILTIN)}.")
    return BUILTIN[name](rest)


__all__ = ["BUILTIN", "named_tools"]
