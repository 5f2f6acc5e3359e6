"""`LineReader`: what a person types, with an editor in a terminal, as it is in a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession


class LineReader:
    """Gives a line after the other, None at the end. Ctrl-C clears a line, as in a shell."""

    def __init__(self) -> None:
        self._session: PromptSession[str] | None = None
        if sys.stdin.isatty():
            from prompt_toolkit import PromptSession
            from prompt_toolkit.history import InMemoryHistory

            self._session = PromptSession(history=InMemoryHistory())

    @property
    def is_terminal(self) -> bool:
        """Whether a person types."""
        return self._session is not None

    def read(self) -> str | None:
        """The next line."""
        if self._session is None:
            return _piped()
        while True:
            try:
                return self._session.prompt("\n> ")
            except KeyboardInterrupt:
                continue
            except EOFError:
                return None

    async def read_async(self) -> str | None:
        """The next line, while an event loop runs; a terminal does not hold it up."""
        if self._session is None:
            return _piped()
        while True:
            try:
                return await self._session.prompt_async("\n> ")
            except KeyboardInterrupt:
                continue
            except EOFError:
                return None


def _piped() -> str | None:
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None
