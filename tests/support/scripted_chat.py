"""A chat model that says what a test wrote down, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mistralet.chat import (
    ArgumentsDelta,
    ChatEvent,
    ChatFinishReason,
    ChatRequest,
    ContentDelta,
    Finish,
    Message,
    ModelFacts,
    ToolCallStart,
)
from mistralet.engine import RequestStats, SamplingParams


@dataclass(frozen=True)
class Call:
    """A call in a turn; arguments that are a text are written as they are."""

    name: str
    arguments: dict[str, Any] | str = field(default_factory=dict)
    id: str | None = None

    @property
    def text(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True)
class Turn:
    """A turn of the model."""

    text: str = ""
    calls: Sequence[Call] = ()
    reason: ChatFinishReason | None = None  # None: what fits
    tokens: int | None = 10  # written; None: not told
    seconds: float = 0.0  # before it begins
    error: str | None = None


# A turn, the text of one, or what makes one out of the conversation so far.
Scripted = Turn | str | Callable[[Sequence[Message]], "Turn | str"]


def calls(*calls: Call) -> Turn:
    return Turn(calls=calls)


@dataclass
class ScriptedChat:
    """Says its turns one after the other. The turn is found by the number of its own messages in the conversation."""

    turns: Sequence[Scripted]
    name: str = "scripted"
    context: int = 8192
    reads_pictures: bool = False
    requests: list[ChatRequest] = field(default_factory=list)
    schemas: list[dict[str, Any] | bool | None] = field(default_factory=list)
    params: list[SamplingParams] = field(default_factory=list)

    async def facts(self) -> ModelFacts:
        return ModelFacts(self.context, self.reads_pictures)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def stream(self, request: ChatRequest, params: SamplingParams) -> AsyncGenerator[ChatEvent, None]:
        messages = list(request.messages)
        self.requests.append(ChatRequest(messages, request.tools, request.tool_choice, request.parallel_tool_calls))
        self.schemas.append(request.answer_schema)
        self.params.append(params)
        number = sum(message.role == "assistant" for message in messages)
        scripted = self.turns[number]
        turn = scripted if isinstance(scripted, Turn | str) else scripted(messages)
        turn = Turn(turn) if isinstance(turn, str) else turn
        await asyncio.sleep(turn.seconds)
        for event in self._events(turn, number):
            yield event

    def _events(self, turn: Turn, number: int) -> list[ChatEvent]:
        events: list[ChatEvent] = [ContentDelta(word) for word in turn.text.partition(" ") if word]
        for index, call in enumerate(turn.calls):
            half = len(call.text) // 2
            events.append(ToolCallStart(index, call.id or f"turn{number}call{index}", call.name))
            events += [ArgumentsDelta(index, piece) for piece in (call.text[:half], call.text[half:]) if piece]
        reason = turn.reason or ("tool_calls" if turn.calls else "stop")
        stats = None if turn.tokens is None else RequestStats(100, output_tokens=turn.tokens)
        return [*events, Finish(reason, stats, turn.error)]
