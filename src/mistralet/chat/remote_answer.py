"""`RemoteAnswer`: the chunks of an OpenAI-compatible server's answer to events, in all the forms they are found in.

Servers differ in how they stream calls: the arguments in pieces, whole, or as an object; with an index, without, or
with 0 for every call; ids that are missing or used twice; the name with the first piece or with each.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mistralet.chat.call_ids import CallIds
from mistralet.chat.events import (
    ArgumentsDelta,
    ChatEvent,
    ChatFinishReason,
    ContentDelta,
    Finish,
    FormatProblem,
    ScoredToken,
    ScoredTokens,
    ToolCallStart,
)
from mistralet.chat.json_values import dump, parse_arguments
from mistralet.chat.messages import Message
from mistralet.engine import RequestStats

_REASONS: dict[str, ChatFinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "repetition": "repetition",
    "cancelled": "cancelled",
}


@dataclass
class _Call:
    """A call as it comes."""

    index: int  # among the events
    key: object  # its index, as the server has it
    foreign_id: str | None
    name: str
    arguments: str = ""

    @property
    def is_complete(self) -> bool:
        try:
            return bool(self.arguments) and parse_arguments(self.arguments) is not None
        except ValueError:
            return False


class RemoteAnswer:
    """One answer, fed a chunk at a time."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._ids = CallIds(messages)
        self._taken = {call.id for message in messages for call in message.tool_calls}
        self._calls: list[_Call] = []
        self._reason: str | None = None
        self._usage: dict[str, Any] | None = None
        self._asked_at = time.monotonic()
        self._first_at: float | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the server has said why the answer ends."""
        return self._reason is not None

    def add(self, chunk: dict[str, Any]) -> Iterator[ChatEvent]:
        """The events of a chunk, or of a whole answer."""
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self._usage = usage
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or choice.get("message") or {}
            scored = _scored(choice.get("logprobs"))
            if scored:
                yield ScoredTokens(scored)
            for event in self._delta(delta):
                self._first_at = self._first_at or time.monotonic()
                yield event
            self._reason = choice.get("finish_reason") or self._reason

    def end(self) -> Iterator[ChatEvent]:
        """The last events."""
        for call in self._calls:
            if not call.arguments:
                yield FormatProblem(f"The call of '{call.name}' came without arguments; read as none.", call.index)
                yield ArgumentsDelta(call.index, "{}")
        reason = _REASONS.get(self._reason or "")
        if reason is None:
            yield Finish("error", self._stats(), f"the server ended the answer for the reason '{self._reason}'")
        elif reason == "stop" and self._calls:  # as some servers say of calls
            yield Finish("tool_calls", self._stats())
        elif reason == "tool_calls" and not self._calls:
            yield FormatProblem("The server speaks of calls, but sent none; read as a plain answer.")
            yield Finish("stop", self._stats())
        else:
            yield Finish(reason, self._stats())

    def _delta(self, delta: dict[str, Any]) -> Iterator[ChatEvent]:
        if delta.get("content"):
            yield ContentDelta(_text(delta["content"]))
        for piece in delta.get("tool_calls") or ():
            yield from self._piece(piece)

    def _piece(self, piece: dict[str, Any]) -> Iterator[ChatEvent]:
        function = piece.get("function") or {}
        name, foreign_id, arguments = function.get("name"), piece.get("id"), function.get("arguments")
        call = self._continued(piece.get("index"), foreign_id, name)
        if call is None:
            call = _Call(len(self._calls), piece.get("index"), foreign_id, name or "")
            self._calls.append(call)
            yield from self._begin(call)
        text = arguments if isinstance(arguments, str) else "" if arguments is None else dump(arguments)
        if text:
            call.arguments += text
            yield ArgumentsDelta(call.index, text)

    def _continued(self, key: object, foreign_id: str | None, name: str | None) -> _Call | None:
        """The call that a piece goes on with; None if it begins one."""
        same_key = [call for call in self._calls if call.key == key]
        if foreign_id:
            same_id = [call for call in same_key if call.foreign_id == foreign_id]
            if same_id and not (name and same_id[-1].is_complete and key is None):
                return same_id[-1]
            if name or not same_key:
                return None  # also where every call has the index 0
        if not same_key:
            return None
        last = same_key[-1]
        if name and (name != last.name or (key is None and last.is_complete)):
            return None
        return last

    def _begin(self, call: _Call) -> Iterator[ChatEvent]:
        call_id = call.foreign_id
        if not call_id or call_id in self._taken:
            call_id = self._ids.new()
            why = "has the id of another call" if call.foreign_id else "came without an id"
            yield FormatProblem(f"The call of '{call.name}' {why}; it was given one.", call.index)
        self._taken.add(call_id)
        yield ToolCallStart(call.index, call_id, call.name)

    def _stats(self) -> RequestStats | None:
        if self._usage is None:
            return None
        now = time.monotonic()
        first = self._first_at or now
        details = self._usage.get("prompt_tokens_details") or {}
        return RequestStats(
            prompt_tokens=self._usage.get("prompt_tokens") or 0,
            cached_tokens=details.get("cached_tokens") or 0,
            output_tokens=self._usage.get("completion_tokens") or 0,
            time_to_first_token=first - self._asked_at,
            decode_seconds=now - first,
        )


def _scored(logprobs: object) -> tuple[ScoredToken, ...]:
    entries = logprobs.get("content") if isinstance(logprobs, dict) else None
    return tuple(
        ScoredToken(_token_bytes(entry), float(entry["logprob"]))
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("logprob"), int | float)
    )


def _token_bytes(entry: dict[str, Any]) -> bytes:
    try:
        return bytes(entry["bytes"])
    except (KeyError, TypeError, ValueError):  # left out by some servers, for some tokens
        return str(entry.get("token") or "").encode()


def _text(content: str | list[dict[str, Any]]) -> str:
    """Content as text: some servers send it in parts, of which those of thinking have no text."""
    return content if isinstance(content, str) else "".join(part.get("text") or "" for part in content)
