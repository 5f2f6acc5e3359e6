"""The events in which a streamed response is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from mistralet.chat import ArgumentsDelta, ChatEvent, ContentDelta, Finish, ToolCall, ToolCallStart
from mistralet.server.conversation import ChatAnswer, ChatAnswers
from mistralet.server.errors import ApiError, error_body
from mistralet.server.response_objects import ResponseWriter, message_status
from mistralet.server.sse import named

Event = dict[str, Any]


async def events(writer: ResponseWriter, answers: ChatAnswers) -> AsyncIterator[bytes]:
    """All of them, as server-sent events."""
    numbered = _Numbered()
    telling = _Telling(writer)
    try:
        for kind in ("response.created", "response.in_progress"):
            yield numbered({"type": kind, "response": writer.begun()})
        async for step in answers.steps():
            telling.answer.add_step(step)
            logprobs = writer.logprobs(step.output.logprobs)
            for event in step.events:
                for told in telling.tell(event, logprobs):
                    yield numbered(told)
                logprobs = []
    finally:
        await answers.aclose()


def failed_event(error: ApiError) -> bytes:
    """The last event of a stream that breaks off."""
    inner = error_body(error, "", "")["error"]
    return named("error", {"type": "error", "sequence_number": 0, **inner})


class _Numbered:
    def __init__(self) -> None:
        self._next = 0

    def __call__(self, event: Event) -> bytes:
        number, self._next = self._next, self._next + 1
        return named(event["type"], event | {"sequence_number": number})


class _Telling:
    """What has been told of an answer: at most one item is open."""

    def __init__(self, writer: ResponseWriter) -> None:
        self.answer = ChatAnswer()
        self._writer = writer
        self._done: list[Event] = []  # items
        self._open: Event | None = None  # the item that is
        self._text = ""  # of the open message
        self._logprobs: list[Event] = []
        self._call = 0  # which of the answer's is open

    def tell(self, event: ChatEvent, logprobs: list[Event]) -> Iterator[Event]:
        """The events that a part of the answer becomes."""
        match event:
            case ContentDelta(text):
                if self._open is None or self._open["type"] != "message":
                    yield from self._open_message()
                self._text += text
                self._logprobs += logprobs
                yield self._in_item("response.output_text.delta", content_index=0, delta=text, logprobs=logprobs)
            case ToolCallStart(index, call_id, name):
                yield from self._close()
                self._call = index
                yield self._added(self._writer.call(len(self._done), ToolCall(call_id, name, ""), "in_progress"))
            case ArgumentsDelta(_, text):
                yield self._in_item("response.function_call_arguments.delta", delta=text)
            case Finish():
                if self._open is None and not self._done:
                    yield from self._open_message()  # an answer without words
                yield from self._close()
                response = self._writer.response(self._done, self.answer)
                yield {"type": f"response.{response['status']}", "response": response}

    def _open_message(self) -> Iterator[Event]:
        yield from self._close()
        self._text, self._logprobs = "", []
        yield self._added(self._writer.message(len(self._done), [], "in_progress"))
        yield self._in_item("response.content_part.added", content_index=0, part=self._writer.text("", []))

    def _close(self) -> Iterator[Event]:
        if self._open is None:
            return
        if self._open["type"] == "message":
            text, logprobs = self._text, self._logprobs
            part = self._writer.text(text, logprobs)
            yield self._in_item("response.output_text.done", content_index=0, text=text, logprobs=logprobs)
            yield self._in_item("response.content_part.done", content_index=0, part=part)
            item = self._writer.message(len(self._done), [part], message_status(self.answer))
        else:
            call = self.answer.calls[self._call]
            done = "response.function_call_arguments.done"
            yield self._in_item(done, name=call.name, arguments=call.arguments)
            item = self._writer.call(len(self._done), call)
        yield {"type": "response.output_item.done", "output_index": len(self._done), "item": item}
        self._done.append(item)
        self._open = None

    def _added(self, item: Event) -> Event:
        self._open = item
        return {"type": "response.output_item.added", "output_index": len(self._done), "item": item}

    def _in_item(self, kind: str, **facts: Any) -> Event:
        assert self._open is not None
        return {"type": kind, "item_id": self._open["id"], "output_index": len(self._done), **facts}
