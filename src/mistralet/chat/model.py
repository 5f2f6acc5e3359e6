"""`ChatModel`: what an application asks, whether the model runs in this process, in another, or behind a URL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mistralet.chat.events import ChatEvent
from mistralet.chat.request import ChatRequest
from mistralet.engine.sampling import SamplingParams


@dataclass(frozen=True)
class ModelFacts:
    """What an application must know of a model to plan what to ask it."""

    context: int  # tokens of prompt and answer together, at most
    reads_pictures: bool


class ChatModel(Protocol):
    """Answers conversations."""

    @property
    def name(self) -> str:
        """What to call it before a user."""

    async def facts(self) -> ModelFacts:
        """What it can take. Raises `EngineError` where a server does not answer."""

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text is, without what the template puts around it.

        Raises:
            PromptError: a text cannot be encoded.
            EngineError: a server does not answer.
        """

    def stream(self, request: ChatRequest, params: SamplingParams) -> AsyncIterator[ChatEvent]:
        """Write the next message; its parts as they come, `Finish` last. Leaving early cancels it.

        Args:
            params: of one answer (`n` is 1). With `logprobs`, `ScoredTokens` come between the parts of the text.

        Raises:
            PromptError, ImageError, ToolError, ConstraintError, UsageError: the request is invalid.
            EngineError: the answer cannot go on, or the server does not give one.
        """
