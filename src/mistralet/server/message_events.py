"""A message as Anthropic's API tells it, at once or in events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from mistralet.chat import ArgumentsDelta, ChatEvent, ContentDelta, Finish, ToolCall, ToolCallStart
from mistralet.engine import RequestStats, StepOutput
from mistralet.server.conversation import ChatAnswer, ChatAnswers
from mistralet.server.sse import named

Event = dict[str, Any]
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "repetition": "max_tokens", "tool_calls": "tool_use"}


def message(answer: ChatAnswer, message_id: str, model: str) -> dict[str, Any]:
    """The whole message."""
    calls = [block for call in answer.calls if (block := _tool_use(call))]
    content: list[Event] = [{"type": "text", "text": answer.text}] if answer.text or not calls else []
    content += calls
    ending = _ending(answer.finish)
    return _frame(message_id, model) | {"content": content, **ending, "usage": _usage(answer.stats)}


async def events(answers: ChatAnswers, message_id: str, model: str) -> AsyncIterator[bytes]:
    """The message as it comes, as server-sent events."""
    blocks = _Blocks()
    has_begun = False
    try:
        async for step in answers.steps():
            if not has_begun:  # the first step knows what came from the cache
                has_begun = True
                begun = _frame(message_id, model) | {"content": [], "usage": _usage(step.output.stats)}
                yield _written({"type": "message_start", "message": begun})
            for event in step.events:
                for told in blocks.tell(event, step.output):
                    yield _written(told)
    finally:
        await answers.aclose()


class _Blocks:
    """The blocks of a message, of which one at most is open."""

    def __init__(self) -> None:
        self._index = -1
        self._open: str | None = None  # its type

    def tell(self, event: ChatEvent, output: StepOutput) -> Iterator[Event]:
        match event:
            case ContentDelta(text):
                if self._open != "text":
                    yield from self._begin({"type": "text", "text": ""})
                yield self._delta({"type": "text_delta", "text": text})
            case ToolCallStart(_, call_id, name):
                yield from self._begin({"type": "tool_use", "id": call_id, "name": name, "input": {}})
            case ArgumentsDelta(_, text):
                yield self._delta({"type": "input_json_delta", "partial_json": text})
            case Finish():
                yield from self._end()
                yield {
                    "type": "message_delta",
                    "delta": _ending(event),
                    "usage": _usage(output.stats),
                }
                yield {"type": "message_stop"}

    def _begin(self, block: Event) -> Iterator[Event]:
        yield from self._end()
        self._index += 1
        self._open = block["type"]
        yield {"type": "content_block_start", "index": self._index, "content_block": block}

    def _delta(self, delta: Event) -> Event:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}

    def _end(self) -> Iterator[Event]:
        if self._open is not None:
            self._open = None
            yield {"type": "content_block_stop", "index": self._index}


def _tool_use(call: ToolCall) -> Event | None:
    """The block of a call; None if it was cut off in its arguments, which then are no JSON to be told."""
    try:
        return {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}
    except ValueError:
        return None


def _frame(message_id: str, model: str) -> Event:
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "stop_reason": None,
        "stop_sequence": None,
    }


def _ending(finish: Finish) -> Event:
    reason = _STOP_REASONS.get(finish.reason, "end_turn")
    if reason == "end_turn" and finish.stop_string is not None:
        reason = "stop_sequence"
    return {"stop_reason": reason, "stop_sequence": finish.stop_string}


def _usage(stats: RequestStats) -> Event:
    return {
        "input_tokens": stats.prompt_tokens - stats.cached_tokens,
        "cache_read_input_tokens": stats.cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": stats.output_tokens,
    }


def _written(event: Event) -> bytes:
    return named(event["type"], event)
