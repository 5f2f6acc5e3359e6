"""`ChatModel`: what an application asks, whether the model runs in this process, in another, or behind a URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from mistralet.chat.events import ChatEvent
from mistralet.chat.request import ChatRequest
from mistralet.engine.sampling import SamplingParams


class ChatModel(Protocol):
    """Answers conversations."""

    @property
    def name(self) -> str:
        """What to call it before a user."""

    def stream(self, request: ChatRequest, params: SamplingParams) -> AsyncIterator[ChatEvent]:
        """Write the next message; its parts as they come, `Finish` last. Leaving early cancels it.

        Args:
            params: of one answer (`n` is 1).

        Raises:
            PromptError, ImageError, ToolError, ConstraintError, UsageError: the request is invalid.
            EngineError: the answer cannot go on, or the server does not give one.
        """
