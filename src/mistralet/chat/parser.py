"""`AnswerParser`: from the tokens of an answer to its text and its calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mistralet.chat.events import ChatEvent
from mistralet.engine.request import FinishReason, RequestStats


class AnswerParser(Protocol):
    """Reads one answer; what it says does not depend on how its tokens are cut into pieces.

    It takes whatever a model writes, and raises nothing: what does not follow the template becomes a `FormatProblem`
    beside what it was read as.
    """

    @property
    def is_stopped(self) -> bool:
        """Whether a stop string has ended the text: what follows is no part of the answer."""

    def push(self, token_ids: Sequence[int]) -> list[ChatEvent]:
        """Take the next tokens, without the stop token."""

    def finish(self, reason: FinishReason, stats: RequestStats | None, error: str | None = None) -> list[ChatEvent]:
        """End the answer; `Finish` is the last event."""
