"""`AnswerParser`: from the tokens of an answer to its text and calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mistralet.chat.events import ChatEvent
from mistralet.engine.request import FinishReason, RequestStats


class AnswerParser(Protocol):
    """Reads one answer of a request with tools, in the template of one model.

    It takes whatever a model writes and never raises: what does not follow the template is told by a `FormatProblem`.
    Nothing that the model wrote is lost, save whitespace around calls: what belongs to no call is text. Control tokens
    are never text. However the tokens are cut into pushes, the joined events are the same.
    """

    def push(self, token_ids: Sequence[int]) -> list[ChatEvent]:
        """The next tokens of the answer, without the stop token; what they add."""

    def finish(
        self, reason: FinishReason, stats: RequestStats | None = None, error: str | None = None
    ) -> list[ChatEvent]:
        """The end of the answer, and why it ended; what was held back, and `Finish`."""
