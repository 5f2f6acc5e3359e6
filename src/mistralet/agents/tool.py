"""`AgentTool`: a tool that can be run, and `ToolSource`: where several come from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from mistralet.chat import Tool


@dataclass(frozen=True)
class AgentTool:
    """A tool and how to run it."""

    tool: Tool
    # Takes the arguments, which fit `tool.parameters`. What it gives becomes text (see `agents.results`); what it
    # raises becomes a short error result.
    run: Callable[[dict[str, Any]], Awaitable[object]]
    needs_consent: bool = False  # a person must agree to each call
    timeout: float | None = None  # seconds; None: that of the agent's limits

    @property
    def name(self) -> str:
        """The name the model calls."""
        return self.tool.name


class ToolSource(Protocol):
    """Tools that live as long as something is open: a server, a connection, a folder.

    Entering it gives the tools; leaving it closes what they need.
    """

    async def __aenter__(self) -> Sequence[AgentTool]:
        """Open it. Raises `ToolError` if it cannot be."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it; never raises because of what it was used for."""
