"""`ServerLog`: why a server ended, and what it said last."""

from __future__ import annotations

from mistralet.errors import ToolError

_KEPT_BYTES = 4096
_SHOWN_LINES = 3
_LONGEST_LINE = 300  # characters


class ServerLog:
    """What is known of a server besides its answers; a few kB, however much it writes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reason = ""  # why it cannot be used any more; the first that was found
        self.ended = False  # it will not answer any more
        self._tail = b""

    def add(self, data: bytes) -> None:
        """Keep the last of what the server wrote for people."""
        self._tail = (self._tail + data[-_KEPT_BYTES:])[-_KEPT_BYTES:]

    def blame(self, reason: str) -> None:
        """Say why the server cannot be used; what was said first stays."""
        self.reason = self.reason or reason

    def error(self, what: str) -> ToolError:
        """An error about the server, with why and its last lines as far as they are known."""
        sentence = f"The MCP server '{self.name}' {what}"
        if self.reason:
            sentence += f": {self.reason}"
        lines = [line.strip()[:_LONGEST_LINE] for line in self._tail.decode(errors="replace").splitlines()]
        said = [line for line in lines if line][-_SHOWN_LINES:]
        return ToolError(sentence + (f"; it last wrote: {' | '.join(said)}" if said else ""))
