"""What goes into `/v1/responses`, and what comes out of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

from mistralet.chat import ToolCall
from mistralet.engine import RequestStats
from mistralet.engine.sampling import Sampled
from mistralet.server.conversation import ChatAnswer
from mistralet.server.fields import Body, ModelBody
from mistralet.server.logprobs import chat_logprobs
from mistralet.server.service import Service


class TextOptions(Body):
    """What the text must fit."""

    format: dict[str, Any] | None = None


class ResponseBody(ModelBody):
    """A conversation, and how it is to go on."""

    input: str | list[dict[str, Any]]
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None
    text: TextOptions | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    metadata: dict[str, str] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    background: bool | None = None
    store: bool | None = None
    user: str | None = None

    @property
    def wants_logprobs(self) -> bool:
        """Whether the answer's tokens are to be told with theirs."""
        return "message.output_text.logprobs" in (self.include or ())


class ResponseWriter:
    """The objects that an answer is told in."""

    def __init__(self, service: Service, body: ResponseBody, request_id: str) -> None:
        self._tokenizer = service.tokenizer
        self._with_logprobs = body.wants_logprobs
        self._id = request_id
        text = {"format": {"type": "text"}} | (body.text.model_dump(exclude_none=True) if body.text else {})
        self._frame = {
            "id": f"resp_{request_id}",
            "object": "response",
            "created_at": int(time.time()),
            "model": service.name,
            "error": None,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "metadata": body.metadata or {},
            "parallel_tool_calls": body.parallel_tool_calls is not False,
            "previous_response_id": None,
            "store": False,
            "temperature": body.temperature,
            "text": text,
            "tool_choice": body.tool_choice or "auto",
            "tools": body.tools or [],
            "top_p": body.top_p,
            "truncation": "disabled",
        }

    def begun(self) -> dict[str, Any]:
        """The response before there is anything in it."""
        return self._frame | {"status": "in_progress", "incomplete_details": None, "output": [], "usage": None}

    def response(self, items: list[dict[str, Any]], answer: ChatAnswer) -> dict[str, Any]:
        """The whole response."""
        return self._frame | {
            "status": message_status(answer),
            "incomplete_details": {"reason": "max_output_tokens"} if is_cut(answer) else None,
            "output": items,
            "usage": _usage(answer.stats),
        }

    def items(self, answer: ChatAnswer) -> list[dict[str, Any]]:
        """What the answer consists of: text, then calls."""
        items = []
        if answer.text or not answer.calls:
            items.append(self.message(0, [self.text(answer.text, self.logprobs(answer.drawn))], message_status(answer)))
        return items + [self.call(place, call) for place, call in enumerate(answer.calls, start=len(items))]

    def message(self, place: int, content: list[dict[str, Any]], status: str) -> dict[str, Any]:
        """The item that holds text; `place` is its own among the items."""
        return {
            "id": f"msg_{self._id}_{place}",
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def text(self, text: str, logprobs: list[dict[str, Any]]) -> dict[str, Any]:
        """The part of a message that holds the text."""
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}

    def call(self, place: int, call: ToolCall, status: str = "completed") -> dict[str, Any]:
        """The item of a call."""
        return {
            "id": f"fc_{self._id}_{place}",
            "type": "function_call",
            "status": status,
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }

    def logprobs(self, drawn: Sequence[Sampled]) -> list[dict[str, Any]]:
        """Those of some tokens, if they are asked for."""
        return chat_logprobs(self._tokenizer, drawn) if self._with_logprobs else []


def is_cut(answer: ChatAnswer) -> bool:
    """Whether an answer is only the beginning of one."""
    return answer.finish.reason in ("length", "repetition")


def message_status(answer: ChatAnswer) -> str:
    """The status of its text."""
    return "incomplete" if is_cut(answer) else "completed"


def _usage(stats: RequestStats) -> dict[str, Any]:
    return {
        "input_tokens": stats.prompt_tokens,
        "input_tokens_details": {"cached_tokens": stats.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": stats.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": stats.prompt_tokens + stats.output_tokens,
    }
