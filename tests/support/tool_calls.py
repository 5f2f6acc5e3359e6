"""Calling tools as an agent does: by name, with arguments."""

from __future__ import annotations

import asyncio
from typing import Any

from mistralet.agents.builtin import named_tools


def call(spec: str, tool: str, /, **arguments: Any) -> Any:
    """What a tool of a specification gives for a call."""
    tools = {each.name: each for each in named_tools(spec)}
    return asyncio.run(tools[tool].run(arguments))  # type: ignore[arg-type]
